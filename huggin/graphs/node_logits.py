"""Activations of one node by token, and the logits of an answer: recording -> figures.

"Node logits" is the older toolkit's name for a hidden unit's activation at every token.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from huggin.analysis.nodes import BY_PERCENT, NodeChoice, tracked_node
from huggin.common.errors import BadValue
from huggin.common.site import Site
from huggin.graphs.runs import figure_name, refuse_other_texts, same_sample, side_by_side
from huggin.graphs.style import END, GOLD, START, dots, legend_above
from huggin.graphs.tokens import Shown, same_scale, token_figure
from huggin.recording.answer import AnswerInside, read_answer
from huggin.recording.reader import Recording

COLOURS = (START, END, GOLD)
COMPONENTS = {"self": "self-attention", "out": "output", "head": "what the head is given"}
Panel = tuple[
    str, list[tuple[str, np.ndarray, str, str]]
]  # label of the axis; curves: name, (tokens,), colour, style


def draw_answer(*runs: Recording, choice: NodeChoice = BY_PERCENT) -> dict[str, Figure]:
    """`node-logits` of `node`, or else the first of the ranking, and `answer-logits`, of the newest answer kept.

    Raises UserError where the runs' newest answers are to different questions.
    """
    answers = [read_answer(run.run) for run in runs]
    nodes = [tracked_node(run, choice) for run in runs]
    windows = [answer.facts.window for answer in answers]
    refuse_other_texts(windows, "the newest answer", runs)
    steps = sorted(answer.facts.step for answer in answers)
    shown = [Shown(each.facts.window, True, each.facts.start, each.facts.end) for each in answers]
    title = f"Node {_joined(nodes)} by token: an answer after {_joined(steps)} steps"
    panels = [
        _node_panel(answer.activations, node) for answer, node in zip(answers, nodes, strict=True)
    ]
    logits = [_logits_panel(answer) for answer in answers]
    return {
        figure_name("node-logits", runs): _by_token(title, runs, shown, panels),
        figure_name("answer-logits", runs): _by_token(
            "Start and end logits of the answer by token", runs, shown, logits
        ),
    }


def draw_snapshot(
    *runs: Recording,
    step: int | None = None,
    choice: NodeChoice = BY_PERCENT,
) -> dict[str, Figure]:
    """`node-logits-step-K` of a tracked sample at a snapshot of the training, the last one without `step`."""
    sample = choice.sample
    shown = [Shown(window) for window in same_sample(runs, sample)]
    nodes = [tracked_node(run, choice) for run in runs]
    steps = [step if step is not None else max(run.head_inputs(sample)) for run in runs]
    title = f"Node {_joined(nodes)} by token: the tracked sample after {_joined(steps)} steps"
    panels = [
        _node_panel(run.nodes(at, sample), node)
        for run, at, node in zip(runs, steps, nodes, strict=True)
    ]
    return {
        figure_name(f"node-logits-step-{steps[0]}", runs, sample): _by_token(
            title, runs, shown, panels
        )
    }


def _joined(numbers: Iterable[int]) -> str:
    return " and ".join(map(str, dict.fromkeys(numbers)))


def end_sites(sites: Iterable[Site]) -> list[Site]:
    """First self-attention, last self-attention, what the head is given (most often the last output), where there."""
    known = sorted(sites)
    attentions = [site for site in known if site.component == "self"]
    outputs = [site for site in known if site.component == "head"]
    outputs = outputs or [site for site in known if site.component == "out"]
    return list(dict.fromkeys([*attentions[:1], *attentions[-1:], *outputs[-1:]]))


def _node_panel(activations: dict[Site, np.ndarray], node: int) -> Panel:
    """activations: (tokens, hidden) by site."""
    if any(node >= values.shape[1] for values in activations.values()):
        raise BadValue("node", node, "this answer is of a model with fewer nodes; ask it again")
    return f"activation of node {node}", [
        (
            f"layer {site.layer}, {COMPONENTS[site.component]}",
            activations[site][:, node].astype(np.float32),
            colour,
            "-",
        )
        for colour, site in zip(COLOURS, end_sites(activations))
    ]


def _logits_panel(answer: AnswerInside) -> Panel:
    start, end = (
        ("start logit", answer.start_logits, START, "-"),
        ("end logit", answer.end_logits, END, "--"),
    )
    return "logit", [start, end]


def _by_token(
    title: str, runs: Sequence[Recording], shown: Sequence[Shown], panels: Sequence[Panel]
) -> Figure:
    figure, parts = token_figure(title, shown, side_by_side(runs), rows=1, height=4.5)
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
