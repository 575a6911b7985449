"""Arguments that the commands that draw have in common."""

import importlib
import importlib.util
import os
from contextlib import chdir
from pathlib import Path
from typing import Any

import huggin
from huggin.common.cli import CommandParser
from huggin.common.errors import UserError
from huggin.common.streams import warn

FORMATS = ("png", "svg", "pdf")


def graph_parser(description: str, command: str) -> CommandParser:
    """A parser with the arguments of every graph command: RUN ..., --format and --show."""
    parser = CommandParser(description, f"{command} runs/sample --format png,svg")
    add_runs(parser, "runs to draw beside it")
    add_saving(parser)
    return parser


def draw(
    program: str,
    kind: str,
    *,
    run: Path,
    beside: list[Path],
    format: list[str],
    show: bool,
    **choices: Any,
) -> int:
    """Draw the figures of a kind by the arguments of `graph_parser`, and the kind's own.

    Saves them in RUN/graphs and prints their paths and tables. Returns the exit code.
    """
    load_matplotlib()
    figures = huggin.figures(run, kind, beside, **choices)
    figures.save(formats=format)
    for note in figures.notes:
        warn(f"{program}: {note}")
    if show:
        figures.show()
    return 0


def compose(program: str, **choices: Any) -> int:
    """Write a PDF by the arguments of `huggin.pdf` and print its path. Returns the exit code."""
    load_matplotlib()
    made = huggin.pdf(**choices)
    for note in made.notes:
        warn(f"{program}: {note}")
    print(made.path)
    return 0


def add_saving(parser: CommandParser) -> None:
    """Add the arguments --format and --show."""
    parser.add_argument(
        "--format",
        type=_formats,
        default=["png"],
        metavar="FORMATS",
        help="png, svg or pdf, or several of them separated by commas (default: png)",
    )
    add_show_option(parser)


def add_run(parser: CommandParser) -> None:
    """Add the argument RUN."""
    run = "a run's folder: output_dir in cfg.json"
    parser.add_argument("run", metavar="RUN", type=Path, help=run)


def add_runs(parser: CommandParser, what_for: str) -> None:
    """Add the arguments RUN ...: one run, and others beside it."""
    add_run(parser)
    parser.add_argument("beside", metavar="RUN", nargs="*", type=Path, help=what_for)


def _formats(text: str) -> list[str]:
    """Names separated by commas as a list. Raises UserError for a format that is not known."""
    names = text.split(",")
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise UserError(f"--format {','.join(unknown)}: choose from {', '.join(FORMATS)}")
    return names


def add_show_option(parser: CommandParser) -> None:
    """Add the argument --show."""
    shown = "also open the figures in windows, if there is a screen (default: only save them)"
    parser.add_argument("--show", action="store_true", help=shown)


def choose_node(parser: CommandParser) -> None:
    """Add the arguments that choose the tracked node: --node and --rank-by."""
    parser.add_argument(
        "--node", type=int, metavar="N", help="node to track (default: the top-ranked one)"
    )
    parser.add_argument(
        "--rank-by",
        metavar="WHAT",
        help="rank the nodes by the percent or absolute change of their weights, by their share in "
        "the tracked sample's margin, or by share-change, the change of that share "
        "(default: share, or absolute if the recording has no node snapshots)",
    )


def choose_sample(parser: CommandParser, default: int | None = 0) -> None:
    """Add the argument --sample."""
    parser.add_argument(
        "--sample",
        type=int,
        default=default,
        metavar="I",
        help="number of the tracked sample, 0 is the first (default: 0)",
    )


def choose_page(parser: CommandParser) -> None:
    """Add the arguments of a page: --node, --rank-by, --sample and --out."""
    choose_node(parser)
    choose_sample(parser)
    choose_folder(parser)


def choose_folder(parser: CommandParser) -> None:
    """Add the argument --out."""
    parser.add_argument(
        "--out",
        dest="folder",
        metavar="DIR",
        type=Path,
        default=Path("gv-graphs"),
        help="folder to write to (default: gv-graphs)",
    )


def choose_if_needed(parser: CommandParser, what: str) -> None:
    """Add the argument --if-needed. what: is kept, such as `a PDF`."""
    kept = f"keep {what} of these runs that is newer than their training, and print its path"
    parser.add_argument("--if-needed", action="store_true", help=kept)


def load_matplotlib() -> None:
    """Import matplotlib with its own settings, so that figures look the same everywhere.

    It takes the first file of the name matplotlibrc that it finds, and looks in the current folder
    first. That is its own folder here, as another file may be unreadable or break a figure.
    It cannot be imported either if MPLBACKEND names a backend that it does not know, and a
    notebook names one of its own. Saving a figure needs no backend, so the variable is hidden
    from the import, and is what it was afterwards.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    spec = importlib.util.find_spec("matplotlib")
    assert spec
    assert spec.origin
    try:
        with chdir(Path(spec.origin).parent / "mpl-data"):
            importlib.import_module("matplotlib")
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
