"""Explained answers -> figures: the text shaded, top words, agreement of methods, word by step.

In the text each word has the colour of its segment. A strip beneath it says that it is less certain
than the other words.
"""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from huggin.common.text import short
from huggin.graphs.palette import AGAINST, FOR, GOLD, INK, MODEL, PAPER, QUIET
from huggin.graphs.saving import ignore_missing_glyphs
from huggin.graphs.style import FOR_AGAINST, legend_above, new_figure
from huggin.lime.drawing import draw_curves, explain_bars, families_for, speaking, use_fonts
from huggin.lime.quality import LIME, Compared
from huggin.lime.words.found import Asked, ByStep, Finding, Kept, Piece
from huggin.lime.words.text import PARTS, is_right_to_left, isolated, words_in

KINDS = ("words", "sentences", "spans")  # of segments
NAMES = {  # of all figures
    "agreement",
    *(name for kind in KINDS for name in (kind, f"top-{kind}", f"{kind}-by-step")),
}
BARS = 12  # segments each way
ROWS = 18  # segments in the figure of the methods
ROWS_BY_STEP = 40
NAMED = 28  # characters of a segment on an axis

# Of the text, in inches if nothing else is said:
WIDTH = 11.0  # of the figure
EDGE = 0.3  # around the text
SIZE = 11.0  # points of the letters
BLANK = 0.07  # between words
LINE = 0.36  # from one line to the next
TALL = 0.215  # of a word's shade
STRIP = 0.05  # of the strip beneath it
ABOVE = 0.7  # for the title
PART = 0.24  # for the name of a part
BELOW = 1.05  # for the legend
LONGEST = 60  # characters of a word
UNSURE = 1.5  # median standard errors, from which on a word has a strip
Colour = tuple[float, float, float]
Measure = Callable[[str], float]  # a text -> its width in inches


def draw_kept(kept: Kept) -> dict[str, Figure]:
    """All figures of an explained answer by their names."""
    figures: dict[str, Figure] = {}
    for finding in kept.findings:
        figures[finding.kind] = draw_text(finding, kept.asked)
        figures[f"top-{finding.kind}"] = draw_bars(finding, kept)
    last = kept.findings[-1]
    if last.agreement:
        figures["agreement"] = draw_agreement(last, last.agreement, kept)
    if kept.by_step:
        figures[f"{last.kind}-by-step"] = draw_by_step(last, kept.by_step, kept)
    letters = kept.asked.question + kept.asked.context
    for figure in figures.values():
        use_fonts(figure, families_for(letters)[0])
    return figures


def draw_bars(finding: Finding, kept: Kept) -> Figure:
    """The segments with the largest coefficients both ways, with their standard errors."""
    ranked = sorted(finding.segments, key=lambda segment: segment.rank)
    shown = [segment for segment in ranked[:BARS] if segment.coefficient > 0]
    shown += [segment for segment in ranked[-BARS:] if segment.coefficient <= 0]
    title = f"Why “{isolated(finding.target, 50)}”?\n{isolated(kept.asked.question, 60)}"
    figure = new_figure(8, 1.9 + 0.27 * len(shown), title)
    axes = figure.subplots()
    values = np.array([segment.coefficient for segment in shown])
    errors = [segment.standard_error or 0.0 for segment in shown]
    clear = np.array([finding.is_clear(segment) for segment in shown])
    look: Any = {"color": speaking(values, clear), "error_kw": {"lw": 1, "capsize": 2}}
    axes.barh(range(len(shown)), values, xerr=errors, **look)
    axes.set_yticks(range(len(shown)), [finding.label(segment, NAMED) for segment in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"coefficient ({finding.scale}; whiskers: ± 1 standard error)")
    explain_bars(axes)
    return figure


def draw_agreement(finding: Finding, compared: Compared, kept: Kept) -> Figure:
    """What each method says of the first segments, and the curves of their orders."""
    values = {name: np.array(found) for name, found in compared.values.items()}
    scaled = {name: found / (np.abs(found).max() or 1) for name, found in values.items()}
    mean = np.mean(list(scaled.values()), axis=0)
    shown = np.sort(np.argsort(-np.abs(mean), kind="stable")[:ROWS])
    title = f"Do the methods agree? {isolated(kept.asked.question, 90)}"
    figure = new_figure(14, 2 + 0.25 * max(len(shown), 12), title)
    left, *curves = figure.subplots(1, 3, width_ratios=[1.1, 1, 1])
    grid = np.array([found[shown] for found in scaled.values()]).T
    names = [f"{name}\n{_beside_lime(compared, name)}" for name in scaled]
    left.imshow(grid, cmap=FOR_AGAINST, norm=Normalize(-1, 1), aspect="auto")
    left.set_xticks(range(len(names)), names, fontsize=8)
    _name_rows(left, finding, shown)
    for row, column in np.ndindex(grid.shape):
        look: Any = {"ha": "center", "va": "center", "fontsize": 7}
        left.text(column, row, f"{grid[row, column]:+.2f}", **look)
    left.set_title("each method's values, largest = 1; in the text's order")
    draw_curves(curves, compared.curves, finding.kind, f"{finding.scale} of the span")
    figure.supxlabel("\n".join(textwrap.wrap(finding.believe, 150)), fontsize=10)
    return figure


def _beside_lime(compared: Compared, name: str) -> str:
    """How a method compares with LIME."""
    if name == LIME:
        return ""
    rho, shared = compared.with_lime(name)
    number = "-" if rho is None else f"{rho:.2f}"
    return f"ρ {number}, top {shared}/{compared.top}"


def _name_rows(axes: Axes, finding: Finding, shown: np.ndarray) -> None:
    """Name the rows of a heat map after segments, which are given by their numbers."""
    labels = [finding.label(finding.segments[number], NAMED) for number in shown]
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.grid(visible=False)


def draw_by_step(finding: Finding, found: ByStep, kept: Kept) -> Figure:
    """The score by step, and below it each segment's coefficient at each checkpoint."""
    coefficients = np.array(found.coefficients)  # (steps, segments)
    size = np.abs(coefficients).max(axis=0)
    shown = np.sort(np.argsort(-size, kind="stable")[:ROWS_BY_STEP])
    title = f"When were the words read?\n{isolated(kept.asked.question, 80)}"
    figure = new_figure(10, 3.6 + 0.2 * len(shown), title)
    ratios = [1.6, 0.2 * len(shown) + 0.6]
    top, axes = figure.subplots(2, 1, height_ratios=ratios, sharex=True)
    columns = np.arange(len(found.steps))
    top.plot(columns, found.scores, color=INK, marker="o", markerfacecolor=PAPER)
    right = np.flatnonzero(found.is_answer)
    label = f"the model answers: {isolated(finding.target, 30)}"
    top.plot(right, np.array(found.scores)[right], "o", color=INK, label=label)
    top.set_ylabel(f"{finding.scale} of\n“{isolated(finding.target, 16)}”")
    if len(right):
        legend_above(top)
    most = size.max() or 1.0
    norm = Normalize(-most, most)
    image = axes.imshow(coefficients.T[shown], cmap=FOR_AGAINST, norm=norm, aspect="auto")
    _name_rows(axes, finding, shown)
    axes.set_xticks(columns, map(str, found.steps))
    axes.set_xlabel("step")
    figure.colorbar(image, ax=axes, label=f"coefficient ({finding.scale})", pad=0.01)
    return figure


# The text


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
    width_of = _measure(figure, families_for(asked.question + asked.context)[0])
    parts = {}
    for part in PARTS:
        pieces = [piece for piece in finding.pieces if piece.part == part]
        parts[part] = laid_out(pieces, width_of, WIDTH - 2 * EDGE, BLANK)
    lines = {part: placed[-1].line + 1 if placed else 1 for part, placed in parts.items()}
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
            colour = shade(segment.coefficient / finding.largest)
            _draw_box(axes, (left, y), right - left, TALL, colour)
        if segment and (segment.standard_error or 0) > UNSURE * finding.usual_error:
            _draw_box(axes, (left, y + TALL + 0.012), right - left, STRIP, to_rgb(QUIET))
        if piece.is_answer or piece.is_expected:
            outline = Rectangle((left, y), right - left, TALL, facecolor="none", linewidth=1.3)
            outline.set_edgecolor(MODEL if piece.is_answer else GOLD)
            outline.set_linestyle("-" if piece.is_answer else ":")
            axes.add_patch(outline)
        look: dict[str, Any] = {"fontsize": SIZE, "ha": "center", "va": "center_baseline"}
        clear = segment is None or finding.is_clear(segment)
        word = short(piece.text, LONGEST)
        axes.text(middle, y + TALL / 2, word, color=INK if clear else QUIET, **look)


def _draw_box(
    axes: Axes, corner: tuple[float, float], width: float, height: float, colour: Colour
) -> None:
    axes.add_patch(Rectangle(corner, width, height, facecolor=colour, linewidth=0))


def shade(share: float) -> Colour:
    """White for 0, full for 1 and -1 and beyond."""
    colour = np.array(to_rgb(FOR if share > 0 else AGAINST))
    depth = 0.85 * min(1.0, abs(share))
    red, green, blue = 1 - depth * (1 - colour)
    return float(red), float(green), float(blue)


def _draw_legend(axes: Axes, finding: Finding, asked: Asked, top: float) -> None:
    """The scale of the colours, what the outlines and strips are, and how far to trust it."""
    most = finding.largest
    for at, share in enumerate(np.linspace(-1, 1, 41)):
        _draw_box(axes, (EDGE + 0.06 * at, top), 0.061, 0.16, shade(share))
    note: dict[str, Any] = {"fontsize": 8, "va": "center"}
    axes.text(EDGE, top + 0.25, f"{-most:.3g}", ha="left", **note)
    axes.text(EDGE + 1.23, top + 0.25, "against   0   for", ha="center", **note)
    axes.text(EDGE + 2.46, top + 0.25, f"{most:+.3g}", ha="right", **note)
    beyond = finding.beyond
    clipped = f"; {beyond} beyond the scale, with its full colour" if beyond else ""
    axes.text(EDGE + 2.7, top + 0.08, f"coefficient ({finding.scale}){clipped}", **note)
    facts = [f"solid frame: the answer, “{isolated(asked.answer, 40)}”"]
    if any(piece.is_expected and not piece.is_answer for piece in finding.pieces):
        facts.append(f"dotted frame: expected, “{isolated(asked.expected, 40)}”")
    facts.append("grey letters: within 1.96 standard errors of 0")
    if error := finding.usual_error:
        usual = f"usual standard error: {error:.2g}"
        facts.append(f"{usual} (strip beneath a word: more than {UNSURE:g} times that)")
    facts.append(f"{asked.whose}; {finding.how_in_words()}")
    lines = textwrap.wrap(";  ".join(facts), 150)
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
        order = visual_order(line, backwards)
        widths = [width_of(line[at].text) for at in order]
        gaps = [0.0]
        for one, other in zip(order, order[1:]):
            are_joined = abs(one - other) == 1 and not line[max(one, other)].after_blank
            gaps.append(0.0 if are_joined else blank)
        left = room - sum(widths) - sum(gaps) if backwards else 0.0
        for at, gap, width in zip(order, gaps, widths):
            left += gap
            placed.append(Placed(line[at], number, left, left + width))
            left += width
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
