"""The look of all figures."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

START, END = (
    "#0072B2",
    "#D55E00",
)  # Okabe and Ito's blue and vermilion, told apart by the colour-blind
GOLD, ACCENT, QUIET = "#009E73", "#CC79A7", "#8c8c8c"
LOOK: Any = {
    "text.parse_math": False,  # questions, tokens and names of classes are never formulas
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
}


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure in the LOOK of all, `width` x `height` inches."""

    matplotlib.rcParams.update(LOOK)
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold")
    return figure


def by_step(axes: Axes, ylabel: str) -> None:
    """Label axes whose x is the step, with whole numbers only."""

    axes.set(xlabel="step", ylabel=ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def dots(points: int) -> str:
    """A line's marker: dots where there is room for them."""
    return "." if points <= 110 else ""


def say_not_finite(axes: Axes, values: np.ndarray) -> None:
    """Write into the axes how many of the values to be drawn are NaN or infinite, where some are."""

    broken = int((~np.isfinite(values)).sum())
    if broken:
        text = f"{broken} of {values.size} values are not finite"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=END)


def plain(number: float, _place: float = 0) -> str:
    """The label of a tick on a log scale: `0.01`; matplotlib's own needs formulas."""
    return f"{number:g}"


def legend_above(axes: Axes, rows: int = 1) -> None:
    """The legend in one row, or more, above the axes' right end, where it covers no line."""
    columns = -(-len(axes.get_legend_handles_labels()[1]) // rows)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=columns)
