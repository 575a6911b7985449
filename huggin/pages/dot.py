"""Texts and tables as Graphviz's HTML-like markup, and what Graphviz and its fonts lack.

Every text goes through `cell_text`.
"""

import html
import shutil
import subprocess
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import graphviz

from huggin.common.errors import UserError
from huggin.common.site import ModuleRow
from huggin.common.text import one_line

LEGEND_GREEN = "#d5fbc8"
FACTS_BLUE = "#dcedf9"
FONT = "Helvetica"
FORMATS = (".pdf", ".svg", ".png")
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
BEYOND_LATIN = 0x300
LONGEST = 12_000  # characters of one text
# what is drawn for a character of a Unicode category
DRAWN = {"Zs": " ", "Zl": "\n", "Zp": "\n", "Cc": UNKNOWN, "Cs": UNKNOWN, "Cn": UNKNOWN}


def format_of(path: Path) -> str:
    """pdf, svg or png: the file's ending. Raises UserError for another ending."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: unknown ending; choose from {', '.join(FORMATS)}")
    return path.suffix.lower().removeprefix(".")


def cell_text(text: str, width: int) -> str:
    """Any text as the markup of a cell: escaped, and wrapped at `width` characters.

    Control characters become U+FFFD; a text of more than LONGEST characters is shortened.
    """
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} … ({len(text) - LONGEST:,} more characters)"
    pieces = []
    for line in "".join(map(_drawn, text)).splitlines() or [""]:
        indent = " " * (len(line) - len(line.lstrip()))
        further = indent + "  " if indent else ""
        pieces += textwrap.wrap(line, width, subsequent_indent=further) or [" "]
    # Without a second backslash, Graphviz would read \N as the node's name.
    return "<BR/>".join(html.escape(piece).replace("\\", r"\\") for piece in pieces)


def _drawn(character: str) -> str:
    """A character as a PDF can have it: every blank is a space, joiners are kept."""
    if character in "\r\n\t":
        return character.replace("\t", " ")
    return DRAWN.get(unicodedata.category(character), character)


def missing_fonts(source: str) -> str | None:
    """A line that names characters of a DOT source that no font here can draw.

    It names one character of each block of 256; None if every character can be drawn, or if
    fontconfig is not there to say so.
    """
    if not shutil.which("fc-list"):
        return None
    beyond = [character for character in source if ord(character) >= BEYOND_LATIN]
    blocks = {ord(character) >> 8: character for character in beyond}
    missing = []
    for character in blocks.values():
        line = ["fc-list", f":charset={ord(character):x}", "family"]
        if not subprocess.run(line, capture_output=True).stdout.strip():
            missing.append(character)
    advice = "install Noto (Debian: fonts-noto-core; Chinese, Japanese, Korean: fonts-noto-cjk)"
    return f"no font here can draw {' '.join(missing)}; {advice}" if missing else None


def table(
    rows: Sequence[Sequence[str]],
    colour: str,
    widths: Sequence[int],
    heads: Sequence[str] = (),
) -> str:
    """A table of texts, each wrapped at its column's width in characters.

    heads: colours that stand before the first row's texts; "": none does.
    """
    lines = []
    for number, texts in enumerate(rows):
        cells = [cell_text(text, width) for text, width in zip(texts, widths, strict=True)]
        if heads and not number:
            marks = [f'<FONT COLOR="{head}">■</FONT> ' if head else "" for head in heads]
            cells = [mark + cell for mark, cell in zip(marks, cells, strict=True)]
        in_row = "".join(f'<TD ALIGN="LEFT" BALIGN="LEFT">{cell}</TD>' for cell in cells)
        lines.append(f"<TR>{in_row}</TR>")
    attributes = f'BORDER="0" CELLBORDER="1" CELLSPACING="0" CELLPADDING="4" BGCOLOR="{colour}"'
    return f"<TABLE {attributes}>{''.join(lines)}</TABLE>"


def label(markup: str) -> str:
    """Markup as the label of a node."""
    return f"<{markup}>"


def legend_table(
    modules: Sequence[ModuleRow], name: str = "", colour: str = "", width: int = 90
) -> str:
    """The model's modules: numbers, what they are, and the parameters of each.

    name, colour: the run's, if several runs have a legend each. width: of a module, in characters.
    """
    title = f"{name}\nmodule, in the order of the model".strip()
    rows = [("no.", title, "parameters of each")]
    for module in modules:
        numbers = ", ".join(map(str, module.numbers))
        what = f"{module.names[0].rpartition('.')[2]} = {module.module}"
        rows.append((numbers, what, f"{module.parameters:,}"))
    return table(rows, LEGEND_GREEN, (16, width, 20), ("", colour, ""))


@contextmanager
def advising(path: Path) -> Iterator[None]:
    """Convert Graphviz's exceptions into UserError. path: what is drawn."""
    try:
        yield
    except graphviz.ExecutableNotFound:
        raise UserError("Graphviz's `dot` not found; run ./setup, it installs it") from None
    except graphviz.CalledProcessError as error:
        raise UserError(
            f"{path}: dot failed: {one_line(error.stderr.decode(errors='replace'))}"
        ) from None
