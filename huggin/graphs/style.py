"""The look that all figures share: colours, axes and legends; and what a figure was drawn for."""

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator

from huggin.graphs import palette

FOR_AGAINST = LinearSegmentedColormap.from_list(
    "against-for", [palette.AGAINST, palette.PAPER, palette.FOR]
)
MINOR_LABELS = (1, 0.4)  # decades: only up to the first all ticks of a log scale have labels
LETTERS = 9.5  # of a title, an inch
FEW = 4  # points: fewer make bars, and no curve
MOST_DOTS = 110  # points of a line that is drawn with a dot at each
LOOK: Any = {
    "text.parse_math": False,  # questions, tokens and names of classes are never formulas
    "text.color": palette.INK,
    "axes.edgecolor": palette.INK,
    "axes.labelcolor": palette.INK,
    "xtick.color": palette.INK,
    "ytick.color": palette.INK,
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
    """An empty figure of `width` x `height` inches in the common look."""
    matplotlib.rcParams.update(LOOK)
    figure = Figure(figsize=(width, height), layout="constrained")
    lines = (textwrap.fill(line, int(LETTERS * width)) for line in title.splitlines())
    figure.suptitle("\n".join(lines), fontsize=12, fontweight="bold")
    return figure


def by_step(axes: Axes, ylabel: str) -> None:
    """Label axes whose x is the step, with whole numbers only."""
    axes.set(xlabel="step", ylabel=ylabel)
    whole(axes.xaxis)


def whole(axis: Axis) -> None:
    """Label an axis with whole numbers only, as `1,500`."""
    axis.set_major_locator(MaxNLocator(integer=True))
    axis.set_major_formatter("{x:,.0f}")


def dots(points: int) -> str:
    """The marker of a line: a dot at each point if there is room for them."""
    return "." if points <= MOST_DOTS else ""


def say_not_finite(axes: Axes, values: np.ndarray) -> None:
    """Write into the axes how many values are NaN or infinite, if any."""
    broken = int((~np.isfinite(values)).sum())
    if broken:
        text = f"{broken} of {values.size} values are not finite"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center")


def plain(number: float, _place: float = 0) -> str:
    """The label of a tick on a log scale: `0.01`; matplotlib's own needs formulas."""
    return f"{number:g}"


class PlainLog(LogFormatter):
    """`plain` labels of the ticks between powers of ten, where the scale has room for them."""

    def _num_to_string(self, x: float, *_limits: float) -> str:
        return plain(x)


def log_scale(axes: Axes) -> None:
    """Let y have a log scale with labels as `0.02`; formulas would be drawn as they are written."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_formatter(PlainLog(minor_thresholds=MINOR_LABELS))


def edges_of(centres: np.ndarray) -> np.ndarray:
    """The edges of a heat map's cells along one axis, (cells + 1,): each is around its centre."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middles = (centres[1:] + centres[:-1]) / 2
    ends = (2 * centres[0] - middles[0], 2 * centres[-1] - middles[-1])
    return np.concatenate([ends[:1], middles, ends[1:]])


def heat_map(
    axes: Axes, across: np.ndarray, up: np.ndarray, values: np.ndarray, colours: str, scale: Any
) -> QuadMesh:
    """Draw a heat map without grid lines; values: (rows, columns).

    across, up: the edges of the columns and of the rows. scale: a `Normalize`, or the least value
    of a log scale up to 1.
    """
    norm = scale if isinstance(scale, Normalize) else LogNorm(scale, 1, clip=True)
    axes.grid(visible=False)
    return axes.pcolormesh(across, up, values, cmap=colours, norm=norm, rasterized=True)


def add_log_colours(
    panels: Any, least: float, colours: str, label: str, aspect: float = 20
) -> None:
    """Explain colours from `least` to 1 beside panels. aspect: of the bar, its length by width."""
    scale = ScalarMappable(LogNorm(least, 1), colours)
    look: Any = {"label": label, "pad": 0.01, "aspect": aspect, "format": plain}
    panels[0].figure.colorbar(scale, ax=list(panels), **look)


def legend_above(axes: Axes, rows: int = 1) -> None:
    """Put the legend above the axes' right end, where it covers no line, in `rows` rows."""
    columns = -(-len(axes.get_legend_handles_labels()[1]) // rows)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=columns)


def same_limits(panels: Sequence[Axes]) -> None:
    """Give panels the same limits of y, so that they can be compared."""
    limits = np.array([axes.get_ylim() for axes in panels])
    for axes in panels:
        axes.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def say_drawn_for(figure: Figure, **facts: object) -> None:
    """Note what a figure shows, as `node 12, sample 0, step 1200`; a fact of None is left out.

    Its file carries the line in its metadata. matplotlib keeps a label for each figure and never
    draws it; here it holds that line.
    """
    known = [
        f"{name.replace('_', ' ')} {value}" for name, value in facts.items() if value is not None
    ]
    figure.set_label(", ".join(known))


def drawn_for(figure: Figure) -> str:
    """What `say_drawn_for` noted; "" if nothing was."""
    return str(figure.get_label())
