"""Recording -> figures of the head's weights: first and last step, and the change of each node."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.graphs.output import ACCENT, END, QUIET, START, legend_above, new_figure, say_not_finite, tidy
from huggin.nodes import WeightChange, tracked_first, weight_change
from huggin.recording import Recording

LABELLED = 3  # nodes named in a panel
TOP = 10  # nodes in the table


def draw_weights(recording: Recording, node: int | None = None) -> dict[str, Figure]:
    """`weights` and `weight-change`, with the tracked node (`node`, or the most changed) marked."""
    change = weight_change(recording.steps)
    tracked = int(tracked_first(change, node)[0])
    return {"weights": _weights(change, tracked), "weight-change": _changes(change, tracked)}


def table_of_nodes(recording: Recording, node: int | None = None) -> str:
    """The top nodes by percent change as text, the tracked one first."""
    change = weight_change(recording.steps)
    lines = [
        f"{'node':>6}  {'start first':>11} {'last':>9} {'change':>9} {'percent':>9}   "
        f"{'end first':>11} {'last':>9} {'change':>9} {'percent':>9}"
    ]
    for index in tracked_first(change, node)[:TOP]:
        cells = [
            f"{change.first[row, index]:11.5f} {change.last[row, index]:9.5f} "
            f"{change.absolute[row, index]:+9.5f} {change.percent[row, index]:+8.1f}%"
            for row in (0, 1)
        ]
        lines.append(f"{index:6d}  " + "   ".join(cells))
    return "\n".join(lines)


def _weights(change: WeightChange, tracked: int) -> Figure:
    figure = new_figure(7, 5, "Weights of the head by node")
    panels = figure.subplots(2, 1, sharex=True, sharey=True)
    for axes, step, weight in (
        (panels[0], change.first_step, change.first),
        (panels[1], change.last_step, change.last),
    ):
        _lines(axes, weight)
        say_not_finite(axes, weight)
        axes.axvline(tracked, color=ACCENT, linewidth=1, linestyle=":", zorder=0)
        axes.set_title(f"after step {step}", fontsize=10, loc="left")
        tidy(axes, "", "weight")
    legend_above(panels[0])
    panels[1].set_xlabel(f"node (hidden unit, not token); dotted: node {tracked}")
    return figure


def _changes(change: WeightChange, tracked: int) -> Figure:
    title = f"Change of the head's weights from step {change.first_step} to step {change.last_step}"
    figure = new_figure(7, 5, title)
    panels = figure.subplots(2, 1, sharex=True)
    for axes, values, unit in ((panels[0], change.percent, "change in %"), (panels[1], change.absolute, "change")):
        _lines(axes, values)
        _name_largest(axes, values, tracked)
        say_not_finite(axes, values)
        tidy(axes, "", unit)
        axes.margins(y=0.15)
    panels[0].set_title("in percent of the first weight: huge where that was near 0", fontsize=9, loc="left")
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
