"""Axes whose x is the token: written out where they fit, else an overview and an enlargement around the answer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from huggin.graphs.output import ACCENT, GOLD, QUIET, new_figure
from huggin.graphs.runs import Beside

READABLE = 110  # tokens that can be written side by side on one axis
AROUND = 20  # tokens shown on either side of the answer where there are more
INCHES_PER_TOKEN = 0.145

View = tuple[range, list[Axes]]  # tokens, and their panels from top to bottom


def token_figure(
    title: str, facts: Sequence[dict[str, Any]], names: Sequence[Beside], rows: int, height: float
) -> tuple[Figure, list[list[View]]]:
    """A figure with `rows` panels per view of each run's tokens, the runs one beneath the other, `height` inches each.

    facts of a run: tokens, parts, gold_start, gold_end, question; start and end where a span was chosen.
    """
    ranges = [[range(len(each["tokens"]))] for each in facts]
    for each, views in zip(facts, ranges, strict=True):
        if len(views[0]) > READABLE:
            views.append(_near_answer(each))
    widths = [max(6.0, 1.2 + INCHES_PER_TOKEN * len(views[-1])) * len(views) for views in ranges]
    figure = new_figure(max(widths), height * len(facts), title)
    parts = figure.subfigures(len(facts), 1, squeeze=False)[:, 0]
    return figure, [_panels(*each, rows) for each in zip(parts, names, facts, ranges, strict=True)]


def _panels(part: FigureBase, run: Beside, facts: dict[str, Any], views: Sequence[range], rows: int) -> list[View]:
    grid = part.subplots(rows, len(views), squeeze=False, sharex="col", sharey="row")
    if run.name:
        part.suptitle(run.name, fontsize=10, color=run.colour)
    grid[0, 0].set_title(short(facts["question"]))
    for column, view in enumerate(views):
        _name_tokens(grid[-1, column], facts, view, written=view is views[-1])
        for axes in grid[:, column]:
            _mark(axes, facts, view)
    return [(view, list(grid[:, column])) for column, view in enumerate(views)]


def same_scale(parts: Sequence[Sequence[View]]) -> None:
    """Give the panels of each row the same limits in all runs, so that these can be compared."""
    for row in zip(*(views[0][1] for views in parts), strict=True):
        limits = np.array([axes.get_ylim() for axes in row])
        for axes in row:
            axes.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def short(text: str, length: int = 55) -> str:
    """A text on one line, with … where it is cut."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _near_answer(facts: dict[str, Any]) -> range:
    """Around the gold answer and the model's, as far as both can be written side by side."""
    spans = [(facts["gold_start"], facts["gold_end"]), (facts.get("start", 0), facts.get("end", 0))]
    places = [span for span in spans if span[1]] or spans[:1]
    first, last = min(start for start, _ in places), max(end for _, end in places)
    if last - first > READABLE - 2 * AROUND:
        first, last = places[0]
    begin = max(0, first - AROUND)
    return range(begin, min(len(facts["tokens"]), last + AROUND + 1, begin + READABLE))


def _mark(axes: Axes, facts: dict[str, Any], view: range) -> None:
    """Shade the gold answer, underline the chosen span, and draw a line where question and context meet."""
    if facts["gold_end"]:
        axes.axvspan(facts["gold_start"] - 0.5, facts["gold_end"] + 0.5, color=GOLD, alpha=0.18, linewidth=0)
    if facts.get("end"):
        axes.axvspan(facts["start"] - 0.5, facts["end"] + 0.5, ymax=0.03, color=ACCENT, linewidth=0)
    parts = facts["parts"]
    for token in range(1, len(parts)):
        if "special" in parts[token - 1 : token + 1] and parts[token] != parts[token - 1]:
            axes.axvline(token - 0.5, color=QUIET, linewidth=0.5, linestyle=":")
    axes.axhline(0, color=QUIET, linewidth=0.6)
    axes.set_xlim(view.start - 0.5, view.stop - 0.5)


def _name_tokens(axes: Axes, facts: dict[str, Any], view: range, written: bool) -> None:
    if not written:
        axes.set_xlabel("token's place (enlarged on the right)")
        return
    tokens = [facts["tokens"][token] for token in view]
    axes.set_xticks(view, tokens, rotation=90, fontsize=7, family="monospace")
    for label, part in zip(axes.get_xticklabels(), facts["parts"][view.start : view.stop], strict=True):
        label.set_color("black" if part == "context" else QUIET)
    notes = ["grey: the question", "shaded: the gold answer" if facts["gold_end"] else "no gold answer in this window"]
    if "end" in facts:
        start, end = facts["start"], facts["end"]
        seen = "underlined: the model's" if start in view else f"the model's: tokens {start} to {end}, on the left"
        notes.append(seen if end else "the model gave no answer")
    axes.set_xlabel(f"token ({'; '.join(notes)})")
