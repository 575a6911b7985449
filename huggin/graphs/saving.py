"""Figures -> files, pictures in a notebook, and windows if the user asks for them."""

import base64
import html
import importlib
import io
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from huggin.common.files import replacing
from huggin.common.progress import progress
from huggin.common.streams import warn
from huggin.common.text import printable
from huggin.graphs.style import drawn_for

DPI = 160
NO_WINDOW = (
    "no window opened: there is no screen, or Python has no window toolkit such as Tk; "
    "the figures are saved"
)


def save_figures(
    figures: Mapping[str, Figure],
    folder: Path,
    show: bool,
    formats: Sequence[str] = ("png",),
    runs: str = "",
    told: Collection[str] | None = None,
) -> None:
    """Save each figure as FOLDER/NAME.FORMAT, print the paths, and open windows if `show`.

    runs: becomes the text `Runs` of a PNG. told: names of the figures whose paths are printed;
    None: all.
    """
    ignore_missing_glyphs()
    for name, figure in progress(figures.items(), label="saving", unit="figures"):
        with laid_out(figure):
            for extension in formats:
                path = folder / f"{name}.{extension}"
                texts = metadata_of(figure, extension, runs)
                with replacing(path) as beside:
                    figure.savefig(beside, format=extension, dpi=DPI, metadata=texts)
                if told is None or name in told:
                    print(path)
    if show:
        show_figures(figures.values())


@contextmanager
def laid_out(figure: Figure) -> Iterator[None]:
    """Place the parts of a figure now. Else matplotlib draws it twice for every file that it saves:
    once to place them, once to show them.
    """
    engine = figure.get_layout_engine()
    if engine:
        engine.execute(figure)
    figure.set_layout_engine(None)
    try:
        yield
    finally:
        figure.set_layout_engine(engine)


def ignore_missing_glyphs() -> None:
    """Do not warn of characters, say in a question, that no font of this machine can draw."""
    warnings.filterwarnings("ignore", message="Glyph .* missing")


def metadata_of(figure: Figure, extension: str, runs: str = "") -> dict[str, str]:
    """What a figure's file says about itself: its title, and what it was drawn for."""
    about = "Subject" if extension == "pdf" else "Description"
    texts = {"Title": figure.get_suptitle(), about: drawn_for(figure)}
    if extension == "png":
        texts["Runs"] = runs
    return {name: printable(text) for name, text in texts.items() if text}


def as_html(figures: Iterable[Figure], words: str) -> str:
    """Figures with words below them, for a notebook."""
    pictures = []
    for figure in figures:
        stream = io.BytesIO()
        figure.savefig(stream, format="png")
        data = base64.b64encode(stream.getvalue()).decode("ascii")
        pictures.append(f'<img src="data:image/png;base64,{data}">')
    return "\n".join([*pictures, f"<pre>{html.escape(words)}</pre>"])


def show_figures(figures: Iterable[Figure]) -> None:
    """Open the figures in windows and wait until they are closed; without a screen say so."""
    pyplot = importlib.import_module("matplotlib.pyplot")  # slow, and needed nowhere else
    if pyplot.get_backend().lower() == "agg":  # matplotlib's choice where it finds no screen
        warn(NO_WINDOW)
        return
    for figure in figures:
        pyplot.figure(figure)
    pyplot.show()
