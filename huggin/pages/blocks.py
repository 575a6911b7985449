"""Texts, tables and figures as blocks; blocks that flow over sheets; a PDF of A3 sheets.

Graphviz draws the texts and matplotlib the figures. Both make PDFs, so that everything is a vector
graphic and its text can be searched.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import graphviz
import numpy as np
from matplotlib.figure import Figure
from pypdf import PageObject, PdfReader, PdfWriter, Transformation
from pypdf.errors import PdfReadError

from huggin import __version__
from huggin.common.files import replacing
from huggin.common.progress import going_on, progress
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
SCALE = 0.77  # of a figure
HEAD = 60.0  # points that a section's title takes
ROUNDING = 1e-6  # points
SCALES = np.arange(1.6, 0.59, -0.05).tolist()  # of a sheet's blocks
LABELS = 16  # characters of the labels of facts
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
    is_heading: bool = False  # it stands above all that follows, and below all before

    @property
    def area(self) -> float:
        """Square points that its parts fill."""
        boxes = ((part.page.mediabox, part.scale) for part in self.parts)
        return sum(float(box.width * box.height) * scale**2 for box, scale in boxes)

    def scaled(self, scale: float) -> "Block":
        """The block in another size."""
        parts = [
            Part(part.page, part.scale * scale, part.left * scale, part.top * scale)
            for part in self.parts
        ]
        return replace(self, width=self.width * scale, height=self.height * scale, parts=parts)


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
    return replace(text_block(table), is_heading=True)


def _natural(pdf: bytes, sources: Sequence[str] = ()) -> Block:
    """The first page of a PDF in its natural size."""
    page = PdfReader(io.BytesIO(pdf)).pages[0]
    width, height = float(page.mediabox.width), float(page.mediabox.height)
    return Block(width, height, [Part(page, 1.0, 0.0, 0.0)], list(sources))


def figure_block(figure: Figure) -> Block:
    """A figure at SCALE."""
    ignore_missing_glyphs()
    stream = io.BytesIO()
    with laid_out(figure):
        figure.savefig(stream, format="pdf", transparent=True)
    return _natural(stream.getvalue()).scaled(SCALE)


def stacked(blocks: Sequence[Block]) -> Block:
    """Blocks below each other, on the left."""
    tops = np.cumsum([0.0, *(block.height + GAP for block in blocks)]).tolist()
    return _joined([(0.0, top, block) for top, block in zip(tops, blocks, strict=False)])


Placed = tuple[float, float, Block]  # left and top of a block on its sheet


def _joined(placed: Sequence[Placed]) -> Block:
    """Blocks at their places as one."""
    parts = [
        replace(part, left=part.left + left, top=part.top + top)
        for left, top, block in placed
        for part in block.parts
    ]
    width = max(left + block.width for left, _, block in placed)
    height = max(top + block.height for _, top, block in placed)
    return Block(width, height, parts, [dot for _, _, block in placed for dot in block.sources])


def sheets(blocks: Sequence[Block]) -> list[Block]:
    """Blocks on sheets, in their order; each sheet has the scale in which most of it is filled."""
    found = []
    while blocks:
        tried = (_first_sheet([block.scaled(scale) for block in blocks]) for scale in SCALES)
        sheet = max(tried, key=lambda placed: sum(block.area for *_, block in placed))
        found.append(_joined(sheet))
        blocks = blocks[len(sheet) :]
    return found


def _first_sheet(blocks: Sequence[Block]) -> list[Placed]:
    """As many of the first blocks as fit, each at the first place from the top and the left.

    A heading stands on the sheet of the two blocks behind it, which are facts and a figure.
    """
    page: list[Placed] = []
    for number, block in enumerate(blocks):
        block = block.scaled(min(1, WIDTH / block.width, (HEIGHT - HEAD) / block.height))
        is_begun = not all(each.is_heading for *_, each in page)
        behind = blocks[number + 1 : number + 3] if block.is_heading and is_begun else []
        placed = _placed(page, [block, *behind])
        if not placed:
            return page
        page.append(placed[0])
    return page


def _placed(page: Sequence[Placed], blocks: Sequence[Block]) -> list[Placed]:
    """Blocks at their places on a sheet beside and below others; none if not all of them fit."""
    placed = list(page)
    for block in blocks:
        bottoms = [top + each.height + GAP for _, top, each in placed]
        below = [end for end, (*_, each) in zip(bottoms, placed, strict=True) if each.is_heading]
        highest = max(bottoms if block.is_heading else below, default=0.0)
        tops = sorted({highest, *(end for end in bottoms if end > highest)})
        lefts = sorted({0.0, *(left + each.width + GAP for left, _, each in placed)})
        places = ((left, top, block) for top in tops for left in lefts)
        free = (place for place in places if _is_free(place, placed))
        if (place := next(free, None)) is None:
            return []
        placed.append(place)
    return placed[len(page) :]


def _is_free(place: Placed, placed: Sequence[Placed]) -> bool:
    """Whether a block lies on the sheet there, and over no other."""
    left, top, block = place
    right, bottom = left + block.width, top + block.height
    if max(right - WIDTH, bottom - HEIGHT) > ROUNDING:
        return False
    return not any(
        left < other_left + other.width
        and other_left < right
        and top < other_top + other.height
        and other_top < bottom
        for other_left, other_top, other in placed
    )


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
    """A section: its title, and what it contains; on a terminal it is said which one is drawn."""
    going_on(f"drawing: {title.lstrip('0123456789 ')}")
    blocks = [
        each if isinstance(each, Block) else figure_block(each)
        for each in progress(contents, label="drawing", unit="figures")
    ]
    return [heading(title), *blocks]


def render(document: Document, folder: Path, kind: str) -> Path:
    """Write `folder`/qa-KIND-DATE.gv and .gv.pdf, whole or not at all; returns the PDF's path.

    The .gv holds the texts. If no font here can draw some of their characters, a line is added to
    the document's notes.
    """
    going_on("writing the sheets")
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
        sheet = writer.add_blank_page(width=A3_WIDTH, height=A3_HEIGHT)
        for part in block.parts:
            left = MARGIN + part.left
            bottom = A3_HEIGHT - MARGIN - part.top - part.scale * float(part.page.mediabox.height)
            place = Transformation().scale(round(part.scale, 5))
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
