"""Recording -> figures of the head's weights: first and last step, the change of each node, weights by step."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.graphs.output import ACCENT, END, QUIET, START, by_step, legend_above, new_figure, say_not_finite, tidy
from huggin.graphs.runs import Beside, figure_name, side_by_side
from huggin.nodes import RANKINGS, WeightChange, ranked, ranked_nodes, ranking_values, weight_change
from huggin.recording import Recording

LABELLED = 3  # nodes named in a panel
TOP = 10  # nodes in the tables
BY_STEP = 6  # nodes whose weights are drawn by step


def draw_weights(
    *runs: Recording, node: int | None = None, rank_by: str = "percent", sample: int = 0
) -> dict[str, Figure]:
    """`weights` and `weight-change`, with the tracked node (`node`, or the first of the ranking) marked."""
    beside = side_by_side(runs)
    changes = [weight_change(run.steps) for run in runs]
    tracked = [int(ranked_nodes(run, node, rank_by, sample)[0]) for run in runs]
    weights, percents = _weights(beside, changes, tracked), _changes(beside, changes, tracked)
    return {figure_name("weights", runs, sample): weights, figure_name("weight-change", runs, sample): percents}


def draw_weights_over_time(
    *runs: Recording, node: int | None = None, rank_by: str = "percent", sample: int = 0
) -> dict[str, Figure]:
    """`weights-over-time`: the start and end weights of the first nodes of the ranking by step, a column per run."""
    title = f"Weights of the head by step: the first {BY_STEP} nodes by {rank_by}"
    figure = new_figure(7 * len(runs), 6, title)
    grid = figure.subplots(2, len(runs), squeeze=False, sharex="col", sharey="row")
    for run, panels in zip(side_by_side(runs), grid.T):
        steps = run.recording.steps
        for place, tracked in enumerate(ranked_nodes(run.recording, node, rank_by, sample)[:BY_STEP]):
            for row, axes in enumerate(panels):
                axes.plot(
                    steps.step, steps.weight[:, row, tracked], color=f"C{place}", linewidth=1.2, label=str(tracked)
                )
        panels[0].set_title(run.headline("start weights, by node"), **_look(run))
        panels[1].set_title("end weights, by node", fontsize=9, loc="left")
        for row, axes in enumerate(panels):
            by_step(axes, "weight")
            axes.axhline(0, color=QUIET, linewidth=0.6)
            say_not_finite(axes, steps.weight[:, row])
            legend_above(axes)
        panels[0].set_xlabel("")
    return {figure_name("weights-over-time", runs, sample): figure}


def table_of_nodes(recording: Recording, node: int | None = None, rank_by: str = "percent", sample: int = 0) -> str:
    """The top nodes of the ranking as text, the tracked one first."""
    change = weight_change(recording.steps)
    lines = [
        f"{'node':>6}  {'start first':>11} {'last':>9} {'change':>9} {'percent':>9}   "
        f"{'end first':>11} {'last':>9} {'change':>9} {'percent':>9}"
    ]
    for index in ranked_nodes(recording, node, rank_by, sample)[:TOP]:
        cells = [
            f"{change.first[row, index]:11.5f} {change.last[row, index]:9.5f} "
            f"{change.absolute[row, index]:+9.5f} {change.percent[row, index]:+8.1f}%"
            for row in (0, 1)
        ]
        lines.append(f"{index:6d}  " + "   ".join(cells))
    return "\n".join(lines)


def table_of_rankings(recording: Recording, node: int | None = None, rank_by: str = "percent", sample: int = 0) -> str:
    """The top nodes with their value and place in all four rankings, and how far these name the same nodes."""
    values = {name: ranking_values(recording, name, sample) for name in RANKINGS}
    order = {name: ranked(value) for name, value in values.items()}
    place = {name: np.argsort(nodes) + 1 for name, nodes in order.items()}
    lines = [f"{'node':>6}" + "".join(f"{name:>15} {'place':>6}" for name in RANKINGS)]
    for index in ranked_nodes(recording, node, rank_by, sample)[:TOP]:
        cells = [f"{_cell(name, values[name][index]):>15} {place[name][index]:6d}" for name in RANKINGS]
        lines.append(f"{index:6d}" + "".join(cells))
    lines.append(f"of the first {TOP} nodes by")
    for name in RANKINGS:
        shared = [
            f"{len({*order[name][:TOP]} & {*order[other][:TOP]})} by {other}" for other in RANKINGS if other != name
        ]
        lines.append(f"{name:>14}: {', '.join(shared)} too")
    return "\n".join(lines)


def _cell(ranking: str, value: float) -> str:
    return f"{value:+.1f}%" if ranking == "percent" else f"{value:+.5f}"


def _look(run: Beside) -> dict[str, object]:
    return {"fontsize": 9, "loc": "left", "color": run.colour, "parse_math": False}


def _weights(beside: Sequence[Beside], changes: Sequence[WeightChange], tracked: Sequence[int]) -> Figure:
    figure = new_figure(7 * len(beside), 5, "Weights of the head by node")
    grid = figure.subplots(2, len(beside), squeeze=False, sharex="col", sharey=True)
    for run, change, node, panels in zip(beside, changes, tracked, grid.T, strict=True):
        steps = ((change.first_step, change.first), (change.last_step, change.last))
        for axes, (step, weight) in zip(panels, steps, strict=True):
            _lines(axes, weight)
            say_not_finite(axes, weight)
            axes.axvline(node, color=ACCENT, linewidth=1, linestyle=":", zorder=0)
            axes.set_title(f"after step {step}", fontsize=10, loc="left")
            tidy(axes, "", "weight")
        if run.name:
            panels[0].set_title(run.headline(f"after step {change.first_step}"), **_look(run))
        legend_above(panels[0])
        panels[1].set_xlabel(f"node (hidden unit, not token); dotted: node {node}")
    return figure


def _changes(beside: Sequence[Beside], changes: Sequence[WeightChange], tracked: Sequence[int]) -> Figure:
    title = "Change of the head's weights"
    if len(beside) == 1:
        title += f" from step {changes[0].first_step} to step {changes[0].last_step}"
    figure = new_figure(7 * len(beside), 5, title)
    grid = figure.subplots(2, len(beside), squeeze=False, sharex="col", sharey="row")
    for run, change, node, panels in zip(beside, changes, tracked, grid.T, strict=True):
        for axes, values, unit in ((panels[0], change.percent, "change in %"), (panels[1], change.absolute, "change")):
            _lines(axes, values)
            _name_largest(axes, values, node)
            say_not_finite(axes, values)
            tidy(axes, "", unit)
            axes.margins(y=0.15)
        panels[0].set_title(run.headline("in percent of the first weight: huge where that was near 0"), **_look(run))
        panels[1].set_title("absolute, in the weight's own unit", fontsize=9, loc="left")
        legend_above(panels[0])
        panels[1].set_xlabel("node (hidden unit, not token)")
    return figure


def _lines(axes: Axes, values: np.ndarray) -> None:
    """values: (2, hidden), start and end."""
    for row, colour, label in ((0, START, "start"), (1, END, "end")):
        axes.plot(values[row], color=colour, linewidth=0.8, label=label, alpha=0.85)
    axes.axhline(0, color=QUIET, linewidth=0.6)


def _name_largest(axes: Axes, values: np.ndarray, tracked: int) -> None:
    """Write the numbers of the most changed nodes, and of the tracked one, at their peaks."""
    size = np.nan_to_num(np.abs(values))
    largest = np.argsort(-size.max(axis=0))[:LABELLED]
    for node in dict.fromkeys([tracked, *largest.tolist()]):
        row = int(size[:, node].argmax())
        value = values[row, node]
        if np.isfinite(value):
            colour = ACCENT if node == tracked else "black"
            place = (0, 4 if value >= 0 else -11)
            axes.annotate(
                str(node), (node, value), place, textcoords="offset points", ha="center", fontsize=8, color=colour
            )
