"""Recording -> single nodes: their activation by token, and their shares in a sample's logits.

"Node logits" is the older toolkit's name for a hidden unit's activation at every token.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure, SubFigure

from huggin.analysis.lens import snapshot_of_answer
from huggin.analysis.nodes import (
    TOP_RANKED,
    NodeChoice,
    nodes_for_half,
    rank_nodes,
    snapshots,
    tracked_node,
)
from huggin.common.errors import BadValue, UserError
from huggin.common.site import Site
from huggin.common.text import short
from huggin.common.window import Window
from huggin.graphs import palette, style
from huggin.graphs.runs import Beside, figure_name, refuse_other_texts, same_sample, side_by_side
from huggin.graphs.tokens import Shown, same_scale, token_figure
from huggin.recording.answer import AnswerInside, read_answer
from huggin.recording.reader import Recording

COMPONENTS = {"self": "self-attention", "out": "output", "head": "input of the QA head"}
EACH_WAY = 6  # nodes drawn of those that push up, and of those that push down
BY_STEP = 6  # nodes drawn by step
PALE = 0.45  # opacity of a bar below 0


Curve = tuple[np.ndarray, dict[str, Any]]  # a line over the tokens (tokens,), and how it looks


def draw_answer(*runs: Recording, choice: NodeChoice = TOP_RANKED) -> dict[str, Figure]:
    """`node-logits` of the chosen node, and `answer-logits`, of the newest answer of each run.

    Raises UserError if the runs' newest answers are to different questions.
    """
    answers = [read_answer(run.run) for run in runs]
    facts = [answer.facts for answer in answers]
    pairs = zip(runs, answers, strict=True)
    nodes = [node_of_answer(run, answer, choice) for run, answer in pairs]
    refuse_other_texts([each.window for each in facts], "the newest answer", runs)
    step = _joined(sorted(each.step for each in facts))
    shown = [Shown(each.window, True, each.start, each.end) for each in facts]
    title = f"Node {_joined(nodes)} by token: an answer after {step} steps"
    kept = [answer.activations for answer in answers]
    activations = _of_nodes(title, runs, shown, nodes, kept)
    style.say_drawn_for(activations, node=_joined(nodes), step=step)
    curves = [
        [
            (answer.start_logits, {"label": "start logit", "color": palette.START}),
            (answer.end_logits, {"label": "end logit", "color": palette.END, "linestyle": "--"}),
        ]
        for answer in answers
    ]
    title = "Start and end logits of the answer by token"
    logits = _by_token(title, runs, shown, ["logit"] * len(runs), curves)
    style.say_drawn_for(logits, step=step)
    return {
        figure_name("node-logits", runs): activations,
        figure_name("answer-logits", runs): logits,
    }


def node_of_answer(recording: Recording, answer: AnswerInside, choice: NodeChoice) -> int:
    """The chosen node; without a choice the one that gives most to the answer's own margin."""
    if choice.node is None and choice.rank_by is None:
        with suppress(UserError):  # shares that are not known, or no rival
            found = snapshot_of_answer(recording, answer)
            explained = answer.facts.explained
            margin = found.margin_shares(explained.gold_start, found.rival(-1, explained))[-1]
            return int(margin.argmax())
    return tracked_node(recording, choice)


def draw_snapshot(
    *runs: Recording, step: int | None = None, choice: NodeChoice = TOP_RANKED
) -> dict[str, Figure]:
    """`node-logits-step-K` of a tracked sample at a node snapshot, the last one without `step`."""
    sample = choice.sample
    shown = [Shown(run.window) for run in same_sample(runs, sample)]
    nodes = [tracked_node(run, choice) for run in runs]
    steps = [step if step is not None else max(run.head_inputs(sample)) for run in runs]
    kept = [run.nodes(at, sample) for run, at in zip(runs, steps, strict=True)]
    title = f"Node {_joined(nodes)} by token: the tracked sample after {_joined(steps)} steps"
    figure = _of_nodes(title, runs, shown, nodes, kept)
    style.say_drawn_for(figure, node=_joined(nodes), sample=sample, step=_joined(steps))
    return {figure_name(f"node-logits-step-{steps[0]}", runs, sample): figure}


def _joined(numbers: Iterable[int]) -> str:
    """Numbers in words, each once."""
    return " and ".join(f"{number:,}" for number in dict.fromkeys(numbers))


def end_sites(sites: Iterable[Site]) -> list[Site]:
    """The sites drawn: first and last self-attention and the head's input, of those recorded."""
    known = sorted(sites)
    attentions = [site for site in known if site.component == "self"]
    outputs = [site for site in known if site.component == "head"]
    outputs = outputs or [site for site in known if site.component == "out"]
    return list(dict.fromkeys([*attentions[:1], *attentions[-1:], *outputs[-1:]]))


def _of_nodes(
    title: str,
    runs: Sequence[Recording],
    shown: Sequence[Shown],
    nodes: Sequence[int],
    activations: Sequence[dict[Site, np.ndarray]],
) -> Figure:
    """A node of each run by token; activations: of each run, (tokens, hidden) by site."""
    curves: list[list[Curve]] = [[] for _ in runs]
    for curve, node, kept in zip(curves, nodes, activations, strict=True):
        for colour, site in zip(palette.LAYERS, end_sites(kept)):
            if node >= kept[site].shape[1]:
                what = "this answer is of a model with fewer nodes; ask it again"
                raise BadValue("node", node, what)
            label = f"layer {site.layer}, {COMPONENTS[site.component]}"
            values = kept[site][:, node].astype(np.float32)
            curve.append((values, {"label": label, "color": colour}))
    labels = [f"activation of node {node}" for node in nodes]
    return _by_token(title, runs, shown, labels, curves)


def _by_token(
    title: str,
    runs: Sequence[Recording],
    shown: Sequence[Shown],
    labels: Sequence[str],
    curves_of_runs: Sequence[Sequence[Curve]],
) -> Figure:
    figure, parts = token_figure(title, shown, side_by_side(runs), rows=1, height=4.5)
    for views, label, curves in zip(parts, labels, curves_of_runs, strict=True):
        for view in views:
            for values, look in curves:
                view.plot(0, values, linewidth=1.2, **look)
        views[0].panels[0].set_ylabel(label)
        style.legend_above(views[-1].panels[0])
    same_scale(parts)
    return figure


def draw_shares(
    *runs: Recording, token: str | None = None, step: int | None = None, sample: int = 0
) -> dict[str, Figure]:
    """`shares` at a node snapshot, the last one without `step`: the largest ones and the rest.

    Three sums are drawn: the start logit of the true start, the end logit of the true end, and the
    margin of the true start over its best rival. With `token` (its text or its place) the logits
    are that token's, and the margin is over it. Raises BadValue for a token that is not there, and
    UserError as `nodes.snapshots` does.
    """
    beside = same_sample(runs, sample)
    places = [None if token is None else find_token(run.window.tokens, token) for run in beside]
    title = "Share of each node in the logits of the tracked sample: weight x activation"
    figure = style.new_figure(14, 5.5 * len(runs), title)
    parts = figure.subfigures(len(runs), 1, squeeze=False)[:, 0]
    steps = list(map(_draw_sums, parts, beside, places, [step] * len(runs)))
    style.say_drawn_for(figure, sample=sample, step=steps[0], token=places[0])
    of_token = "" if places[0] is None else f"-token-{places[0]}"
    of_step = "" if step is None else f"-step-{step}"
    return {figure_name(f"shares{of_token}{of_step}", runs, sample): figure}


def draw_shares_over_time(*runs: Recording, choice: NodeChoice = TOP_RANKED) -> dict[str, Figure]:
    """`shares-over-time`: the margin of the true start by step, and the shares of the first nodes.

    The rival is at every step the best one at the last snapshot.
    """
    figure = style.new_figure(12, 5 * len(runs), "Shares in the margin of the true start, by step")
    parts = figure.subfigures(len(runs), 1, squeeze=False)[:, 0]
    for part, run in zip(parts, same_sample(runs, choice.sample), strict=True):
        _draw_margin(part, run, choice)
    style.say_drawn_for(figure, sample=choice.sample, node=choice.node, ranked_by=choice.rank_by)
    return {figure_name("shares-over-time", runs, choice.sample): figure}


def find_token(tokens: Sequence[str], wanted: str) -> int:
    """The place of a token, given by its place, or by its text if that occurs only once.

    Raises BadValue if there is no such token, or if there are several.
    """
    if wanted.isdecimal() and int(wanted) < len(tokens):
        return int(wanted)
    places = [place for place, token in enumerate(tokens) if token == wanted]
    if len(places) > 1:
        several = ", ".join(map(str, places))
        raise BadValue("token", wanted, f"stands at the places {several}; name one of them")
    if not places:
        known = f"name one of its tokens, or a place, 0 to {len(tokens) - 1}"
        raise BadValue("token", wanted, f"not in the sample; {known}")
    return places[0]


def _draw_sums(part: SubFigure, run: Beside, token: int | None, step: int | None) -> int:
    """The three sums of a run, a column each; returns the step of the snapshot."""
    window = run.window
    found = snapshots(run.recording, run.sample)
    at = found.place(step)
    gold = window.gold_start
    rival = found.rival(at, window) if token in (None, gold) else token
    start, end = (gold, window.gold_end) if token is None else (token, token)
    title = run.headline(f"{short(window.question)}  After step {found.step[at]:,}.")
    part.suptitle(title, fontsize=10)
    columns = part.subplots(2, 3, height_ratios=[3, 1]).T
    columns[0, 0].set_title(f"start logit of {_name(window, start)}")
    columns[1, 0].set_title(f"end logit of {_name(window, end)}")
    columns[2, 0].set_title(f"start of {_name(window, gold)} over {_name(window, rival)}")
    start_bias, end_bias = found.bias[at].tolist()
    _draw_sum(columns[0], found.shares(0, start)[at], palette.START, start_bias)
    _draw_sum(columns[1], found.shares(1, end)[at], palette.END, end_bias)
    _draw_sum(columns[2], found.margin_shares(gold, rival)[at], palette.START)
    return int(found.step[at])


def _name(window: Window, token: int) -> str:
    return f"“{short(window.tokens[token], 16)}” ({token})"


def _draw_sum(
    panels: np.ndarray, shares: np.ndarray, colour: str, bias: float | None = None
) -> None:
    """Above, the largest shares; below, on a scale of its own, how everything adds up.

    shares: (hidden,). bias: None if it cancels out.
    """
    named_axes, sum_axes = panels
    style.say_not_finite(named_axes, shares)
    if not np.isfinite(shares).all():
        return
    order = np.argsort(-shares, kind="stable")
    up = [node for node in order[:EACH_WAY] if shares[node] > 0]
    down = [node for node in order[EACH_WAY:][-EACH_WAY:] if shares[node] < 0]
    named = [*up, *down]
    _draw_bars(named_axes, {f"node {node}": (shares[node], colour) for node in named})
    named_axes.set_xlabel(f"share ({nodes_for_half(shares)} nodes give half of what pushes up)")
    above = float(shares[named].sum())
    total = float(shares.sum())
    bars = {
        f"the {len(named)} nodes above": (above, colour),
        f"the other {len(shares) - len(named)} nodes": (total - above, palette.QUIET),
    }
    if bias is not None:
        bars["bias"] = (bias, palette.QUIET)
    _draw_bars(sum_axes, {**bars, "together": (total + (bias or 0.0), palette.INK)})


def _draw_bars(axes: Axes, bars: Mapping[str, tuple[float, str]]) -> None:
    """Horizontal bars from top to bottom; those below 0 are paler. bars: value, colour, by name."""
    values = [float(value) for value, _ in bars.values()]
    colours = [
        to_rgba(colour, PALE if value < 0 and colour != palette.INK else 1)
        for value, colour in bars.values()
    ]
    largest = max([1e-9, *map(abs, values)])
    digits = int(np.clip(2 - np.floor(np.log10(largest)), 0, 9))  # three of the largest value
    drawn = axes.barh(range(len(bars)), values, color=colours)
    axes.bar_label(drawn, fmt=f"{{:+.{digits}f}}", padding=3, fontsize=8)
    axes.set_yticks(range(len(bars)), list(bars), fontsize=8)
    axes.invert_yaxis()
    axes.locator_params(axis="x", nbins=5)
    axes.margins(x=0.25)  # room for the numbers
    axes.axvline(0, color=palette.QUIET, linewidth=0.6)
    axes.grid(visible=False)


def _draw_margin(part: SubFigure, run: Beside, choice: NodeChoice) -> None:
    """On the left how the margin adds up by step, on the right a small panel for each node."""
    found = snapshots(run.recording, choice.sample)
    gold = run.window.gold_start
    rival = found.rival(-1, run.window)
    shares = found.margin_shares(gold, rival)
    nodes = rank_nodes(run.recording, choice).nodes[:BY_STEP]
    left, right = part.subfigures(1, 2, squeeze=False, width_ratios=[5, 7])[0]
    axes = left.subplots()
    title = run.headline(f"{_name(run.window, gold)} over {_name(run.window, rival)}")
    axes.set_title(title + "\n")  # the legend's line
    _draw_together(axes, found.step, shares, nodes)
    panels = right.subplots(2, 3, sharex=True, sharey=True)
    _draw_each(list(panels.flat), found.step, shares, nodes)


def _draw_together(axes: Axes, step: np.ndarray, shares: np.ndarray, nodes: np.ndarray) -> None:
    """The margin, and what the chosen nodes and all others give to it; shares: (steps, hidden)."""
    margin = shares.sum(axis=1)
    chosen = shares[:, nodes].sum(axis=1)
    label = f"the {len(nodes)} nodes"
    axes.plot(
        step, chosen, color=palette.START, marker=style.dots(len(step)), linewidth=1.2, label=label
    )
    axes.plot(step, margin - chosen, color=palette.QUIET, linestyle="--", label="the others")
    axes.plot(step, margin, color=palette.INK, linewidth=1.8, label="margin")
    axes.axhline(0, color=palette.QUIET, linewidth=0.6)
    style.say_not_finite(axes, shares)
    style.legend_above(axes)
    style.by_step(axes, "share in the margin of start logits")


def _draw_each(
    panels: Sequence[Axes], step: np.ndarray, shares: np.ndarray, nodes: np.ndarray
) -> None:
    """Each chosen node's share in a panel of its own, the other chosen ones faint behind it."""
    for axes, node in zip(panels, nodes):
        axes.plot(step, shares[:, nodes], color=palette.QUIET, linewidth=0.6, alpha=0.4)
        axes.plot(
            step, shares[:, node], color=palette.START, marker=style.dots(len(step)), linewidth=1.5
        )
        axes.axhline(0, color=palette.QUIET, linewidth=0.6)
        axes.set_title(f"node {node}: {shares[0, node]:+.3f} to {shares[-1, node]:+.3f}")
        axes.tick_params(labelsize=8)
    for axes in panels[len(nodes) :]:
        axes.set_axis_off()
    for axes in panels[3:]:
        style.by_step(axes, "")
