"""Texts, tables and figures -> DOT -> PDF, with Graphviz. Every text goes through `cell_text`."""

import html
import os
import shutil
import subprocess
import textwrap
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import graphviz
from PIL import Image

from huggin.common.errors import UserError
from huggin.common.files import replacing
from huggin.common.site import ModuleRow
from huggin.graphs.saving import DPI

LEGEND_GREEN, FACTS_BLUE = "#d5fbc8", "#dcedf9"
FONT = "Helvetica"
POINTS = 72  # an inch
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
BEYOND_LATIN = 0x300
LONGEST = 12_000  # characters of one text


def cell_text(text: str, width: int) -> str:
    """Any text as the inside of a cell: wrapped, escaped, control characters as U+FFFD, shortened if it is endless."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} … ({len(text) - LONGEST:,} more characters)"
    lines = [
        piece
        for line in "".join(map(_drawn, text)).splitlines() or [""]
        for piece in _wrapped(line, width)
    ]
    return "<BR/>".join(
        html.escape(line).replace("\\", r"\\") for line in lines
    )  # \N would become the node's name


def _drawn(character: str) -> str:
    """A character as a PDF can have it; joiners and direction marks are kept, every blank is a space."""
    if character in "\r\n":
        return character
    category = unicodedata.category(character)
    return {"Zs": " ", "Zl": "\n", "Zp": "\n", "Cc": UNKNOWN, "Cs": UNKNOWN, "Cn": UNKNOWN}.get(
        "Zs" if character == "\t" else category, character
    )


def missing_fonts(graph: graphviz.Digraph) -> str | None:
    """A line that names characters that no font here can draw, one of each block; None where there are none."""
    if not shutil.which("fc-list"):
        return None
    blocks = {
        ord(character) >> 8: character
        for character in graph.source
        if ord(character) >= BEYOND_LATIN
    }
    missing = [character for character in blocks.values() if not _has_font(character)]
    if not missing:
        return None
    return f"no font here can draw {' '.join(missing)}; install one, as in: sudo apt-get install fonts-noto-cjk"


def _has_font(character: str) -> bool:
    found = subprocess.run(
        ["fc-list", f":charset={ord(character):x}", "family"], capture_output=True
    )
    return bool(found.stdout.strip())


def _wrapped(line: str, width: int) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(line, width, subsequent_indent=indent and indent + "  ") or [" "]


def table(
    rows: list[tuple[str, ...]], colour: str, widths: tuple[int, ...], heads: tuple[str, ...] = ()
) -> str:
    """An HTML-like label: a cell per text, wrapped at its column's width in characters; the first row in `heads`."""

    def row_of(texts: tuple[str, ...]) -> str:
        cells = [cell_text(text, width) for text, width in zip(texts, widths, strict=True)]
        if texts is rows[0] and heads:
            cells = [
                f'<FONT COLOR="{head}">{cell}</FONT>'
                for head, cell in zip(heads, cells, strict=True)
            ]
        return (
            "<TR>"
            + "".join(f'<TD ALIGN="LEFT" BALIGN="LEFT">{cell}</TD>' for cell in cells)
            + "</TR>"
        )

    attributes = f'BORDER="0" CELLBORDER="1" CELLSPACING="0" CELLPADDING="6" BGCOLOR="{colour}"'
    return f"<<TABLE {attributes}>{''.join(map(row_of, rows))}</TABLE>>"


def pictures(paths: list[Path], folder: Path, border: int, stacked: bool = False) -> str:
    """An HTML-like label: figures side by side, or stacked, at their own size, found from `folder`."""
    cells = ("</TR><TR>" if stacked else "").join(_picture_cell(path, folder) for path in paths)
    return f'<<TABLE BORDER="{border}" CELLBORDER="0" CELLSPACING="8" BGCOLOR="white"><TR>{cells}</TR></TABLE>>'


def _picture_cell(path: Path, folder: Path) -> str:

    with Image.open(path) as picture:
        width, height = (round(pixels / DPI * POINTS) for pixels in picture.size)
    source = html.escape(os.path.relpath(path, folder))
    return f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"><IMG SCALE="TRUE" SRC="{source}"/></TD>'


def legend_table(modules: list[ModuleRow], head: tuple[str, str] = ("", "black")) -> str:
    """The model's modules: number(s), what they are, parameters of each; like modules share a row.

    head: the run's name and colour, where several have their own.
    """
    title = f"{head[0]}\nmodule, in the order of the model".strip()
    rows: list[tuple[str, ...]] = [("no.", title, "parameters of each")]
    for row in modules:
        name = row.names[0].rpartition(".")[2]
        rows.append(
            (
                ", ".join(map(str, row.numbers)),
                f"{name} = {row.module}",
                f"{row.parameters:,}",
            )
        )
    return table(rows, LEGEND_GREEN, (16, 90, 20), (head[1],) * 3)


@contextmanager
def advising(path: Path) -> Iterator[None]:
    """Turn Graphviz's errors into advice."""
    try:
        yield
    except graphviz.ExecutableNotFound:
        raise UserError("Graphviz's `dot` not found; run ./setup, it installs it") from None
    except graphviz.CalledProcessError as error:
        raise UserError(f"{path}: dot failed: {error.stderr!r}") from None


def render(graph: graphviz.Digraph, folder: Path, kind: str) -> Path:
    """Write `folder`/qa-KIND-DATE.gv and .gv.pdf, whole or not at all; the PDF's path."""
    dot = folder / f"qa-{kind}-{datetime.now():%Y-%m-%d-%H%M%S}.gv"
    pdf = folder / f"{dot.name}.pdf"
    with (
        advising(dot),
        replacing(pdf),
        replacing(dot) as beside,
    ):  # Graphviz puts its PDF beside the DOT, as .pdf
        graph.render(filename=beside.name, directory=folder, format="pdf", quiet=True)
    return pdf
