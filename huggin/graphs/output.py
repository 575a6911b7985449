"""What the commands that draw share: arguments, the look of a figure, figures -> files."""

import os
import warnings
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggin.door import DoorParser, UserError, printable
from huggin.files import replacing
from huggin.run_folder import RunFolder

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

START, END = "#0072B2", "#D55E00"  # Okabe and Ito's blue and vermilion, told apart by the colour-blind
GOLD, ACCENT, QUIET = "#009E73", "#CC79A7", "#8c8c8c"
DPI = 160
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


def graph_parser(description: str, command: str) -> DoorParser:
    """Arguments of a graph command: RUN and others beside it, --format, --show."""
    parser = DoorParser(description, f"python {command} runs/sample --format png,svg")
    parser.add_argument("run", metavar="RUN", type=Path, help="a run's folder: cfg.json's output_dir")
    parser.add_argument("more", metavar="RUN", nargs="*", type=Path, help="runs to draw beside it")
    parser.add_argument("--format", type=_formats, default="png", help="png, svg, pdf, or several with commas (png)")
    add_show_option(parser)
    return parser


def _formats(text: str) -> list[str]:
    unknown = [name for name in text.split(",") if name not in ("png", "svg", "pdf")]
    if unknown:
        raise UserError(f"--format {','.join(unknown)}: choose from png, svg, pdf")
    return text.split(",")


def add_show_option(parser: DoorParser) -> None:
    """The argument --show. A backend that a notebook, say, has set for itself would not be there for us."""
    os.environ.pop("MPLBACKEND", None)
    parser.add_argument("--show", action="store_true", help="open the figures in windows too")


def choose_node(parser: DoorParser, default: str | None = "percent") -> None:
    """Arguments that choose the tracked node: --node, --rank-by."""
    rankings = "percent or absolute change of weight, share in the tracked sample's margin, or share-change (percent)"
    parser.add_argument("--node", type=int, help="the tracked node (the first of the ranking)")
    parser.add_argument("--rank-by", default=default, metavar="WHAT", help=f"rank the nodes by {rankings}")


def choose_sample(parser: DoorParser, default: int | None = 0) -> None:
    """The argument --sample."""
    parser.add_argument("--sample", type=int, default=default, metavar="I", help="the tracked sample, 0 = the first")


def new_figure(width: float, height: float, title: str) -> "Figure":
    """An empty figure in the LOOK of all, `width` x `height` inches."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(LOOK)
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold")
    return figure


def by_step(axes: "Axes", ylabel: str) -> None:
    """Label axes whose x is the step, with whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axes.set(xlabel="step", ylabel=ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def dots(points: int) -> str:
    """A line's marker: dots where there is room for them."""
    return "." if points <= 110 else ""


def say_not_finite(axes: "Axes", values: "np.ndarray") -> None:
    """Write into the axes how many of the values to be drawn are NaN or infinite, where some are."""
    import numpy as np

    broken = int((~np.isfinite(values)).sum())
    if broken:
        text = f"{broken} of {values.size} values are not finite"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=END)


def legend_above(axes: "Axes", rows: int = 1) -> None:
    """The legend in one row, or more, above the axes' right end, where it covers no line."""
    columns = -(-len(axes.get_legend_handles_labels()[1]) // rows)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=columns)


def paths_beside(runs: list[Path]) -> str:
    """Where the other runs are, from the first one's folder, a line each."""
    return "\n".join(os.path.relpath(run.resolve(), runs[0].resolve()) for run in runs[1:])


def finish(figures: "Mapping[str, Figure]", args: Namespace) -> None:
    """Save each figure in RUN/graphs of the first run."""
    save_figures(figures, RunFolder(args.run).graphs, args.show, args.format, paths_beside([args.run, *args.more]))


def save_figures(
    figures: "Mapping[str, Figure]", folder: Path, show: bool, formats: Sequence[str] = ("png",), runs: str = ""
) -> None:
    """Save each figure as FOLDER/NAME.FORMAT, print the paths, and show them where asked.

    runs: what `paths_beside` says; a PNG of several carries it in its text `Runs`.
    """
    warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name that no font here can write
    for name, figure in figures.items():
        for extension in formats:
            path = folder / f"{name}.{extension}"
            with replacing(path) as beside:
                texts = {"Runs": runs} if runs and extension == "png" else None
                figure.savefig(beside, format=extension, dpi=DPI, metadata=texts)
            print(printable(str(path)))
    if show:
        import matplotlib.pyplot as plt

        for figure in figures.values():
            plt.figure(figure)
        plt.show()
