"""Figures -> files."""

import os
import warnings
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from huggin.common.files import replacing
from huggin.common.text import printable
from huggin.recording.run_folder import RunFolder

DPI = 160


def paths_beside(runs: list[Path]) -> str:
    """Where the other runs are, from the first one's folder, a line each."""
    return "\n".join(os.path.relpath(run.resolve(), runs[0].resolve()) for run in runs[1:])


def finish(figures: Mapping[str, Figure], args: Namespace) -> None:
    """Save each figure in RUN/graphs of the first run."""
    save_figures(
        figures,
        RunFolder(args.run).graphs,
        args.show,
        args.format,
        paths_beside([args.run, *args.more]),
    )


def save_figures(
    figures: Mapping[str, Figure],
    folder: Path,
    show: bool,
    formats: Sequence[str] = ("png",),
    runs: str = "",
) -> None:
    """Save each figure as FOLDER/NAME.FORMAT, print the paths, and show them where asked.

    runs: what `paths_beside` says; a PNG of several carries it in its text `Runs`.
    """
    warnings.filterwarnings(
        "ignore", message="Glyph .* missing"
    )  # a name that no font here can write
    for name, figure in figures.items():
        for extension in formats:
            path = folder / f"{name}.{extension}"
            with replacing(path) as beside:
                texts = {"Runs": runs} if runs and extension == "png" else None
                figure.savefig(beside, format=extension, dpi=DPI, metadata=texts)
            print(printable(str(path)))
    if show:
        for figure in figures.values():
            plt.figure(figure)
        plt.show()
