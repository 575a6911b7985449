"""Axes whose x is the token, with the tokens' names if they fit.

A long window is drawn more than once: as a whole, and enlarged around the true answer and around
the model's answer, with the tokens' names.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from huggin.common.text import short
from huggin.common.window import Window
from huggin.graphs.palette import GOLD, INK, MODEL, QUIET
from huggin.graphs.runs import Beside
from huggin.graphs.style import dots, new_figure, same_limits

READABLE = 110  # tokens whose names fit side by side on one axis
AROUND = 20  # tokens on either side of the answers in an enlargement of both
AROUND_EACH = 12  # tokens on either side of one answer if each has its own enlargement
INCHES_PER_TOKEN = 0.145
LETTERS_PER_INCH = 12  # of a note below a view
NARROWEST = 7.0  # inches of a figure, so that its title fits
WHOLE_INCHES = 6.0  # width of a view that has no names


@dataclass(frozen=True)
class View:
    """A part of a window, and the panels that show it."""

    tokens: range
    panels: list[Axes]  # from top to bottom

    def cut(self, values: np.ndarray) -> np.ndarray:
        """The view's part of values whose last axis is the token."""
        return values[..., self.tokens.start : self.tokens.stop]

    def plot(self, row: int, values: np.ndarray, **look: Any) -> None:
        """Draw the view's part of a line over all tokens. values: (tokens,)."""
        look["marker"] = dots(len(self.tokens))
        self.panels[row].plot(self.tokens, self.cut(values), **look)


@dataclass(frozen=True)
class Shown:
    """A window that is drawn, with the model's answer if the figure is about one."""

    window: Window
    has_prediction: bool = False
    start: int = 0  # first token of the model's answer
    end: int = 0  # last token of the model's answer; 0 or less if it gave none

    @property
    def answers(self) -> dict[str, tuple[int, int]]:
        """First and last token of the true answer and of the model's, of those that there are."""
        spans = {}
        if self.window.has_answer:
            spans["true answer"] = (self.window.gold_start, self.window.gold_end)
        if self.has_answered:
            spans["model's"] = (self.start, self.end)
        return spans

    @property
    def has_answered(self) -> bool:
        """Whether there is an answer of the model."""
        return self.has_prediction and self.end > 0


def token_figure(
    title: str, shown: Sequence[Shown], names: Sequence[Beside], rows: int, height: float
) -> tuple[Figure, list[list[View]]]:
    """A figure of `rows` panels for each view of each run's window, the runs below each other.

    height: inches for each run. Returns the figure and each run's views.
    """
    ranges = [views_of(each) for each in shown]
    widths = [sum(map(_inches, views)) for views in ranges]
    figure = new_figure(max(NARROWEST, *widths), height * len(shown), title)
    parts = figure.subfigures(len(shown), 1, squeeze=False)[:, 0]
    views = [_panels(*each, rows) for each in zip(parts, names, shown, ranges, strict=True)]
    return figure, views


def same_scale(parts: Sequence[Sequence[View]]) -> None:
    """Give the panels of each row the same limits in all runs, so that they can be compared."""
    for row in zip(*(views[0].panels for views in parts), strict=True):
        same_limits(row)


def views_of(shown: Shown) -> list[range]:
    """All tokens; of a long window also those around the answers, around each if they are far."""
    size = len(shown.window.tokens)
    if size <= READABLE:
        return [range(size)]
    spans = sorted({*shown.answers.values()} or {(0, 0)})
    first, last = spans[0][0], max(end for _, end in spans)
    if last - first <= READABLE - 2 * AROUND or len(spans) == 1:
        return [range(size), _around(first, last, AROUND, size)]
    return [range(size), *(_around(*span, AROUND_EACH, size) for span in spans)]


def _around(first: int, last: int, room: int, size: int) -> range:
    """Tokens `first` to `last` with `room` tokens on either side, at most READABLE of them."""
    begin = max(0, first - room)
    return range(begin, min(size, last + room + 1, begin + READABLE))


def _inches(view: range) -> float:
    """Width of a view: enough for its names, or the usual one."""
    if len(view) > READABLE:
        return WHOLE_INCHES
    return max(4.0, 1.2 + INCHES_PER_TOKEN * len(view))


def _panels(
    part: FigureBase, run: Beside, shown: Shown, views: Sequence[range], rows: int
) -> list[View]:
    shared: Any = {"sharex": "col", "sharey": "row", "width_ratios": list(map(_inches, views))}
    grid = part.subplots(rows, len(views), squeeze=False, **shared)
    if run.name:
        part.suptitle(run.name, fontsize=10)
    grid[0, 0].set_title(short(shown.window.question))
    for view, panels in zip(views, grid.T, strict=True):
        _name_tokens(panels[-1], shown, view)
        for axes in panels:
            _mark(axes, shown, view)
    return [View(view, list(panels)) for view, panels in zip(views, grid.T, strict=True)]


def edges_of_answer(window: Window) -> tuple[float, float]:
    """Where the true answer begins and ends on an axis of tokens."""
    return window.gold_start - 0.5, window.gold_end + 0.5


def _mark(axes: Axes, shown: Shown, view: range) -> None:
    """Shade the true answer, underline the model's, and separate question and context."""
    window = shown.window
    if window.has_answer:
        axes.axvspan(*edges_of_answer(window), color=GOLD, alpha=0.18, linewidth=0)
    if shown.has_answered:
        axes.axvspan(shown.start - 0.5, shown.end + 0.5, ymax=0.03, color=MODEL, linewidth=0)
    for token in range(1, len(window.parts)):
        before, after = window.parts[token - 1 : token + 1]
        if before != after and "special" in (before, after):
            axes.axvline(token - 0.5, color=QUIET, linewidth=0.5, linestyle=":")
    axes.axhline(0, color=QUIET, linewidth=0.6)
    axes.set_xlim(view.start - 0.5, view.stop - 0.5)


def _name_tokens(axes: Axes, shown: Shown, view: range) -> None:
    """Write the tokens below the axes if they fit, and what the marks mean."""
    if len(view) > READABLE:
        axes.set_xlabel(f"token's place ({'; '.join(_places(shown))})")
        return
    names = shown.window.tokens[view.start : view.stop]
    axes.set_xticks(view, names, rotation=90, fontsize=7, family="monospace")
    parts = shown.window.parts[view.start : view.stop]
    for label, part in zip(axes.get_xticklabels(), parts, strict=True):
        label.set_color(INK if part == "context" else QUIET)
    axes.set_xlabel(_in_lines(f"token ({'; '.join(_notes(shown, view))})", view))


def explain(views: Sequence[View], names: Mapping[str, str]) -> None:
    """Call the marks of views otherwise, in the notes below them; names: by the usual ones."""
    for view in views:
        axes = view.panels[-1]
        text = axes.get_xlabel()
        for usual, name in names.items():
            text = text.replace(usual, name)
        axes.set_xlabel(_in_lines(text, view.tokens))


def _in_lines(text: str, view: range) -> str:
    """A note below a view, in lines that are not wider than it."""
    return textwrap.fill(" ".join(text.split()), int(LETTERS_PER_INCH * _inches(view)))


def _places(shown: Shown) -> list[str]:
    """Where the answers are, for a view that is too narrow to see it."""
    places = ["enlarged on the right"]
    for name, (start, end) in shown.answers.items():
        places.append(f"{name}: {start}" if start == end else f"{name}: {start} to {end}")
    return places


def _notes(shown: Shown, view: range) -> list[str]:
    """What the colours and marks of a view mean."""
    window = shown.window
    notes = []
    if "question" in window.parts[view.start : view.stop]:
        notes.append("grey: the question")
    if not window.has_answer:
        notes.append("no given answer in this window")
    elif window.gold_start in view:
        notes.append("shaded: the true answer")
    if shown.has_answered and shown.start in view:
        text = short(" ".join(window.tokens[shown.start : shown.end + 1]), 40)
        notes.append(f"underlined: the model's, “{text}”")
    elif shown.has_prediction and not shown.has_answered:
        notes.append("the model gave no answer")
    return notes or ["around the answer"]
