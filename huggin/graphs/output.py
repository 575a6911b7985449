"""What the graph commands share: their arguments, the look of a figure, figures -> files."""

import os
import warnings
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggin.door import DoorParser, UserError
from huggin.files import replacing
from huggin.run_folder import RunFolder

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

START, END = "#0072B2", "#D55E00"  # Okabe and Ito's blue and vermilion, told apart by the colour-blind
GOLD, ACCENT, QUIET = "#009E73", "#CC79A7", "#8c8c8c"
FORMATS = ("png", "svg", "pdf")
DPI = 160


def graph_parser(description: str, command: str) -> DoorParser:
    """Arguments of a graph command: RUN and others beside it, --format, --show."""
    parser = DoorParser(description, f"python {command} runs/sample --format png,svg")
    parser.add_argument("run", metavar="RUN", type=Path, help="a run's folder: cfg.json's output_dir")
    parser.add_argument("more", metavar="RUN", nargs="*", type=Path, help="runs to draw beside it")
    parser.add_argument("--format", default="png", help="png, svg, pdf, or several with commas (png)")
    parser.add_argument("--show", action="store_true", help="open the figures in windows too")
    return parser


def choose_node(parser: DoorParser, default: str | None = "percent") -> None:
    """Arguments that choose the tracked node: --node, --rank-by."""
    rankings = "percent or absolute change of weight, share in the tracked sample's margin, or share-change (percent)"
    parser.add_argument("--node", type=int, help="the tracked node (the first of the ranking)")
    parser.add_argument("--rank-by", default=default, metavar="WHAT", help=f"rank the nodes by {rankings}")


def choose_sample(parser: DoorParser, default: int | None = 0) -> None:
    """The argument --sample."""
    parser.add_argument("--sample", type=int, default=default, metavar="I", help="the tracked sample, 0 = the first")


def formats(args: Namespace) -> list[str]:
    """The file formats asked for. Raises UserError for one that is not known."""
    chosen = args.format.split(",")
    unknown = [name for name in chosen if name not in FORMATS]
    if unknown:
        raise UserError(f"--format {','.join(unknown)}: choose from {', '.join(FORMATS)}")
    return chosen


def new_figure(width: float, height: float, title: str) -> "Figure":
    """An empty figure, `width` x `height` inches; its title is plain text, never a formula."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold", parse_math=False)
    return figure


def by_step(axes: "Axes", ylabel: str) -> None:
    """Label axes whose x is the step, with whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    tidy(axes, "step", ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def say_not_finite(axes: "Axes", values: "np.ndarray") -> None:
    """Write into the axes how many of the values to be drawn are NaN or infinite, where some are."""
    import numpy as np

    broken = int((~np.isfinite(values)).sum())
    if broken:
        text = f"{broken} of {values.size} values are not finite"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=END)


def tidy(axes: "Axes", xlabel: str, ylabel: str) -> None:
    """Label the axes and take away what carries no information."""
    axes.set_xlabel(xlabel, parse_math=False)
    axes.set_ylabel(ylabel, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def legend_above(axes: "Axes", rows: int = 1) -> None:
    """The legend in one row, or more, above the axes' right end, where it covers no line."""
    columns = -(-len(axes.get_legend_handles_labels()[1]) // rows)
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
    axes.legend(fontsize=8, frameon=False, ncols=columns, **place)


def paths_beside(runs: list[Path]) -> str:
    """Where the other runs are, from the first one's folder, a line each."""
    return "\n".join(os.path.relpath(run.resolve(), runs[0].resolve()) for run in runs[1:])


def finish(figures: "dict[str, Figure]", args: Namespace) -> None:
    """Save each figure as RUN/graphs/NAME.FORMAT of the first run, print the paths, and show them where asked.

    A PNG of several runs carries which ones, as `paths_beside` has them, in its text `Runs`.
    """
    warnings.filterwarnings("ignore", message="Glyph .* missing")  # a token that no font here can write
    folder = RunFolder(args.run).graphs
    runs = {"Runs": paths_beside([args.run, *args.more])} if args.more else None
    for name, figure in figures.items():
        for extension in formats(args):
            path = folder / f"{name}.{extension}"
            with replacing(path) as beside:
                figure.savefig(beside, format=extension, dpi=DPI, metadata=runs if extension == "png" else None)
            print(path)
    if args.show:
        import matplotlib.pyplot as plt

        for figure in figures.values():
            plt.figure(figure)
        plt.show()
