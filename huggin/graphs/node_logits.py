"""Activations of one node by token, and the logits of an answer: recording -> figures.

"Node logits" is the older toolkit's name for a hidden unit's activation at every token.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from huggin.answer_recording import read_answer
from huggin.door import UserError
from huggin.graphs.output import END, GOLD, START, dots, legend_above
from huggin.graphs.runs import figure_name, refuse_other_texts, same_sample, side_by_side
from huggin.graphs.tokens import same_scale, token_figure
from huggin.nodes import ranked_nodes
from huggin.recording import Recording, Site

COLOURS = (START, END, GOLD)
COMPONENTS = {"self": "self-attention", "out": "output", "head": "what the head is given"}
Curve = tuple[str, np.ndarray, dict[str, Any]]  # label, values (tokens,), colour and style


def draw_answer(
    *runs: Recording, node: int | None = None, rank_by: str = "percent", sample: int = 0
) -> dict[str, Figure]:
    """`node-logits` of `node`, or else the first of the ranking, and `answer-logits`, of the newest answer kept.

    Raises UserError where the runs' newest answers are to different questions.
    """
    answers = [read_answer(run.run) for run in runs]
    facts = [asdict(answer.facts) for answer in answers]
    refuse_other_texts(facts, "the newest answer (--step K is the tracked sample)", [str(run.run.path) for run in runs])
    nodes = _nodes(runs, node, rank_by, sample)
    what = f"an answer after {_joined(sorted(answer.facts.step for answer in answers))} steps"
    activations = [answer.activations for answer in answers]
    logits: list[list[Curve]] = [
        [
            ("start logit", answer.start_logits, {"color": START}),
            ("end logit", answer.end_logits, {"color": END, "linestyle": "--"}),
        ]
        for answer in answers
    ]
    title = "Start and end logits of the answer by token"
    return {
        figure_name("node-logits", runs): _node_figure(runs, facts, activations, nodes, what),
        figure_name("answer-logits", runs): _by_token(title, runs, facts, logits, ["logit"] * len(runs)),
    }


def draw_snapshot(
    *runs: Recording, step: int | None = None, node: int | None = None, rank_by: str = "percent", sample: int = 0
) -> dict[str, Figure]:
    """`node-logits-step-K` of a tracked sample at a snapshot of the training, the last one without `step`."""
    facts = same_sample(runs, sample)
    chosen = [step if step is not None else max(run.head_inputs(sample)) for run in runs]
    activations = [run.nodes(at, sample) for run, at in zip(runs, chosen, strict=True)]
    what = f"the tracked sample after {_joined(chosen)} steps"
    figure = _node_figure(runs, facts, activations, _nodes(runs, node, rank_by, sample), what)
    return {figure_name(f"node-logits-step-{chosen[0]}", runs, sample): figure}


def _joined(numbers: Iterable[int]) -> str:
    return " and ".join(map(str, dict.fromkeys(numbers)))


def _nodes(runs: Sequence[Recording], node: int | None, rank_by: str, sample: int) -> list[int]:
    return [int(ranked_nodes(run, node, rank_by, sample)[0]) for run in runs]


def end_sites(sites: Iterable[Site]) -> list[Site]:
    """First self-attention, last self-attention, what the head is given (most often the last output), where there."""
    known = sorted(sites)
    attentions = [site for site in known if site[1] == "self"]
    outputs = [site for site in known if site[1] == "head"] or [site for site in known if site[1] == "out"]
    return list(dict.fromkeys([*attentions[:1], *attentions[-1:], *outputs[-1:]]))


def _node_figure(
    runs: Sequence[Recording],
    facts: Sequence[dict[str, Any]],
    activations: Sequence[dict[Site, np.ndarray]],
    nodes: Sequence[int],
    what: str,
) -> Figure:
    """activations of a run: (tokens, hidden) by site."""
    curves = [_activations(*each) for each in zip(activations, nodes, strict=True)]
    ylabels = [f"activation of node {node}" for node in nodes]
    return _by_token(f"Node {_joined(nodes)} by token: {what}", runs, facts, curves, ylabels)


def _activations(activations: dict[Site, np.ndarray], node: int) -> list[Curve]:
    if any(node >= values.shape[1] for values in activations.values()):
        raise UserError(f"--node {node}: this answer is of a model with fewer nodes; run get-model-output again")
    return [
        (f"layer {site[0]}, {COMPONENTS[site[1]]}", activations[site][:, node].astype(np.float32), {"color": colour})
        for colour, site in zip(COLOURS, end_sites(activations))
    ]


def _by_token(
    title: str,
    runs: Sequence[Recording],
    facts: Sequence[dict[str, Any]],
    curves: Sequence[Sequence[Curve]],
    ylabels: Sequence[str],
) -> Figure:
    figure, parts = token_figure(title, facts, side_by_side(runs), rows=1, height=4.5)
    for views, each, ylabel in zip(parts, curves, ylabels, strict=True):
        for view, (axes,) in views:
            for label, values, look in each:
                seen = values[view.start : view.stop]
                axes.plot(view, seen, label=label, linewidth=1.2, marker=dots(len(view)), **look)
        views[0][1][0].set_ylabel(ylabel)
        legend_above(views[-1][1][0])
    same_scale(parts)
    return figure
