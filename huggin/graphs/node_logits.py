"""Activations of one node by token, and the logits of an answer: recording -> figures.

"Node logits" is the older toolkit's name for a hidden unit's activation at every token.
"""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from huggin.answer_recording import read_answer
from huggin.door import UserError
from huggin.graphs.output import END, GOLD, START, legend_above, tidy
from huggin.graphs.tokens import marker_for, token_figure
from huggin.nodes import tracked_first, weight_change
from huggin.recording import Recording, Site

COLOURS = (START, END, GOLD)
COMPONENTS = {"self": "self-attention", "out": "output", "head": "what the head is given"}


def draw_answer(recording: Recording, node: int | None = None) -> dict[str, Figure]:
    """`node-logits` and `answer-logits` of the newest answer that was kept."""
    answer = read_answer(recording.run)
    facts = asdict(answer.facts)
    title = f"an answer after {answer.facts.step} steps"
    logits = {"start": (START, answer.start_logits), "end": (END, answer.end_logits)}
    return {
        "node-logits": _node_figure(recording, facts, answer.activations, node, title),
        "answer-logits": _logits(facts, logits),
    }


def draw_snapshot(recording: Recording, step: int, node: int | None = None) -> dict[str, Figure]:
    """`node-logits-step-K` of the tracked sample at a snapshot of the training."""
    facts, title = recording.facts["samples"][0], f"the tracked sample after {step} steps"
    return {f"node-logits-step-{step}": _node_figure(recording, facts, recording.nodes(step), node, title)}


def end_sites(sites: Iterable[Site]) -> list[Site]:
    """First self-attention, last self-attention, what the head is given (most often the last output), where there."""
    known = sorted(sites)
    attentions = [site for site in known if site[1] == "self"]
    outputs = [site for site in known if site[1] == "head"] or [site for site in known if site[1] == "out"]
    return list(dict.fromkeys([*attentions[:1], *attentions[-1:], *outputs[-1:]]))


def _node_figure(
    recording: Recording, facts: dict[str, Any], activations: dict[Site, np.ndarray], node: int | None, what: str
) -> Figure:
    tracked = int(tracked_first(weight_change(recording.steps), node)[0])
    if any(tracked >= values.shape[1] for values in activations.values()):
        raise UserError(f"--node {tracked}: this answer is of a model with fewer nodes; run get-model-output again")
    figure, views = token_figure(f"Node {tracked} by token: {what}", facts, rows=1, height=4.5)
    for view, (axes,) in views:
        for colour, site in zip(COLOURS, end_sites(activations)):
            values = activations[site][view.start : view.stop, tracked].astype(np.float32)
            label = f"layer {site[0]}, {COMPONENTS[site[1]]}"
            axes.plot(view, values, color=colour, linewidth=1.2, marker=marker_for(view), label=label)
        tidy(axes, axes.get_xlabel(), "")
    views[0][1][0].set_ylabel("activation")
    legend_above(views[-1][1][0])
    return figure


def _logits(facts: dict[str, Any], logits: dict[str, tuple[str, np.ndarray]]) -> Figure:
    figure, views = token_figure("Start and end logits of the answer by token", facts, rows=1, height=4.5)
    for view, (axes,) in views:
        for name, (colour, values) in logits.items():
            style = "-" if name == "start" else "--"
            look: dict[str, Any] = {"color": colour, "linestyle": style, "marker": marker_for(view)}
            axes.plot(view, values[view.start : view.stop], linewidth=1.2, label=f"{name} logit", **look)
        tidy(axes, axes.get_xlabel(), "")
    views[0][1][0].set_ylabel("logit")
    legend_above(views[-1][1][0])
    return figure
