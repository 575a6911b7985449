"""Recordings -> one HTML file that plays trainings back: no network, no server, no other file.

The template, the style and the scripts are plain files in the folder `page`. They are put into the
file as they are; its Content-Security-Policy allows these and nothing else.
"""

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from datetime import datetime
from itertools import chain, count
from pathlib import Path

from huggin import __version__
from huggin.common.files import replacing
from huggin.common.progress import progress
from huggin.common.text import printable, storable
from huggin.graphs.runs import side_by_side
from huggin.pages.packing import as_script
from huggin.pages.page_answer import page_of_answer
from huggin.pages.page_run import ExplainedOf, QuestionsAt, page_of_run
from huggin.pages.page_sample import Page
from huggin.recording.reader import Recording
from huggin.recording.run_lock import one_at_a_time

ASSETS = Path(__file__).parent / "page"
SCRIPTS = (  # in the order in which they run
    "codec.js",
    "dom.js",
    "colours.js",
    "data.js",
    "text.js",
    "maps.js",
    "shares.js",
    "answer.js",
    "curves.js",
    "tables.js",
    "explained.js",
    "story.js",
    "state.js",
    "player.js",
    "main.js",
)
UPLOT = "1.6.32"  # https://github.com/leeoniya/uPlot, its file as npm has it
HEAD = 10_000  # bytes
STYLES = ("uPlot.min.css", "style.css")


def training_page(
    runs: Sequence[Recording], questions_at: QuestionsAt, explained_of: ExplainedOf
) -> str:
    """The page of one or several runs as HTML."""
    named = side_by_side(runs)
    bar = progress(named, label="reading", unit="runs")
    pages = [page_of_run(run.recording, run.name, questions_at, explained_of) for run in bar]
    return as_html({"kind": "training", "version": __version__, "runs": pages}, _about(runs))


def answer_page(recording: Recording, words: Page | None) -> str:
    """The page of a run's newest answer as HTML. words: see `page_of_answer`."""
    pages = [page_of_answer(recording, words)]
    about = f"An answer, as recorded in {recording.run.path}"
    return as_html({"kind": "answer", "version": __version__, "runs": pages}, about)


def _about(runs: Sequence[Recording]) -> str:
    """What the page of a training is about; `made_before` finds it by this."""
    paths = ", ".join(str(run.run.path) for run in runs)
    return f"Training, as recorded in {paths}"


def made_before(folder: Path, runs: Sequence[Recording]) -> Path | None:
    """The newest page of these runs' training in the folder, if they were not trained since."""
    segments = [path for run in runs for _, path in run.run.segments("steps")]
    trained = max(path.stat().st_mtime for path in segments)
    stamped = [(path.stat().st_mtime, path) for path in folder.glob("qa-training-*.html")]
    newest_first = [path for time, path in sorted(stamped, reverse=True) if time > trained]
    line = f'content="{_escaped(_about(runs))}"'.encode()
    return next((path for path in newest_first if line in _head_of(path)), None)


def _head_of(path: Path) -> bytes:
    """The first characters of a page, in which it says what it is about."""
    with path.open("rb") as file:
        return file.read(HEAD)


def as_html(page: Page, about: str) -> str:
    """The page's data in the template. about: what the page says of itself in its head."""
    script = _script()
    style = "\n".join(_asset(name) for name in STYLES)
    parts = {
        "POLICY": f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'"
        "; base-uri 'none'; form-action 'none'",
        "ABOUT": _escaped(about),
        "TITLE": _escaped(page["runs"][0]["title"]),
        "STYLE": style,
        "DATA": as_script(page),
        "SCRIPT": script,
    }
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda match: parts[match[1]], _asset("template.html"))


def _escaped(text: str) -> str:
    """Text for the markup of the head."""
    return html.escape(storable(printable(text)))


def _script() -> str:
    """uPlot with its licence, and our scripts in a scope of their own."""
    _banner, _, plotter = _asset("uPlot.iife.min.js").partition("\n")
    licence = f"/* uPlot {UPLOT}\n{_asset('uPlot-LICENSE.txt')} */"
    ours = "\n".join(_asset(name) for name in SCRIPTS)
    return f'{licence}\n{plotter}\n(() => {{\n"use strict";\n{ours}\n}})();'


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    """What a Content-Security-Policy calls the text of an element."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def write_page(text: str, folder: Path, kind: str) -> Path:
    """Write `folder`/qa-KIND-DATE.html, whole or not at all; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder):
        path = _free_name(folder, kind)
        with replacing(path) as beside:
            beside.write_text(text, encoding="utf-8", newline="\n")
    return path


def _free_name(folder: Path, kind: str) -> Path:
    """A name with this second in it that no file has yet: others may be made in the same one."""
    stem = f"qa-{kind}-{datetime.now():%Y-%m-%d-%H%M%S}"
    names = chain([f"{stem}.html"], (f"{stem}-{number}.html" for number in count(2)))
    return next(folder / name for name in names if not (folder / name).exists())
