"""Recordings -> one HTML file that plays trainings back: no network, no server, no other file.

The template, the style and the scripts are plain files in the folder `page`. They are put into the
file as they are; its Content-Security-Policy allows these and nothing else.
"""

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from pathlib import Path

from huggin import __version__
from huggin.common.files import replacing
from huggin.common.progress import progress
from huggin.common.text import printable
from huggin.graphs.runs import read_runs, side_by_side
from huggin.pages.made_files import (
    GRAPHS,
    MadeFile,
    about_answer,
    about_training,
    free_name,
    newest_true,
)
from huggin.pages.page_run import page_of_answer, page_of_run
from huggin.pages.page_sample import Page, as_script
from huggin.recording.reader import Recording
from huggin.recording.run_folder import one_at_a_time

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
    "findings.js",
    "tables.js",
    "explained.js",
    "story.js",
    "state.js",
    "player.js",
    "main.js",
)
UPLOT = "1.6.32"  # https://github.com/leeoniya/uPlot, its file as npm has it
HEAD = 10_000  # bytes, in which a page says what it is about
PAGES = "qa-training-*.html"
STYLES = ("uPlot.min.css", "style.css")


def page(
    run: str | Path,
    beside: Sequence[str | Path] = (),
    *,
    answer: bool = False,
    folder: str | Path = GRAPHS,
    if_needed: bool = False,
) -> MadeFile:
    """Write one HTML file that plays a training back: what `huggin create-page` does.

    beside: runs to choose from. answer: show the run's newest answer instead.
    if_needed: keep a page of these runs that is newer than their training.

    >>> import huggin
    >>> made = huggin.page("runs/sample")
    >>> made.path.suffix
    '.html'

    Raises UserError if a run cannot be read, or has no answer.
    """
    runs = read_runs([Path(each) for each in (run, *beside)])
    folder = Path(folder)
    if answer:
        text = as_html("answer", [page_of_answer(runs[0])], about_answer(runs[0]))
        return MadeFile(write_page(text, folder, "output"))
    if if_needed and (made := made_before(folder, runs)):
        return MadeFile(made)
    bar = progress(side_by_side(runs), label="reading", unit="runs")
    pages = [page_of_run(each.recording, each.name) for each in bar]
    text = as_html("training", pages, about_training(runs))
    return MadeFile(write_page(text, folder, "training"))


def made_before(folder: Path, runs: Sequence[Recording]) -> Path | None:
    """The newest page of these runs, none if they were trained or explained since."""
    explained = (path for run in runs for path in run.run.explanations.glob("*/*.json"))
    return newest_true(folder, PAGES, runs, explained, is_about)


def is_about(page: Path, subject: str) -> bool:
    """Whether a page says in its head that it is about this subject."""
    return f'content="{_escaped(subject)}"'.encode() in page.read_bytes()[:HEAD]


def as_html(kind: str, runs: Sequence[Page], about: str) -> str:
    """The data of runs in the template. about: what the page says of itself in its head."""
    content = {"kind": kind, "version": __version__, "runs": runs}
    licence = f"/* uPlot {UPLOT}\n{_asset('uPlot-LICENSE.txt')} */"
    _banner, _, plotter = _asset("uPlot.iife.min.js").partition("\n")
    ours = "\n".join(_asset(name) for name in SCRIPTS)  # in a scope of their own
    script = f'{licence}\n{plotter}\n(() => {{\n"use strict";\n{ours}\n}})();'
    style = "\n".join(_asset(name) for name in STYLES)
    parts = {
        "POLICY": f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'"
        "; base-uri 'none'; form-action 'none'",
        "ABOUT": _escaped(about),
        "TITLE": _escaped(runs[0]["title"]),
        "STYLE": style,
        "DATA": as_script(content),
        "SCRIPT": script,
    }
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda match: parts[match[1]], _asset("template.html"))


def _escaped(text: str) -> str:
    """Text for the markup of the head."""
    return html.escape(printable(text))


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
        path = free_name(folder, kind, ".html")
        with replacing(path) as beside:
            beside.write_text(text, encoding="utf-8", newline="\n")
    return path
