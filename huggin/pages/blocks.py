"""Texts, tables and figures as blocks; blocks beside and below each other; a PDF of A3 sheets.

Graphviz draws the texts and matplotlib the figures. Both make PDFs, so that everything is a vector
graphic and its text can be searched.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import graphviz
from matplotlib.figure import Figure
from pypdf import PageObject, PdfReader, PdfWriter, Transformation
from pypdf.errors import PdfReadError

from huggin import __version__
from huggin.common.files import replacing
from huggin.common.progress import progress
from huggin.common.text import printable
from huggin.graphs.runs import side_by_side
from huggin.graphs.saving import ignore_missing_glyphs, laid_out
from huggin.pages.dot import FACTS_BLUE, FONT, advising, cell_text, label, missing_fonts, table
from huggin.pages.facts import Row, in_columns
from huggin.pages.made_files import free_name
from huggin.recording.reader import Recording
from huggin.recording.run_folder import one_at_a_time

FONT_SIZE = "8"
PAD = "0.02"  # inches, half of a line's width
GAP = 10.0  # points between blocks
A3_WIDTH = 1190.55  # points, landscape
A3_HEIGHT = 841.89
MARGIN = 24
WIDTH = A3_WIDTH - 2 * MARGIN  # of a page's content
HEIGHT = A3_HEIGHT - 2 * MARGIN
SCALE = 0.77  # of a figure in a row of figures
LARGEST = 1.3  # by how much a page that is not full is made larger
LABELS = 16  # characters of the labels of facts
SHORT = 160.0  # points: a section that begins with less takes its next row along
ALONE = 100  # characters of the texts of a single run
WIDE = 160  # characters of the texts of several runs, across the page


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
    with advising(Path("the PDF")):
        drawn = graph.pipe(format="pdf", quiet=True)
    return _natural(drawn, [graph.source])


def heading(text: str, size: int = 14) -> Block:
    """A line in bold letters."""
    cell = f'<FONT POINT-SIZE="{size}"><B>{cell_text(text, 160)}</B></FONT>'
    table = f'<TABLE BORDER="0" CELLPADDING="0"><TR><TD ALIGN="LEFT">{cell}</TD></TR></TABLE>'
    return text_block(table)


def _natural(pdf: bytes, sources: Sequence[str] = ()) -> Block:
    """The first page of a PDF in its natural size."""
    page = PdfReader(io.BytesIO(pdf)).pages[0]
    width, height = float(page.mediabox.width), float(page.mediabox.height)
    return Block(width, height, [Part(page, 1.0, 0.0, 0.0)], list(sources))


def figure_block(figure: Figure, width: float, height: float, scale: float) -> Block:
    """A figure at most at `scale`, that fits into `width` x `height` points."""
    ignore_missing_glyphs()
    stream = io.BytesIO()
    with laid_out(figure):
        figure.savefig(stream, format="pdf", transparent=True)
    natural = _natural(stream.getvalue())
    scale = min(scale, width / natural.width, height / natural.height)
    parts = [replace(part, scale=scale) for part in natural.parts]
    return Block(natural.width * scale, natural.height * scale, parts)


def stacked(blocks: Sequence[Block]) -> Block:
    """Blocks below each other, on the left."""
    width = max(block.width for block in blocks)
    return _placed(blocks, 0, 1, width, sum(block.height + GAP for block in blocks) - GAP)


def beside(blocks: Sequence[Block]) -> Block:
    """Blocks beside each other, at the top."""
    height = max(block.height for block in blocks)
    return _placed(blocks, 1, 0, sum(block.width + GAP for block in blocks) - GAP, height)


def _placed(blocks: Sequence[Block], right: int, down: int, width: float, height: float) -> Block:
    """Blocks as one of this size; right, down: 1 where each goes on behind the one before."""
    parts: list[Part] = []
    left = top = 0.0
    for block in blocks:
        parts += [replace(part, left=part.left + left, top=part.top + top) for part in block.parts]
        left += right * (block.width + GAP)
        top += down * (block.height + GAP)
    sources = [source for block in blocks for source in block.sources]
    return Block(width, height, parts, sources)


def in_rows(blocks: Sequence[Block], width: float) -> list[Block]:
    """Blocks in rows that are at most `width` points wide, in their order."""
    return [beside(row) for row in _as_many_as_fit(blocks, [b.width for b in blocks], width)]


def sheets(blocks: Sequence[Block]) -> list[Block]:
    """Blocks below each other, as many on a sheet as fit."""
    return [stacked(page) for page in _as_many_as_fit(blocks, [b.height for b in blocks], HEIGHT)]


def _as_many_as_fit(
    blocks: Sequence[Block], sizes: Sequence[float], room: float
) -> list[list[Block]]:
    """Groups of blocks, in their order; sizes: of each block, with a gap behind it."""
    groups: list[list[Block]] = []
    used = 0.0
    for block, size in zip(blocks, sizes, strict=True):
        used += GAP + size
        if not groups or used > room:
            groups.append([])
            used = size
        groups[-1].append(block)
    return groups


def facts_of_runs(runs: Sequence[Recording], texts: Sequence[Sequence[Row]]) -> Block:
    """Facts of one or several runs in one table, each run's first fact in its colour."""
    heads = ("", *(run.colour if run.name else "" for run in side_by_side(runs)))
    width = ALONE if len(runs) == 1 else max(30, WIDE // len(runs))
    return text_block(table(in_columns(texts), FACTS_BLUE, (LABELS, *[width] * len(runs)), heads))


@dataclass
class Document:
    """What a PDF consists of."""

    title: str
    subject: str
    blocks: list[Block] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # for the user, such as what is left out


def section(title: str, contents: Iterable[Block | Figure]) -> list[Block]:
    """A section: its title with the first row (or two) of what it contains, then the other rows."""
    blocks = [
        each if isinstance(each, Block) else figure_block(each, WIDTH, HEIGHT - 60, SCALE)
        for each in progress(contents, label="drawing", unit="figures")
    ]
    first, *others = in_rows(blocks, WIDTH)
    head = stacked([heading(title), first])
    if others and head.height < SHORT and head.height + GAP + others[0].height <= HEIGHT:
        head = stacked([head, others.pop(0)])  # a table of facts does not stand without its figures
    return [head, *others]


def render(document: Document, folder: Path, kind: str) -> Path:
    """Write `folder`/qa-KIND-DATE.gv and .gv.pdf, whole or not at all; returns the PDF's path.

    The .gv holds the texts. If no font here can draw some of their characters, a line is added to
    the document's notes.
    """
    source = "\n".join(source for block in document.blocks for source in block.sources)
    if missing := missing_fonts(source):
        document.notes.append(missing)
    writer = _written(document)
    folder.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder):
        dot = free_name(folder, kind, ".gv")
        pdf = folder / f"{dot.name}.pdf"
        with replacing(pdf) as beside_pdf, replacing(dot) as beside_dot:
            beside_dot.write_text(source, encoding="utf-8")
            writer.write(beside_pdf)
    return pdf


def is_about(pdf: Path, subject: str) -> bool:
    """Whether a file is a PDF whose metadata says that it is about this subject."""
    try:
        metadata = PdfReader(pdf).metadata
    except (PdfReadError, OSError):
        return False
    return metadata is not None and metadata.subject == printable(subject)


def _written(document: Document) -> PdfWriter:
    """The document as a PDF with its metadata."""
    writer = PdfWriter()
    for block in sheets(document.blocks):
        # made smaller if it does not fit, and larger if there is room
        scale = min(LARGEST, WIDTH / block.width, HEIGHT / block.height)
        sheet = writer.add_blank_page(width=A3_WIDTH, height=A3_HEIGHT)
        for part in block.parts:
            size = scale * part.scale
            left = MARGIN + scale * part.left
            top = A3_HEIGHT - MARGIN - scale * part.top
            bottom = top - size * float(part.page.mediabox.height)
            place = Transformation().scale(round(size, 5))
            place = place.translate(round(left, 3), round(bottom, 3))
            sheet.merge_transformed_page(part.page, place)
        sheet.compress_content_streams()
    writer.add_metadata(
        {
            "/Title": printable(document.title),
            "/Subject": printable(document.subject),
            "/Creator": f"huggin {__version__}",
            "/CreationDate": f"D:{datetime.now():%Y%m%d%H%M%S}",
        }
    )
    return writer
