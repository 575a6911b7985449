"""Activations of one node by token, and the logits of an answer: recording -> figures.

"Node logits" is the older toolkit's name for a hidden unit's activation at every token.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from huggin.answer_recording import AnswerInside, read_answer
from huggin.door import UserError
from huggin.graphs.output import END, GOLD, START, legend_above, tidy
from huggin.graphs.runs import Beside, figure_name, refuse_other_texts, same_sample, side_by_side
from huggin.graphs.tokens import View, marker_for, same_scale, token_figure
from huggin.nodes import ranked_nodes
from huggin.recording import Recording, Site

COLOURS = (START, END, GOLD)
COMPONENTS = {"self": "self-attention", "out": "output", "head": "what the head is given"}
Activations = dict[Site, np.ndarray]  # (tokens, hidden) by site


def draw_answer(
    *runs: Recording, node: int | None = None, rank_by: str = "percent", sample: int = 0
) -> dict[str, Figure]:
    """`node-logits` of `node`, or else the first of the ranking, and `answer-logits`, of the newest answer kept.

    Raises UserError where the runs' newest answers are to different questions.
    """
    answers = [read_answer(run.run) for run in runs]
    facts, beside = [asdict(answer.facts) for answer in answers], side_by_side(runs)
    refuse_other_texts(facts, "the newest answer (--step K is the tracked sample)", [str(run.run.path) for run in runs])
    steps = sorted({answer.facts.step for answer in answers})
    title = f"an answer after {' and '.join(map(str, steps))} steps"
    nodes, activations = _nodes(runs, node, rank_by, sample), [answer.activations for answer in answers]
    figures = {
        "node-logits": _node_figure(beside, facts, activations, nodes, title),
        "answer-logits": _logits(beside, facts, answers),
    }
    return {figure_name(name, runs): figure for name, figure in figures.items()}


def draw_snapshot(
    *runs: Recording, step: int | None = None, node: int | None = None, rank_by: str = "percent", sample: int = 0
) -> dict[str, Figure]:
    """`node-logits-step-K` of a tracked sample at a snapshot of the training, the last one without `step`."""
    chosen = [step if step is not None else max(run.head_inputs(sample)) for run in runs]
    facts, steps = same_sample(runs, sample), " and ".join(map(str, dict.fromkeys(chosen)))
    nodes = _nodes(runs, node, rank_by, sample)
    activations = [run.nodes(at, sample) for run, at in zip(runs, chosen, strict=True)]
    title = f"the tracked sample after {steps} steps"
    figure = _node_figure(side_by_side(runs), facts, activations, nodes, title)
    return {figure_name(f"node-logits-step-{chosen[0]}", runs, sample): figure}


def _nodes(runs: Sequence[Recording], node: int | None, rank_by: str, sample: int) -> list[int]:
    return [int(ranked_nodes(run, node, rank_by, sample)[0]) for run in runs]


def end_sites(sites: Iterable[Site]) -> list[Site]:
    """First self-attention, last self-attention, what the head is given (most often the last output), where there."""
    known = sorted(sites)
    attentions = [site for site in known if site[1] == "self"]
    outputs = [site for site in known if site[1] == "head"] or [site for site in known if site[1] == "out"]
    return list(dict.fromkeys([*attentions[:1], *attentions[-1:], *outputs[-1:]]))


def _node_figure(
    beside: Sequence[Beside],
    facts: Sequence[dict[str, Any]],
    activations: Sequence[Activations],
    nodes: Sequence[int],
    what: str,
) -> Figure:
    named = " and ".join(map(str, dict.fromkeys(nodes)))
    figure, parts = token_figure(f"Node {named} by token: {what}", facts, beside, rows=1, height=4.5)
    for views, seen, node in zip(parts, activations, nodes, strict=True):
        _draw_node(views, seen, node)
    same_scale(parts)
    return figure


def _draw_node(views: Sequence[View], activations: Activations, node: int) -> None:
    if any(node >= values.shape[1] for values in activations.values()):
        raise UserError(f"--node {node}: this answer is of a model with fewer nodes; run get-model-output again")
    for view, (axes,) in views:
        for colour, site in zip(COLOURS, end_sites(activations)):
            values = activations[site][view.start : view.stop, node].astype(np.float32)
            label = f"layer {site[0]}, {COMPONENTS[site[1]]}"
            axes.plot(view, values, color=colour, linewidth=1.2, marker=marker_for(view), label=label)
        tidy(axes, axes.get_xlabel(), "")
    views[0][1][0].set_ylabel(f"activation of node {node}")
    legend_above(views[-1][1][0])


def _logits(beside: Sequence[Beside], facts: Sequence[dict[str, Any]], answers: Sequence[AnswerInside]) -> Figure:
    figure, parts = token_figure("Start and end logits of the answer by token", facts, beside, rows=1, height=4.5)
    for views, answer in zip(parts, answers, strict=True):
        for view, (axes,) in views:
            for name, colour, style in (("start", START, "-"), ("end", END, "--")):
                values = getattr(answer, f"{name}_logits")[view.start : view.stop]
                look: dict[str, Any] = {"color": colour, "linestyle": style, "marker": marker_for(view)}
                axes.plot(view, values, linewidth=1.2, label=f"{name} logit", **look)
            tidy(axes, axes.get_xlabel(), "")
        views[0][1][0].set_ylabel("logit")
        legend_above(views[-1][1][0])
    same_scale(parts)
    return figure
