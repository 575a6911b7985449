"""Texts, tables and figures as blocks of a page, and blocks beside and below each other.

Graphviz draws the texts and matplotlib the figures. Both make PDFs, so that everything is a vector
graphic and its text can be searched.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import graphviz
from matplotlib.figure import Figure
from pypdf import PageObject, PdfReader

from huggin.graphs.runs import side_by_side
from huggin.graphs.saving import ignore_missing_glyphs, laid_out
from huggin.pages.dot import FACTS_BLUE, FONT, advising, cell_text, label, table
from huggin.pages.facts import Row, in_columns
from huggin.recording.reader import Recording

FONT_SIZE = "8"
PAD = "0.02"  # inches, half of a line's width
GAP = 10.0  # points between blocks


@dataclass(frozen=True)
class Part:
    """A page of a PDF that lies in a block."""

    page: PageObject
    scale: float
    left: float  # points from the block's upper left corner
    top: float


@dataclass(frozen=True)
class Block:
    """A rectangle of a page, with what is drawn in it."""

    width: float  # points
    height: float
    parts: list[Part]
    sources: list[str] = field(default_factory=list)  # the DOT source of its texts


def text_block(markup: str) -> Block:
    """Markup as a block of its natural size. Raises UserError if Graphviz is missing or fails."""
    graph = graphviz.Digraph(graph_attr={"margin": "0", "pad": PAD})
    graph.node("text", label(markup), shape="plain", fontname=FONT, fontsize=FONT_SIZE)
    return _drawn_by(graph)


def heading(text: str, size: int = 14) -> Block:
    """A line in bold letters."""
    cell = f'<FONT POINT-SIZE="{size}"><B>{cell_text(text, 160)}</B></FONT>'
    table = f'<TABLE BORDER="0" CELLPADDING="0"><TR><TD ALIGN="LEFT">{cell}</TD></TR></TABLE>'
    return text_block(table)


def boxed(block: Block) -> Block:
    """The block with a frame around it, GAP away."""
    width = block.width + 2 * GAP
    height = block.height + 2 * GAP
    inches = {"width": f"{width / 72:.3f}", "height": f"{height / 72:.3f}"}
    graph = graphviz.Digraph(graph_attr={"margin": "0", "pad": PAD})
    graph.node("box", "", shape="box", fixedsize="true", **inches)
    frame = _drawn_by(graph)
    parts = [*frame.parts, *_moved(block, GAP, GAP)]
    return replace(frame, parts=parts, sources=_sources([frame, block]))


def _drawn_by(graph: graphviz.Digraph) -> Block:
    """What Graphviz draws, in its natural size."""
    with advising(Path("the PDF")):
        drawn = graph.pipe(format="pdf", quiet=True)
    page = PdfReader(io.BytesIO(drawn)).pages[0]
    width = float(page.mediabox.width)
    height = float(page.mediabox.height)
    return Block(width, height, [Part(page, 1.0, 0.0, 0.0)], [graph.source])


def figure_block(figure: Figure, width: float, height: float, scale: float) -> Block:
    """A figure at most at `scale`, that fits into `width` x `height` points."""
    ignore_missing_glyphs()
    stream = io.BytesIO()
    with laid_out(figure):
        figure.savefig(stream, format="pdf", transparent=True)
    page = PdfReader(stream).pages[0]
    natural_width = float(page.mediabox.width)
    natural_height = float(page.mediabox.height)
    scale = min(scale, width / natural_width, height / natural_height)
    return Block(natural_width * scale, natural_height * scale, [Part(page, scale, 0.0, 0.0)])


def stacked(blocks: Sequence[Block]) -> Block:
    """Blocks below each other, on the left."""
    parts: list[Part] = []
    top = 0.0
    for block in blocks:
        parts += _moved(block, 0.0, top)
        top += block.height + GAP
    width = max(block.width for block in blocks)
    return Block(width, top - GAP, parts, _sources(blocks))


def beside(blocks: Sequence[Block]) -> Block:
    """Blocks beside each other, at the top."""
    parts: list[Part] = []
    left = 0.0
    for block in blocks:
        parts += _moved(block, left, 0.0)
        left += block.width + GAP
    height = max(block.height for block in blocks)
    return Block(left - GAP, height, parts, _sources(blocks))


def in_rows(blocks: Sequence[Block], width: float) -> list[Block]:
    """Blocks in rows that are at most `width` points wide, in their order."""
    rows: list[list[Block]] = []
    used = 0.0
    for block in blocks:
        used += GAP + block.width
        if not rows or used > width:
            rows.append([])
            used = block.width
        rows[-1].append(block)
    return [beside(row) for row in rows]


def _moved(block: Block, left: float, top: float) -> list[Part]:
    return [replace(part, left=part.left + left, top=part.top + top) for part in block.parts]


def _sources(blocks: Sequence[Block]) -> list[str]:
    return [source for block in blocks for source in block.sources]


LABELS = 16  # characters of the labels of facts
ALONE = 100  # characters of the texts of a single run
WIDE = 160  # characters of the texts of several runs, across the page


def facts_of_runs(runs: Sequence[Recording], texts: Sequence[Sequence[Row]]) -> Block:
    """Facts of one or several runs in one table, each run's first fact in its colour."""
    heads = ("black", *(run.colour for run in side_by_side(runs)))
    width = ALONE if len(runs) == 1 else max(30, WIDE // len(runs))
    return text_block(table(in_columns(texts), FACTS_BLUE, (LABELS, *[width] * len(runs)), heads))
