"""Axes whose x is the token, with names where they fit.

A long window is drawn twice: as a whole, and enlarged around the answer with its tokens written.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from huggin.common.text import short
from huggin.common.window import Window
from huggin.graphs.runs import Beside
from huggin.graphs.style import ACCENT, GOLD, QUIET, new_figure

READABLE = 110  # tokens that can be written side by side on one axis
AROUND = 20  # tokens shown on either side of the answer in an enlargement
INCHES_PER_TOKEN = 0.145

View = tuple[range, list[Axes]]  # tokens, and their panels from top to bottom


@dataclass(frozen=True)
class Shown:
    """A window that is drawn, with the model's answer where the figure is about one."""

    window: Window
    has_prediction: bool = False
    start: int = 0  # first token of the model's answer
    end: int = 0  # last token of the model's answer, 0 if it gave none

    @property
    def gold(self) -> tuple[int, int]:
        """First and last token of the true answer."""
        return self.window.gold_start, self.window.gold_end


def token_figure(
    title: str, shown: Sequence[Shown], names: Sequence[Beside], rows: int, height: float
) -> tuple[Figure, list[list[View]]]:
    """A figure of `rows` panels for each view of each run's window, the runs below each other.

    height: inches for each run. Returns the figure and each run's views.
    """
    ranges = [_views_of(each) for each in shown]
    widths = [_width(views) for views in ranges]
    figure = new_figure(max(widths), height * len(shown), title)
    parts = figure.subfigures(len(shown), 1, squeeze=False)[:, 0]
    views = [_panels(*each, rows) for each in zip(parts, names, shown, ranges, strict=True)]
    return figure, views


def same_scale(parts: Sequence[Sequence[View]]) -> None:
    """Give the panels of each row the same limits in all runs, so that these can be compared."""
    for row in zip(*(views[0][1] for views in parts), strict=True):
        limits = np.array([axes.get_ylim() for axes in row])
        for axes in row:
            axes.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def _views_of(shown: Shown) -> list[range]:
    """All tokens; of a long window also those near the answer."""
    tokens = range(len(shown.window.tokens))
    if len(tokens) <= READABLE:
        return [tokens]
    return [tokens, _near_answer(shown)]


def _width(views: Sequence[range]) -> float:
    """Inches for the views of one run; all are as wide as the one with written tokens."""
    return max(6.0, 1.2 + INCHES_PER_TOKEN * len(views[-1])) * len(views)


def _near_answer(shown: Shown) -> range:
    """The tokens around the true answer and the model's, if both fit side by side."""
    spans = [shown.gold, (shown.start, shown.end)]
    places = [span for span in spans if span[1]] or spans[:1]
    first = min(start for start, _ in places)
    last = max(end for _, end in places)
    if last - first > READABLE - 2 * AROUND:
        first, last = places[0]
    begin = max(0, first - AROUND)
    return range(begin, min(len(shown.window.tokens), last + AROUND + 1, begin + READABLE))


def _panels(
    part: FigureBase, run: Beside, shown: Shown, views: Sequence[range], rows: int
) -> list[View]:
    grid = part.subplots(rows, len(views), squeeze=False, sharex="col", sharey="row")
    if run.name:
        part.suptitle(run.name, fontsize=10, color=run.colour)
    grid[0, 0].set_title(short(shown.window.question))
    for column, view in enumerate(views):
        _name_tokens(grid[-1, column], shown, view, written=view is views[-1])
        for axes in grid[:, column]:
            _mark(axes, shown, view)
    return [(view, list(grid[:, column])) for column, view in enumerate(views)]


def _mark(axes: Axes, shown: Shown, view: range) -> None:
    """Shade the true answer, underline the model's, and draw a line between question and context."""
    window = shown.window
    if window.has_answer:
        left, right = window.gold_start - 0.5, window.gold_end + 0.5
        axes.axvspan(left, right, color=GOLD, alpha=0.18, linewidth=0)
    if shown.end:
        axes.axvspan(shown.start - 0.5, shown.end + 0.5, ymax=0.03, color=ACCENT, linewidth=0)
    for token in range(1, len(window.parts)):
        before, after = window.parts[token - 1 : token + 1]
        if before != after and "special" in (before, after):
            axes.axvline(token - 0.5, color=QUIET, linewidth=0.5, linestyle=":")
    axes.axhline(0, color=QUIET, linewidth=0.6)
    axes.set_xlim(view.start - 0.5, view.stop - 0.5)


def _name_tokens(axes: Axes, shown: Shown, view: range, written: bool) -> None:
    if not written:
        axes.set_xlabel("token's place (enlarged on the right)")
        return
    window = shown.window
    names = window.tokens[view.start : view.stop]
    axes.set_xticks(view, names, rotation=90, fontsize=7, family="monospace")
    parts = window.parts[view.start : view.stop]
    for label, part in zip(axes.get_xticklabels(), parts, strict=True):
        label.set_color("black" if part == "context" else QUIET)
    axes.set_xlabel(f"token ({'; '.join(_notes(shown, view))})")


def _notes(shown: Shown, view: range) -> list[str]:
    """What the colours and marks of an axis mean."""
    gold = "shaded: the gold answer"
    notes = ["grey: the question"]
    notes.append(gold if shown.window.has_answer else "no gold answer in this window")
    if not shown.has_prediction:
        return notes
    if not shown.end:
        return [*notes, "the model gave no answer"]
    elsewhere = f"the model's: tokens {shown.start} to {shown.end}, on the left"
    notes.append("underlined: the model's" if shown.start in view else elsewhere)
    return notes
