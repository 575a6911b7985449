"""Recording -> the activation of one node by token, and the logits of an answer.

"Node logits" is the older toolkit's name for a hidden unit's activation at every token.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from huggin.analysis.nodes import TOP_RANKED, NodeChoice, tracked_node
from huggin.common.errors import BadValue
from huggin.common.site import Site
from huggin.graphs.runs import figure_name, refuse_other_texts, same_sample, side_by_side
from huggin.graphs.style import END, LAYERS, START, dots, legend_above, say_drawn_for
from huggin.graphs.tokens import Shown, same_scale, token_figure
from huggin.recording.answer import AnswerInside, read_answer
from huggin.recording.reader import Recording

COMPONENTS = {"self": "self-attention", "out": "output", "head": "input of the QA head"}


@dataclass(frozen=True)
class Curve:
    """A line over the tokens."""

    name: str
    values: np.ndarray  # (tokens,)
    colour: str
    style: str = "-"


Panel = tuple[str, list[Curve]]  # the label of its y-axis, and its lines


def draw_answer(*runs: Recording, choice: NodeChoice = TOP_RANKED) -> dict[str, Figure]:
    """`node-logits` of the chosen node, and `answer-logits`, of the newest answer of each run.

    Raises UserError if the runs' newest answers are to different questions.
    """
    answers = [read_answer(run.run) for run in runs]
    facts = [answer.facts for answer in answers]
    nodes = [tracked_node(run, choice) for run in runs]
    refuse_other_texts([each.window for each in facts], "the newest answer", runs)
    steps = sorted(each.step for each in facts)
    shown = [Shown(each.window, True, each.start, each.end) for each in facts]
    title = f"Node {_joined(nodes)} by token: an answer after {_joined(steps)} steps"
    panels = [
        _node_panel(answer.activations, node) for answer, node in zip(answers, nodes, strict=True)
    ]
    activations = _by_token(title, runs, shown, panels)
    say_drawn_for(activations, node=_joined(nodes), step=_joined(steps))
    title = "Start and end logits of the answer by token"
    logits = _by_token(title, runs, shown, [_logits_panel(answer) for answer in answers])
    say_drawn_for(logits, step=_joined(steps))
    return {
        figure_name("node-logits", runs): activations,
        figure_name("answer-logits", runs): logits,
    }


def draw_snapshot(
    *runs: Recording, step: int | None = None, choice: NodeChoice = TOP_RANKED
) -> dict[str, Figure]:
    """`node-logits-step-K` of a tracked sample at a node snapshot, the last one without `step`."""
    sample = choice.sample
    shown = [Shown(window) for window in same_sample(runs, sample)]
    nodes = [tracked_node(run, choice) for run in runs]
    steps = [step if step is not None else max(run.head_inputs(sample)) for run in runs]
    panels = [
        _node_panel(run.nodes(at, sample), node)
        for run, at, node in zip(runs, steps, nodes, strict=True)
    ]
    title = f"Node {_joined(nodes)} by token: the tracked sample after {_joined(steps)} steps"
    figure = _by_token(title, runs, shown, panels)
    say_drawn_for(figure, node=_joined(nodes), sample=sample, step=_joined(steps))
    return {figure_name(f"node-logits-step-{steps[0]}", runs, sample): figure}


def _joined(numbers: Iterable[int]) -> str:
    """Numbers in words, each once."""
    return " and ".join(map(str, dict.fromkeys(numbers)))


def end_sites(sites: Iterable[Site]) -> list[Site]:
    """The sites drawn: first and last self-attention and the head's input, of those recorded."""
    known = sorted(sites)
    attentions = [site for site in known if site.component == "self"]
    outputs = [site for site in known if site.component == "head"]
    outputs = outputs or [site for site in known if site.component == "out"]
    return list(dict.fromkeys([*attentions[:1], *attentions[-1:], *outputs[-1:]]))


def _node_panel(activations: dict[Site, np.ndarray], node: int) -> Panel:
    """activations: (tokens, hidden) by site."""
    if any(node >= values.shape[1] for values in activations.values()):
        raise BadValue("node", node, "this answer is of a model with fewer nodes; ask it again")
    curves = [
        Curve(
            f"layer {site.layer}, {COMPONENTS[site.component]}",
            activations[site][:, node].astype(np.float32),
            colour,
        )
        for colour, site in zip(LAYERS, end_sites(activations))
    ]
    return f"activation of node {node}", curves


def _logits_panel(answer: AnswerInside) -> Panel:
    start = Curve("start logit", answer.start_logits, START)
    end = Curve("end logit", answer.end_logits, END, "--")
    return "logit", [start, end]


def _by_token(
    title: str, runs: Sequence[Recording], shown: Sequence[Shown], panels: Sequence[Panel]
) -> Figure:
    figure, parts = token_figure(title, shown, side_by_side(runs), rows=1, height=4.5)
    for views, (ylabel, curves) in zip(parts, panels, strict=True):
        for view in views:
            for curve in curves:
                view.panels[0].plot(
                    view.tokens,
                    view.cut(curve.values),
                    color=curve.colour,
                    linestyle=curve.style,
                    label=curve.name,
                    linewidth=1.2,
                    marker=dots(len(view.tokens)),
                )
        views[0].panels[0].set_ylabel(ylabel)
        legend_above(views[-1].panels[0])
    same_scale(parts)
    return figure
