"""Blocks -> a PDF on A3 landscape sheets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from matplotlib.figure import Figure
from pypdf import PdfReader, PdfWriter, Transformation
from pypdf.errors import PdfReadError

from huggin import __version__
from huggin.common.files import replacing
from huggin.common.text import printable, storable
from huggin.pages.blocks import GAP, Block, figure_block, heading, in_rows, stacked
from huggin.pages.dot import missing_fonts
from huggin.pages.made_files import free_name
from huggin.recording.run_folder import one_at_a_time

A3_WIDTH = 1190.55  # points, landscape
A3_HEIGHT = 841.89
MARGIN = 24
WIDTH = A3_WIDTH - 2 * MARGIN  # of a page's content
HEIGHT = A3_HEIGHT - 2 * MARGIN
SCALE = 0.77  # of a figure in a row of figures
LARGEST = 1.3  # by how much a page that is not full is made larger


@dataclass
class Document:
    """What a PDF consists of."""

    title: str
    subject: str
    pages: list[Block] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # for the user, such as what is left out


def section(
    title: str,
    figures: Sequence[Figure],
    above: Sequence[Block] = (),
    below: Sequence[Block] = (),
) -> list[Block]:
    """The pages of a section: its title, the blocks above, the figures in rows, the blocks below.

    If a page is full, another one follows.
    """
    blocks = [figure_block(figure, WIDTH, HEIGHT - 60, SCALE) for figure in figures]
    pages = [[heading(title), *above]]
    for row in in_rows([*blocks, *below], WIDTH):
        used = sum(block.height + GAP for block in pages[-1])
        if used + row.height > HEIGHT and len(pages[-1]) > 1:
            pages.append([heading(f"{title} (continued)")])
        pages[-1].append(row)
    return [stacked(page) for page in pages]


def render(document: Document, folder: Path, kind: str) -> Path:
    """Write `folder`/qa-KIND-DATE.gv and .gv.pdf, whole or not at all; returns the PDF's path.

    The .gv holds the texts. If no font here can draw some of their characters, a line is added to
    the document's notes.
    """
    source = "\n".join(source for page in document.pages for source in page.sources)
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
    """Whether a PDF says that it is about this subject."""
    return _subject_of(pdf) == _stored(subject)


def _subject_of(pdf: Path) -> str:
    """The subject in a PDF's metadata, "" if there is none or it is no PDF."""
    try:
        metadata = PdfReader(pdf).metadata
    except (PdfReadError, OSError):
        return ""
    return (metadata.subject or "") if metadata else ""


def _stored(text: str) -> str:
    """Text as it is in a PDF's metadata."""
    return storable(printable(text))


def _written(document: Document) -> PdfWriter:
    """The document as a PDF with its metadata."""
    writer = PdfWriter()
    for page in document.pages:
        _add_sheet(writer, page)
    writer.add_metadata(
        {
            "/Title": _stored(document.title),
            "/Subject": _stored(document.subject),
            "/Creator": f"huggin {__version__}",
            "/CreationDate": f"D:{datetime.now():%Y%m%d%H%M%S}",
        }
    )
    return writer


def _add_sheet(writer: PdfWriter, block: Block) -> None:
    """A block on a sheet, made smaller if it does not fit, and larger if there is room."""
    scale = min(LARGEST, WIDTH / block.width, HEIGHT / block.height)
    sheet = writer.add_blank_page(width=A3_WIDTH, height=A3_HEIGHT)
    for part in block.parts:
        size = scale * part.scale
        left = MARGIN + scale * part.left
        top = A3_HEIGHT - MARGIN - scale * part.top
        bottom = top - size * float(part.page.mediabox.height)
        place = Transformation().scale(round(size, 5)).translate(round(left, 3), round(bottom, 3))
        sheet.merge_transformed_page(part.page, place)
    sheet.compress_content_streams()
