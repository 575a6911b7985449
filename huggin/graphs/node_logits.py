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
from huggin.graphs.output import END, GOLD, START, dots, legend_above
from huggin.graphs.runs import figure_name, refuse_other_texts, same_sample, side_by_side
from huggin.graphs.tokens import same_scale, token_figure
from huggin.nodes import ranked_nodes
from huggin.recording import Recording, Site

COLOURS = (START, END, GOLD)
COMPONENTS = {"self": "self-attention", "out": "output", "head": "what the head is given"}
Panel = tuple[str, list[tuple[str, np.ndarray, str, str]]]  # label of the axis; curves: name, (tokens,), colour, style


def draw_answer(
    *runs: Recording, node: int | None = None, rank_by: str = "percent", sample: int = 0
) -> dict[str, Figure]:
    """`node-logits` of `node`, or else the first of the ranking, and `answer-logits`, of the newest answer kept.

    Raises UserError where the runs' newest answers are to different questions.
    """
    answers = [read_answer(run.run) for run in runs]
    facts, nodes = [asdict(answer.facts) for answer in answers], _nodes(runs, node, rank_by, sample)
    refuse_other_texts(facts, "the newest answer (--step K is the tracked sample)", [str(run.run.path) for run in runs])
    title = f"Node {_joined(nodes)} by token: an answer after {_joined(sorted(each['step'] for each in facts))} steps"
    panels = [_node_panel(answer.activations, node) for answer, node in zip(answers, nodes, strict=True)]
    logits = [_logits_panel(answer) for answer in answers]
    return {
        figure_name("node-logits", runs): _by_token(title, runs, facts, panels),
        figure_name("answer-logits", runs): _by_token(
            "Start and end logits of the answer by token", runs, facts, logits
        ),
    }


def draw_snapshot(
    *runs: Recording, step: int | None = None, node: int | None = None, rank_by: str = "percent", sample: int = 0
) -> dict[str, Figure]:
    """`node-logits-step-K` of a tracked sample at a snapshot of the training, the last one without `step`."""
    facts, nodes = same_sample(runs, sample), _nodes(runs, node, rank_by, sample)
    steps = [step if step is not None else max(run.head_inputs(sample)) for run in runs]
    title = f"Node {_joined(nodes)} by token: the tracked sample after {_joined(steps)} steps"
    panels = [_node_panel(run.nodes(at, sample), node) for run, at, node in zip(runs, steps, nodes, strict=True)]
    return {figure_name(f"node-logits-step-{steps[0]}", runs, sample): _by_token(title, runs, facts, panels)}


def _nodes(runs: Sequence[Recording], node: int | None, rank_by: str, sample: int) -> list[int]:
    return [int(ranked_nodes(run, node, rank_by, sample)[0]) for run in runs]


def _joined(numbers: Iterable[int]) -> str:
    return " and ".join(map(str, dict.fromkeys(numbers)))


def end_sites(sites: Iterable[Site]) -> list[Site]:
    """First self-attention, last self-attention, what the head is given (most often the last output), where there."""
    known = sorted(sites)
    attentions = [site for site in known if site[1] == "self"]
    outputs = [site for site in known if site[1] == "head"] or [site for site in known if site[1] == "out"]
    return list(dict.fromkeys([*attentions[:1], *attentions[-1:], *outputs[-1:]]))


def _node_panel(activations: dict[Site, np.ndarray], node: int) -> Panel:
    """activations: (tokens, hidden) by site."""
    if any(node >= values.shape[1] for values in activations.values()):
        raise UserError(f"--node {node}: this answer is of a model with fewer nodes; run get-model-output again")
    return f"activation of node {node}", [
        (f"layer {site[0]}, {COMPONENTS[site[1]]}", activations[site][:, node].astype(np.float32), colour, "-")
        for colour, site in zip(COLOURS, end_sites(activations))
    ]


def _logits_panel(answer: AnswerInside) -> Panel:
    start, end = ("start logit", answer.start_logits, START, "-"), ("end logit", answer.end_logits, END, "--")
    return "logit", [start, end]


def _by_token(
    title: str, runs: Sequence[Recording], facts: Sequence[dict[str, Any]], panels: Sequence[Panel]
) -> Figure:
    figure, parts = token_figure(title, facts, side_by_side(runs), rows=1, height=4.5)
    for views, (ylabel, curves) in zip(parts, panels, strict=True):
        for view, (axes,) in views:
            look: dict[str, Any] = {"linewidth": 1.2, "marker": dots(len(view))}
            for name, values, colour, style in curves:
                seen = values[view.start : view.stop]
                axes.plot(view, seen, color=colour, linestyle=style, label=name, **look)
        views[0][1][0].set_ylabel(ylabel)
        legend_above(views[-1][1][0])
    same_scale(parts)
    return figure
