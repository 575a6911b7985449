"""Arguments that the commands that draw have in common."""

import importlib
import importlib.util
import os
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import huggin
from huggin.common.cli import CommandParser
from huggin.common.errors import UserError
from huggin.common.progress import going_on
from huggin.common.streams import warn
from huggin.recording.run_folder import RunFolder

FORMATS = ("png", "svg", "pdf")


def formats(text: str) -> list[str]:
    """Names separated by commas as a list. Raises UserError for a format that is not known."""
    names = text.split(",")
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise UserError(f"--format {','.join(unknown)}: choose from {', '.join(FORMATS)}")
    return names


# what each means, and what CommandParser.option must know besides
OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "--format FORMATS": (
        "png, svg or pdf, or several of them separated by commas",
        {"default": "png", "type": formats},
    ),
    "--show": (
        "also open the figures in windows, if there is a screen (default: only save them)",
        {},
    ),
    "--node N": ("node to track (default: the top-ranked one)", {"type": int}),
    "--rank-by WHAT": (
        "rank the nodes by the percent or absolute change of their weights, by their share "
        "in the tracked sample's margin, or by share-change, the change of that share "
        "(default: share, or absolute if the recording has no node snapshots)",
        {},
    ),
    "--sample I": ("number of the tracked sample, 0 is the first", {"default": 0}),
    "--out DIR": (
        "folder to write to",
        {"default": Path("gv-graphs"), "type": Path, "dest": "folder"},
    ),
    "--if-needed": (
        "keep what was made of these runs since their training, and print its path",
        {},
    ),
}


def add_options(parser: CommandParser, *names: str) -> None:
    """Add some of OPTIONS, in their order."""
    for flag, (meaning, settings) in OPTIONS.items():
        if flag.split()[0] in names:
            parser.option(flag, meaning, **settings)


def add_run(parser: CommandParser) -> None:
    """Add the argument RUN."""
    about = "a run's folder: output_dir in cfg.json"
    parser.add_argument("run", metavar="RUN", type=Path, help=about)


def add_runs(parser: CommandParser, what_for: str) -> None:
    """Add the arguments RUN ...: one run, and others beside it."""
    add_run(parser)
    parser.add_argument("beside", metavar="RUN", nargs="*", type=Path, help=what_for)


def graph_parser(description: str, command: str, *options: str) -> CommandParser:
    """A parser with the arguments of every graph command: RUN ..., --format and --show."""
    parser = CommandParser(description, f"{command} runs/sample --format png,svg")
    add_runs(parser, "runs to draw beside it")
    add_options(parser, "--format", "--show", *options)
    return parser


def draw(
    program: str,
    kind: str,
    *,
    run: Path,
    beside: Sequence[Path] = (),
    format: list[str],
    show: bool,
    **choices: Any,
) -> int:
    """Draw the figures of a kind by the arguments of `graph_parser`, and the kind's own.

    Saves them in RUN/graphs and prints their paths and tables. Returns the exit code.
    """
    read_first(kind, [run, *beside], choices.get("sample"))
    figures = huggin.figures(run, kind, beside, **choices)
    figures.save(formats=format)
    for note in figures.notes:
        warn(f"{program}: {note}")
    if show:
        figures.show()
    return 0


def compose(program: str, **choices: Any) -> int:
    """Write a PDF by the arguments of `huggin.pdf` and print its path. Returns the exit code."""
    read_first("pdf", [choices["run"], *choices.get("beside", ())], choices["sample"])
    made = huggin.pdf(**choices)
    for note in made.notes:
        warn(f"{program}: {note}")
    print(made.path)
    return 0


def read_first(kind: str, runs: Sequence[Path], sample: int | None) -> None:
    """Raise UserError for runs of which nothing can be drawn; then load Matplotlib."""
    from huggin.graphs.runs import read_runs, refuse_too_many
    from huggin.recording.results import measured

    refuse_too_many(runs)
    if kind == "efficacy":
        for run in runs:
            measured(RunFolder(run))
    else:
        for recording in read_runs(runs):
            if sample:
                recording.tracked(sample)
    going_on("composing the PDF" if kind == "pdf" else f"drawing {kind}")
    load_matplotlib()


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
