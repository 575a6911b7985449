"""Recording -> the head's weights: before and after, the change of each node, weights by step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.analysis.nodes import (
    TOP_RANKED,
    NodeChoice,
    Ranking,
    WeightChange,
    rank_nodes,
    weight_change,
)
from huggin.graphs import palette, style
from huggin.graphs.runs import figure_name, side_by_side
from huggin.recording.reader import Recording

SHIFTS = (6, -13, 15, -22)  # points from a node to its number, so that neighbours' are apart
LABELLED = 4  # ranked nodes that are named in a panel
BY_STEP = len(palette.SERIES)  # nodes whose weights are drawn by step
ENDS = (("start", palette.START), ("end", palette.END))  # the rows of the head's weight


def draw_weights(*runs: Recording, choice: NodeChoice = TOP_RANKED) -> dict[str, Figure]:
    """`weights`: after (top) and their change (bottom) by the weights before, a point per node.

    The first nodes of the ranking are named.
    """
    changes = [weight_change(run.steps) for run in runs]
    most = max(float(np.abs(change.absolute).max()) for change in changes)
    title = f"Weights of the head by node: none changed by more than {most:.2g}"
    figure = style.new_figure(7, 5 * len(runs), title)
    parts = figure.subfigures(len(runs), 1, squeeze=False)[:, 0]
    rankings = [rank_nodes(run, choice) for run in runs]
    for part, run, change, ranking in zip(
        parts, side_by_side(runs), changes, rankings, strict=True
    ):
        if run.name:
            part.suptitle(run.name, fontsize=10)
        _draw_run(part.subplots(2, 2, sharex=True, sharey="row"), change, ranking.nodes[:LABELLED])
    _note(figure, rankings, choice)
    return {figure_name("weights", runs, choice.sample): figure}


def draw_weights_over_time(*runs: Recording, choice: NodeChoice = TOP_RANKED) -> dict[str, Figure]:
    """`weights-over-time`: how far the weights of the first nodes have moved, a column per run.

    Each run has its own scale: the head of a pretrained model moves a hundred times less.
    """
    title = f"Change of the head's weights by step: the first {BY_STEP} nodes"
    figure = style.new_figure(7 * len(runs), 6, title)
    grid = figure.subplots(2, len(runs), squeeze=False, sharex="col").T
    rankings = [rank_nodes(run, choice) for run in runs]
    for run, ranking, panels in zip(side_by_side(runs), rankings, grid, strict=True):
        steps = run.recording.steps
        nodes = ranking.nodes[:BY_STEP].tolist()
        for row, axes in enumerate(panels):
            _draw_moves(axes, steps.step, steps.weight[:, row], nodes)
        title = f"start weights; number: node (weight at step {steps.step[0]})"
        panels[0].set_title(run.headline(f"{title}; ranked by {ranking.name}"))
        panels[1].set_title("end weights")
        panels[0].set_xlabel("")
    _note(figure, rankings, choice)
    return {figure_name("weights-over-time", runs, choice.sample): figure}


def _note(figure: Figure, rankings: Sequence[Ranking], choice: NodeChoice) -> None:
    """Add to the figure for which nodes it was drawn."""
    nodes = " and ".join(str(ranking.nodes[0]) for ranking in rankings)
    names = " and ".join(dict.fromkeys(ranking.name for ranking in rankings))
    style.say_drawn_for(figure, node=nodes, ranked_by=names, sample=choice.sample)


def _draw_run(grid: np.ndarray, change: WeightChange, nodes: np.ndarray) -> None:
    """Start weights on the left, end weights on the right; grid: (2, 2) panels."""
    for row, ((above, below), (name, colour)) in enumerate(zip(grid.T, ENDS, strict=True)):
        before = change.first[row]
        above.axline((0, 0), slope=1, color=palette.QUIET, linewidth=0.8, zorder=0)
        below.axhline(0, color=palette.QUIET, linewidth=0.8, zorder=0)
        for axes, values in ((above, change.last[row]), (below, change.absolute[row])):
            axes.plot(before, values, ".", color=colour, markersize=4, alpha=0.5)
            axes.margins(0.1)
            style.say_not_finite(axes, values)
        _name_nodes(below, before, change.absolute[row], nodes)
        above.set_title(f"{name} weights, a point per node")
        below.set_xlabel(f"after step {change.first_step:,} (grey lines: no change)")
        below.locator_params(axis="x", nbins=5)
    grid[0, 0].set_ylabel(f"after step {change.last_step:,}")
    grid[1, 0].set_ylabel("change")


def _name_nodes(axes: Axes, x: np.ndarray, y: np.ndarray, nodes: np.ndarray) -> None:
    """Write the numbers of nodes at rings around their points, each at another height.

    The first one is the tracked node.
    """
    known = [node for node in nodes if np.isfinite([x[node], y[node]]).all()]
    for place, node in enumerate(sorted(known, key=lambda node: x[node])):
        axes.plot(x[node], y[node], "o", markerfacecolor="none", color=palette.INK, markersize=6)
        look: Any = {"textcoords": "offset points", "ha": "center", "fontsize": 8}
        look["fontweight"] = "bold" if node == nodes[0] else "normal"
        axes.annotate(str(node), (x[node], y[node]), (0, SHIFTS[place % 4]), **look)


def _draw_moves(axes: Axes, step: np.ndarray, weight: np.ndarray, nodes: Sequence[int]) -> None:
    """How far some nodes' weights are from their first value; weight: (steps, hidden)."""
    moved = weight - weight[0]
    for node, colour in zip(nodes, palette.SERIES):
        label = f"{node} ({weight[0, node]:+.3f})"
        axes.plot(step, moved[:, node], color=colour, linewidth=1.2, label=label)
    axes.axhline(0, color=palette.QUIET, linewidth=0.6)
    style.by_step(axes, "change of weight")
    style.say_not_finite(axes, weight)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
