"""A finding -> the text itself: each word shaded, its standard error in a strip beneath it."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from huggin.common.text import short
from huggin.graphs.saving import ignore_missing_glyphs
from huggin.graphs.style import END, GOLD, QUIET, START, new_figure
from huggin.lime.fonts import families_for
from huggin.lime.words.found import Asked, Finding, Piece, Segment
from huggin.lime.words.text import is_right_to_left, isolated, words_in

WIDTH = 11.0  # inches of the figure
EDGE = 0.3  # inches around the text
SIZE = 11.0  # points of the letters
BLANK = 0.07  # inches between words
LINE = 0.36  # inches from one line to the next
TALL = 0.215  # inches of a word's shade
STRIP = 0.05  # inches of the strip beneath it
ABOVE = 0.7  # inches for the title
PART = 0.24  # inches for the name of a part
BELOW = 1.05  # inches for the legend
LONGEST = 60  # characters of a word
UNCLEAR = "#5a5a5a"  # of a word whose coefficient may be chance
Measure = Callable[[str], float]  # a text -> its width in inches


@dataclass(frozen=True)
class Placed:
    """A piece on a line."""

    piece: Piece
    line: int
    left: float
    right: float


def draw_text(finding: Finding, asked: Asked) -> Figure:
    """The question and the context, wrapped, with every word in the colour of its segment."""
    title = f"Why “{isolated(finding.target, 60)}”?\n{isolated(asked.question, 90)}"
    figure = new_figure(WIDTH, 4, title)
    figure.set_layout_engine("none")
    ignore_missing_glyphs()
    families = families_for(asked.question + asked.context)[0]
    width_of = _measure(figure, families)
    parts = {
        part: laid_out(
            [piece for piece in finding.pieces if piece.part == part],
            width_of,
            WIDTH - 2 * EDGE,
            BLANK,
        )
        for part in ("question", "context")
    }
    lines = {
        part: 1 + max((one.line for one in placed), default=0) for part, placed in parts.items()
    }
    height = ABOVE + 2 * PART + LINE * sum(lines.values()) + 0.15 + BELOW
    figure.set_size_inches(WIDTH, height)
    axes = figure.add_axes((0, 0, 1, 1))  # in inches, from the upper left corner
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.set_axis_off()
    top = ABOVE
    for part, placed in parts.items():
        words = words_in(part, asked.question if part == "question" else asked.context)
        name = part if len(placed) >= len(words) else f"{part}: the window of the answer"
        axes.text(EDGE, top + 0.1, name, fontsize=8, color=QUIET)
        top += PART
        _draw_part(axes, finding, placed, top)
        top += LINE * lines[part] + 0.075
    _draw_legend(axes, finding, asked, height - BELOW)
    return figure


def _measure(figure: Figure, families: list[str]) -> Measure:
    """A function: a text -> its width in inches."""
    renderer = FigureCanvasAgg(figure).get_renderer()

    @cache
    def width_of(text: str) -> float:
        drawn = Text(0, 0, short(text, LONGEST), fontsize=SIZE, fontfamily=families)
        drawn.set_figure(figure)
        drawn.set_parse_math(False)
        return drawn.get_window_extent(renderer).width / figure.dpi + 0.03

    return width_of


def _draw_part(axes: Axes, finding: Finding, placed: list[Placed], top: float) -> None:
    """The words of a part, each on the shade of its segment, which has no gaps in it."""
    for one, behind in zip(placed, [*placed[1:], None]):
        piece, left, right = one.piece, EDGE + one.left, EDGE + one.right
        segment = None if piece.segment is None else finding.segments[piece.segment]
        middle = (left + right) / 2
        if segment and behind and (behind.piece.segment, behind.line) == (piece.segment, one.line):
            right = max(right, EDGE + behind.left)
        y = top + LINE * one.line
        if segment:
            _draw_shade(axes, finding, segment, (left, right, y))
        if piece.is_answer or piece.is_expected:
            outline = Rectangle((left, y), right - left, TALL, facecolor="none", linewidth=1.3)
            outline.set_edgecolor(START if piece.is_answer else GOLD)
            outline.set_linestyle("-" if piece.is_answer else ":")
            axes.add_patch(outline)
        look: dict[str, Any] = {"fontsize": SIZE, "ha": "center", "va": "center_baseline"}
        clear = segment is None or finding.is_clear(segment)
        word = short(piece.text, LONGEST)
        axes.text(middle, y + TALL / 2, word, color="black" if clear else UNCLEAR, **look)


def _draw_shade(
    axes: Axes, finding: Finding, segment: Segment, box: tuple[float, float, float]
) -> None:
    left, right, y = box
    colour = shade(segment.coefficient / finding.largest)
    axes.add_patch(Rectangle((left, y), right - left, TALL, facecolor=colour, linewidth=0))
    if segment.standard_error is not None:
        grey = _grey(segment.standard_error / finding.largest)
        strip = Rectangle((left, y + TALL + 0.012), right - left, STRIP)
        strip.set(facecolor=grey, linewidth=0)
        axes.add_patch(strip)


def shade(share: float) -> tuple[float, float, float]:
    """White for 0, green for 1, red for -1."""
    colour = np.array(to_rgb(GOLD if share > 0 else END))
    depth = 0.85 * min(1.0, abs(share))
    red, green, blue = 1 - depth * (1 - colour)
    return float(red), float(green), float(blue)


def _grey(share: float) -> tuple[float, float, float]:
    """Pale for an error of 0, nearly black for one as large as the largest coefficient."""
    light = 0.93 - 0.83 * min(1.0, share)
    return light, light, light


def _draw_legend(axes: Axes, finding: Finding, asked: Asked, top: float) -> None:
    """The scales of both colours, what the outlines are, and how far to trust it."""
    most = finding.largest
    steps = np.linspace(-1, 1, 41)
    for at, share in enumerate(steps):
        box = Rectangle((EDGE + 0.06 * at, top), 0.061, 0.16, facecolor=shade(share), linewidth=0)
        axes.add_patch(box)
    note: dict[str, Any] = {"fontsize": 8, "va": "center"}
    axes.text(EDGE, top + 0.25, f"{-most:.3g}", ha="left", **note)
    axes.text(EDGE + 1.23, top + 0.25, "against   0   for", ha="center", **note)
    axes.text(EDGE + 2.46, top + 0.25, f"{most:+.3g}", ha="right", **note)
    axes.text(EDGE + 2.7, top + 0.08, f"coefficient ({finding.scale})", **note)
    for at, share in enumerate(np.linspace(0, 1, 20)):
        box = Rectangle((EDGE + 5 + 0.06 * at, top + 0.055), 0.061, STRIP)
        box.set(facecolor=_grey(share), linewidth=0)
        axes.add_patch(box)
    axes.text(EDGE + 5, top + 0.25, "0", ha="left", **note)
    axes.text(EDGE + 6.2, top + 0.25, f"{most:.3g}", ha="right", **note)
    axes.text(EDGE + 6.3, top + 0.08, "strip: standard error, on the same scale", **note)
    outlines = f"blue frame: the answer, “{isolated(asked.answer, 40)}”"
    if any(piece.is_expected and not piece.is_answer for piece in finding.pieces):
        outlines += f";  dotted green frame: expected, “{isolated(asked.expected, 40)}”"
    facts = (
        f"{outlines};  grey letters: within 1.96 standard errors of 0.  "
        f"{asked.model}; {finding.samples} masks by {finding.hide}; held-out R² "
        f"{finding.held_out_in_words()}; "
        f"same answer in {100 * finding.kept:.0f} % of the masked texts"
    )
    lines = textwrap.wrap(facts, 150)
    axes.text(EDGE, top + 0.42, "\n".join(lines), fontsize=8, va="top", linespacing=1.4)


def laid_out(pieces: Sequence[Piece], width_of: Measure, room: float, blank: float) -> list[Placed]:
    """Place pieces on lines of a width of `room`, in the direction of the text.

    The direction is that of its first letter. On a line, words of the other direction that follow
    each other stand in their own order, as in the Unicode bidirectional algorithm
    (https://unicode.org/reports/tr9/), of which this is the part that whole words need.
    """
    backwards = is_right_to_left(" ".join(piece.text for piece in pieces))
    placed: list[Placed] = []
    for number, line in enumerate(_lines(pieces, width_of, room, blank)):
        placed += _on_line(number, line, width_of, room, blank, backwards)
    return placed


def _lines(
    pieces: Sequence[Piece], width_of: Measure, room: float, blank: float
) -> list[list[Piece]]:
    lines: list[list[Piece]] = []
    used = 0.0
    for piece in pieces:
        width = width_of(piece.text)
        gap = blank if piece.after_blank else 0.0
        if lines and used + gap + width <= room:
            lines[-1].append(piece)
            used += gap + width
        else:
            lines.append([piece])
            used = width
    return lines


def _on_line(
    number: int,
    line: Sequence[Piece],
    width_of: Measure,
    room: float,
    blank: float,
    backwards: bool,
) -> list[Placed]:
    order = visual_order(line, backwards)
    gaps = [0.0]
    for one, other in zip(order, order[1:]):
        are_joined = abs(one - other) == 1 and not line[max(one, other)].after_blank
        gaps.append(0.0 if are_joined else blank)
    widths = [width_of(line[at].text) for at in order]
    left = room - sum(widths) - sum(gaps) if backwards else 0.0
    placed = []
    for at, gap, width in zip(order, gaps, widths):
        left += gap
        placed.append(Placed(line[at], number, left, left + width))
        left += width
    return placed


def visual_order(line: Sequence[Piece], backwards: bool) -> list[int]:
    """The numbers of a line's words from left to right."""
    runs: list[tuple[bool, list[int]]] = []
    for at, piece in enumerate(line):
        has_direction = any(map(str.isalpha, piece.text))
        direction = is_right_to_left(piece.text) if has_direction else None
        own = runs[-1][0] if direction is None and runs else direction
        if runs and runs[-1][0] == own:
            runs[-1][1].append(at)
        else:
            runs.append((backwards if own is None else own, [at]))
    ordered = [numbers[::-1] if direction else numbers for direction, numbers in runs]
    return [at for numbers in (ordered[::-1] if backwards else ordered) for at in numbers]
