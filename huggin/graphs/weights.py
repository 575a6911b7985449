"""Recording -> the head's weights: before and after, the change of each node, weights by step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from huggin.analysis.nodes import (
    TOP_RANKED,
    NodeChoice,
    Ranking,
    WeightChange,
    rank_nodes,
    weight_change,
)
from huggin.graphs.runs import Beside, figure_name, side_by_side
from huggin.graphs.style import (
    ACCENT,
    END,
    NODES,
    QUIET,
    START,
    by_step,
    legend_above,
    new_figure,
    say_drawn_for,
    say_not_finite,
)
from huggin.recording.reader import Recording

LABELLED = 4  # ranked nodes that are named in a panel
SMALL_HEAD = 128  # with more nodes the older toolkit's lines would cover each other
LINEAR = 100  # percent; the scale is linear up to here, and logarithmic above
BY_STEP = len(NODES)  # nodes whose weights are drawn by step
ENDS = (("start", START), ("end", END))  # the rows of the head's weight


def draw_weights(*runs: Recording, choice: NodeChoice = TOP_RANKED) -> dict[str, Figure]:
    """`weights` and `weight-change`, with the first nodes of the ranking named."""
    beside = side_by_side(runs)
    changes = [weight_change(run.steps) for run in runs]
    rankings = [rank_nodes(run, choice) for run in runs]
    named = [ranking.nodes[:LABELLED].tolist() for ranking in rankings]
    figures = {
        "weights": _weights(beside, changes, named),
        "weight-change": _changes(beside, changes, named),
    }
    for figure in figures.values():
        _note(figure, rankings, choice)
    return {figure_name(name, runs, choice.sample): figure for name, figure in figures.items()}


def draw_weights_over_time(*runs: Recording, choice: NodeChoice = TOP_RANKED) -> dict[str, Figure]:
    """`weights-over-time`: how far the weights of the first nodes have moved, a column per run."""
    title = f"Change of the head's weights by step: the first {BY_STEP} nodes"
    figure, grid = _columns(len(runs), 6, title)
    rankings = [rank_nodes(run, choice) for run in runs]
    for run, ranking, panels in zip(side_by_side(runs), rankings, grid, strict=True):
        steps = run.recording.steps
        nodes = ranking.nodes[:BY_STEP].tolist()
        for row, axes in enumerate(panels):
            _draw_moves(axes, steps.step, steps.weight[:, row], nodes)
        title = f"start weights; number: node (weight at step {steps.step[0]})"
        panels[0].set_title(run.headline(f"{title}; ranked by {ranking.name}"), color=run.colour)
        panels[1].set_title("end weights")
        panels[0].set_xlabel("")
    _note(figure, rankings, choice)
    return {figure_name("weights-over-time", runs, choice.sample): figure}


def _note(figure: Figure, rankings: Sequence[Ranking], choice: NodeChoice) -> None:
    """Add to the figure for which nodes it was drawn."""
    nodes = " and ".join(str(ranking.nodes[0]) for ranking in rankings)
    names = " and ".join(dict.fromkeys(ranking.name for ranking in rankings))
    say_drawn_for(figure, node=nodes, ranked_by=names, sample=choice.sample)


def _columns(runs: int, height: float, title: str) -> tuple[Figure, np.ndarray]:
    """A figure, and a pair of panels, one above the other, per run: (runs, 2).

    Each run has its own scale: the head of a pretrained model moves a hundred times less.
    """
    figure = new_figure(7 * runs, height, title)
    return figure, figure.subplots(2, runs, squeeze=False, sharex="col").T


def _weights(
    beside: Sequence[Beside], changes: Sequence[WeightChange], named: Sequence[list[int]]
) -> Figure:
    """Plot the weights after against those before; for a small head also the weights as lines."""
    figure = new_figure(7, 5 * len(beside), "Weights of the head by node")
    parts = figure.subfigures(len(beside), 1, squeeze=False)[:, 0]
    for part, run, change, nodes in zip(parts, beside, changes, named, strict=True):
        if run.name:
            part.suptitle(run.name, fontsize=10, color=run.colour)
        if change.first.shape[1] <= SMALL_HEAD:
            lines, points = part.subfigures(1, 2, squeeze=False, width_ratios=[4, 3])[0]
            _draw_lines(lines, change, nodes[0])
            _draw_afters(points.subplots(2, 1, sharex=True, sharey=True), change, nodes)
        else:
            _draw_scatter(part, change, nodes)
    return figure


def _draw_lines(part: SubFigure, change: WeightChange, tracked: int) -> None:
    """The older toolkit's picture: the weights of all nodes before and after."""
    panels = part.subplots(2, 1, sharex=True, sharey=True)
    for axes, weight, step in (
        (panels[0], change.first, change.first_step),
        (panels[1], change.last, change.last_step),
    ):
        for row, (name, colour) in enumerate(ENDS):
            axes.plot(weight[row], color=colour, linewidth=0.8, label=name, alpha=0.85)
        axes.axvline(tracked, color=ACCENT, linewidth=1, linestyle=":", zorder=0)
        axes.axhline(0, color=QUIET, linewidth=0.6)
        axes.set_ylabel("weight")
        axes.set_title(f"after step {step}")
        say_not_finite(axes, weight)
    legend_above(panels[0])
    panels[1].set_xlabel(f"node (hidden unit, not token); dotted: node {tracked}")


def _draw_scatter(part: Any, change: WeightChange, nodes: Sequence[int]) -> None:
    """Plot the weights after (top) and their changes (bottom) against the weights before."""
    grid = part.subplots(2, 2, sharex=True, sharey="row")
    _draw_afters(grid[0], change, nodes)
    for row, axes in enumerate(grid[1]):
        _draw_points(axes, change.first[row], change.absolute[row], ENDS[row][1], nodes)
        axes.axhline(0, color=QUIET, linewidth=0.8, zorder=0)
        axes.set_xlabel(f"after step {change.first_step} (grey lines: no change)")
        axes.set_ylabel("change")
    for axes in grid[0]:
        axes.set_xlabel("")


def _draw_afters(panels: Sequence[Axes], change: WeightChange, nodes: Sequence[int]) -> None:
    """Plot the weights after against those before: a panel for start, a panel for end."""
    for row, (axes, (name, colour)) in enumerate(zip(panels, ENDS, strict=True)):
        _draw_points(axes, change.first[row], change.last[row], colour, nodes)
        axes.axline((0, 0), slope=1, color=QUIET, linewidth=0.8, zorder=0)
        axes.set_title(f"{name} weights, a point per node")
        axes.set_ylabel(f"after step {change.last_step}")
    panels[-1].set_xlabel(f"after step {change.first_step} (grey: no change)")


def _draw_points(
    axes: Axes, x: np.ndarray, y: np.ndarray, colour: str, nodes: Sequence[int]
) -> None:
    axes.plot(x, y, ".", color=colour, markersize=4, alpha=0.5)
    axes.margins(0.1)
    _name_nodes(axes, x, y, nodes)
    say_not_finite(axes, y)


def _changes(
    beside: Sequence[Beside], changes: Sequence[WeightChange], named: Sequence[list[int]]
) -> Figure:
    """The change of each node's weights, absolute and in percent, as needles."""
    title = "Change of the head's weights"
    if len(beside) == 1:
        title += f" from step {changes[0].first_step} to step {changes[0].last_step}"
    figure, grid = _columns(len(beside), 5, title)
    for run, change, nodes, panels in zip(beside, changes, named, grid, strict=True):
        _draw_needles(panels[0], change.absolute, "change", nodes)
        _draw_needles(panels[1], change.percent, "change in %", nodes)
        panels[0].set_title(run.headline("absolute"), color=run.colour)
        panels[1].set_title("in percent of the first weight: huge if that was near 0")
        panels[1].set_yscale("symlog", linthresh=LINEAR)
        panels[1].yaxis.set_major_formatter("{x:,.0f}")
        legend_above(panels[0])
        panels[1].set_xlabel("node (hidden unit, not token)")
    return figure


def _draw_needles(axes: Axes, values: np.ndarray, unit: str, nodes: Sequence[int]) -> None:
    """A needle from 0 for each node; values: (2, hidden), start and end."""
    places = np.arange(values.shape[1])
    for row, (name, colour) in enumerate(ENDS):
        axes.vlines(places, 0, values[row], color=colour, linewidth=0.9, label=name, alpha=0.85)
    axes.axhline(0, color=QUIET, linewidth=0.6)
    axes.set_ylabel(unit)
    axes.margins(y=0.15)
    rows = np.nan_to_num(np.abs(values)).argmax(axis=0)
    _name_nodes(axes, places, values[rows, places], nodes)
    say_not_finite(axes, values)


def _name_nodes(axes: Axes, x: np.ndarray, y: np.ndarray, nodes: Sequence[int]) -> None:
    """Write the numbers of nodes at their points; the first one is the tracked node."""
    for place, node in enumerate(nodes):
        if not np.isfinite([x[node], y[node]]).all():
            continue
        axes.annotate(
            str(node),
            (x[node], y[node]),
            (0, 4 if y[node] >= 0 else -11),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=ACCENT if place == 0 else "black",
            fontweight="bold" if place == 0 else "normal",
        )


def _draw_moves(axes: Axes, step: np.ndarray, weight: np.ndarray, nodes: Sequence[int]) -> None:
    """How far some nodes' weights are from their first value; weight: (steps, hidden)."""
    moved = weight - weight[0]
    for node, colour in zip(nodes, NODES):
        label = f"{node} ({weight[0, node]:+.3f})"
        axes.plot(step, moved[:, node], color=colour, linewidth=1.2, label=label)
    axes.axhline(0, color=QUIET, linewidth=0.6)
    by_step(axes, "change of weight")
    say_not_finite(axes, weight)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
