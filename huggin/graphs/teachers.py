"""Who taught a question -> what each training question had pushed by which step."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.analysis.teachers import Taught, Teacher
from huggin.common.text import short
from huggin.graphs import palette, style

LINES = 5  # proponents, and as many opponents
ALL = (5, 95)  # percent of all questions, whose curves are a band
NOISE = "near it all is noise"


def draw_teachers(taught: Taught) -> dict[str, Figure]:
    """`teachers`: each one's pushes added up, over the steps; below, the question's loss."""
    title = f"Who taught: {short(taught.question, 70)} -> {short(taught.answer, 30) or '(none)'}"
    figure = style.new_figure(11, 6.5, title)
    panels = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1), squeeze=False)[:, 0]
    steps, curves = taught.pushes.curves
    seen = np.unique(taught.pushes.index)
    low, high = np.percentile(curves[seen], ALL, axis=0)
    panels[0].fill_between(steps, low, high, color=palette.QUIET, alpha=0.3, linewidth=0)
    _draw(panels[0], taught.proponents(LINES), steps, curves, "-")
    _draw(panels[0], taught.opponents(LINES), steps, curves, "--")
    panels[0].set_ylabel("loss lowered (nats)")
    band = f"grey: {ALL[1] - ALL[0]} % of all {len(seen):,} questions"
    panels[0].set_title(f"added up, through the head; dashed: opponents; {band}; {NOISE}")
    style.by_step(panels[1], "its loss (nats)")
    if taught.losses:
        panels[1].plot(*taught.losses, color=palette.INK)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=2)
    style.say_drawn_for(figure, question=short(taught.question))
    return {"teachers": figure}


def _draw(
    axes: Axes, teachers: list[Teacher], steps: np.ndarray, curves: np.ndarray, line: str
) -> None:
    for teacher, colour in zip(teachers, palette.SERIES):
        text = f"{short(teacher.question, 80)} -> {short(teacher.answer, 30) or '(none)'}"
        label = f"{teacher.push:+.4f}  question {teacher.index}: {text}"
        axes.plot(steps, curves[teacher.index], line, color=colour, label=label)
