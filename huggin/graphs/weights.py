"""Recording -> figures of the head's weights: first and last step, the change of each node, weights by step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.analysis.nodes import (
    BY_PERCENT,
    RANKINGS,
    NodeChoice,
    WeightChange,
    ranked,
    ranked_nodes,
    ranking_values,
    tracked_node,
    weight_change,
)
from huggin.graphs.runs import Beside, figure_name, side_by_side
from huggin.graphs.style import (
    ACCENT,
    END,
    QUIET,
    START,
    by_step,
    legend_above,
    new_figure,
    say_not_finite,
)
from huggin.recording.reader import Recording

LABELLED = 3  # nodes named in a panel
TOP = 10  # nodes in the tables
BY_STEP = 6  # nodes whose weights are drawn by step
CELLS = "{:11.5f} {:9.5f} {:+9.5f} {:+8.1f}%"  # of the table: first, last, change, percent


def draw_weights(*runs: Recording, choice: NodeChoice = BY_PERCENT) -> dict[str, Figure]:
    """`weights` and `weight-change`, with the tracked node (`node`, or the first of the ranking) marked."""
    beside = side_by_side(runs)
    changes = [weight_change(run.steps) for run in runs]
    tracked = [tracked_node(run, choice) for run in runs]
    figures = {
        "weights": _weights(beside, changes, tracked),
        "weight-change": _changes(beside, changes, tracked),
    }
    return {figure_name(name, runs, choice.sample): figure for name, figure in figures.items()}


def draw_weights_over_time(*runs: Recording, choice: NodeChoice = BY_PERCENT) -> dict[str, Figure]:
    """`weights-over-time`: the start and end weights of the first nodes of the ranking by step, a column per run."""
    figure, grid = _columns(
        len(runs), 6, f"Weights of the head by step: the first {BY_STEP} nodes by {choice.rank_by}"
    )
    for run, panels in zip(side_by_side(runs), grid, strict=True):
        steps = run.recording.steps
        shown = ranked_nodes(run.recording, choice)[:BY_STEP]
        for row, axes in enumerate(panels):
            axes.plot(
                steps.step, steps.weight[:, row, shown], linewidth=1.2, label=list(map(str, shown))
            )
            axes.axhline(0, color=QUIET, linewidth=0.6)
            by_step(axes, "weight")
            say_not_finite(axes, steps.weight[:, row])
            legend_above(axes)
        panels[0].set_title(run.headline("start weights, by node"), color=run.colour)
        panels[1].set_title("end weights, by node")
        panels[0].set_xlabel("")
    return {figure_name("weights-over-time", runs, choice.sample): figure}


def table_of_nodes(recording: Recording, choice: NodeChoice = BY_PERCENT) -> str:
    """The top nodes of the ranking as text, the tracked one first."""
    change = weight_change(recording.steps)
    numbers = np.stack(
        [change.first, change.last, change.absolute, change.percent], axis=-1
    )  # (2, hidden, 4)
    names = [
        f"{end + ' first':>11} {'last':>9} {'change':>9} {'percent':>9}" for end in ("start", "end")
    ]
    lines = [f"{'node':>6}  " + "   ".join(names)]
    for index in ranked_nodes(recording, choice)[:TOP]:
        lines.append(
            f"{index:6d}  " + "   ".join(CELLS.format(*half) for half in numbers[:, index])
        )
    return "\n".join(lines)


def table_of_rankings(recording: Recording, choice: NodeChoice = BY_PERCENT) -> str:
    """The top nodes with their value and place in all four rankings, and how far these name the same nodes."""
    values = {name: ranking_values(recording, name, choice.sample) for name in RANKINGS}
    order = {name: ranked(value) for name, value in values.items()}
    place = {name: np.argsort(nodes) + 1 for name, nodes in order.items()}
    lines = [f"{'node':>6}" + "".join(f"{name:>15} {'place':>6}" for name in RANKINGS)]
    for index in ranked_nodes(recording, choice)[:TOP]:
        cells = [
            f"{_cell(name, values[name][index]):>15} {place[name][index]:6d}" for name in RANKINGS
        ]
        lines.append(f"{index:6d}" + "".join(cells))
    lines.append(f"of the first {TOP} nodes by")
    top = {name: set(nodes[:TOP].tolist()) for name, nodes in order.items()}
    for name in RANKINGS:
        shared = [
            f"{len(top[name] & top[other])} by {other}" for other in RANKINGS if other != name
        ]
        lines.append(f"{name:>14}: {', '.join(shared)} too")
    return "\n".join(lines)


def _cell(ranking: str, value: float) -> str:
    return f"{value:+.1f}%" if ranking == "percent" else f"{value:+.5f}"


def _columns(
    runs: int, height: float, title: str, sharey: Any = "row"
) -> tuple[Figure, np.ndarray]:
    """A figure, and a pair of panels, one above the other, per run: (runs, 2)."""
    figure = new_figure(7 * runs, height, title)
    return figure, figure.subplots(2, runs, squeeze=False, sharex="col", sharey=sharey).T


def _weights(
    beside: Sequence[Beside], changes: Sequence[WeightChange], tracked: Sequence[int]
) -> Figure:
    figure, grid = _columns(len(beside), 5, "Weights of the head by node", sharey=True)
    for run, change, node, panels in zip(beside, changes, tracked, grid, strict=True):
        for axes, weight in zip(panels, (change.first, change.last), strict=True):
            _lines(axes, weight, "weight")
            axes.axvline(node, color=ACCENT, linewidth=1, linestyle=":", zorder=0)
        panels[0].set_title(run.headline(f"after step {change.first_step}"), color=run.colour)
        panels[1].set_title(f"after step {change.last_step}")
        legend_above(panels[0])
        panels[1].set_xlabel(f"node (hidden unit, not token); dotted: node {node}")
    return figure


def _changes(
    beside: Sequence[Beside], changes: Sequence[WeightChange], tracked: Sequence[int]
) -> Figure:
    title = "Change of the head's weights"
    if len(beside) == 1:
        title += f" from step {changes[0].first_step} to step {changes[0].last_step}"
    figure, grid = _columns(len(beside), 5, title)
    for run, change, node, panels in zip(beside, changes, tracked, grid, strict=True):
        for axes, values, unit in (
            (panels[0], change.percent, "change in %"),
            (panels[1], change.absolute, "change"),
        ):
            _lines(axes, values, unit)
            _name_largest(axes, values, node)
            axes.margins(y=0.15)
        panels[0].set_title(
            run.headline("in percent of the first weight: huge where that was near 0"),
            color=run.colour,
        )
        panels[1].set_title("absolute, in the weight's own unit")
        legend_above(panels[0])
        panels[1].set_xlabel("node (hidden unit, not token)")
    return figure


def _lines(axes: Axes, values: np.ndarray, unit: str) -> None:
    """values: (2, hidden), start and end."""
    for row, colour, label in ((0, START, "start"), (1, END, "end")):
        axes.plot(values[row], color=colour, linewidth=0.8, label=label, alpha=0.85)
    axes.axhline(0, color=QUIET, linewidth=0.6)
    axes.set_ylabel(unit)
    say_not_finite(axes, values)


def _name_largest(axes: Axes, values: np.ndarray, tracked: int) -> None:
    """Write the numbers of the most changed nodes, and of the tracked one, at their peaks."""
    size = np.nan_to_num(np.abs(values))
    largest = np.argsort(-size.max(axis=0))[:LABELLED]
    for node in dict.fromkeys([tracked, *largest.tolist()]):
        value = values[size[:, node].argmax(), node]
        if np.isfinite(value):
            colour = ACCENT if node == tracked else "black"
            place = (0, 4 if value >= 0 else -11)
            axes.annotate(
                str(node),
                (node, value),
                place,
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=colour,
            )
