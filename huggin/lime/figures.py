"""Explanation -> figures: coefficients, segments on the picture, scores over the masks, one sheet with all, quality."""

import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.ndimage import distance_transform_edt
from skimage.segmentation import mark_boundaries

from huggin.common.text import short
from huggin.graphs.style import ACCENT, END, GOLD, QUIET, START, legend_above, new_figure
from huggin.lime.explanation import Explanation, in_words
from huggin.lime.rounds import Round

DIMMED = 0.3  # of a picture's light outside the top segments
SHARP = 400  # pixels of a picture with lines on it, at least
LABELLED = 40  # segments, above which the axis does not number each
ORDERS = {"LIME": START, "leave-one-out": END, "random": QUIET}


def draw_explanation(explanation: Explanation) -> dict[str, Figure]:
    """`segment_coeffs`, `top_segments`, `numbered_segments`, `prob_topclassification`, and `lime`, a sheet with all."""
    figures = {}
    for name, (title, size, draw) in PANELS.items():
        figures[name] = new_figure(*size, f"{title}: {called(explanation)}")
        draw(figures[name].subplots(), explanation)
    return {**figures, "lime": _sheet(explanation)}


def _sheet(explanation: Explanation) -> Figure:
    figure = new_figure(13, 10.5, f"Why {called(explanation)}? {short(explanation.scene.name)}")
    grid = figure.add_gridspec(3, 2, height_ratios=(1, 0.8, 0.32))
    for place, name in enumerate(
        ("top_segments", "numbered_segments", "segment_coeffs", "prob_topclassification")
    ):
        title, _, draw = PANELS[name]
        axes = figure.add_subplot(grid[place // 2, place % 2])
        axes.set_title(title)
        draw(axes, explanation)
    words = figure.add_subplot(grid[2, :])
    words.set_axis_off()
    text = "\n".join(line for fact in in_words(explanation) for line in textwrap.wrap(fact, 150))
    words.text(0, 1, text, va="top", fontsize=9.5, linespacing=1.4)
    return figure


def called(explanation: Explanation) -> str:
    """What is explained, short enough for a title; both halves of a contrast."""
    halves = explanation.target.name.split(" - ", 1)
    return " - ".join(short(half, 55 // len(halves)) for half in halves)


def _coefficients(axes: Axes, explanation: Explanation) -> None:
    surrogate, top = explanation.surrogate, explanation.top
    numbers = np.arange(len(surrogate.coefficients))
    colours = np.where(
        np.isin(numbers, top), START, np.where(surrogate.coefficients > 0, "#9ecae1", END)
    )
    known = bool(np.isfinite(surrogate.standard_errors).all())
    errors = surrogate.standard_errors if known else None
    axes.bar(
        numbers, surrogate.coefficients, yerr=errors, color=colours, capsize=2, error_kw={"lw": 1}
    )
    for rank, segment in enumerate(top, start=1):
        height = surrogate.coefficients[segment] + (
            surrogate.standard_errors[segment] if known else 0
        )
        axes.annotate(
            f"{rank}",
            (segment, height),
            (0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    note = "dark blue: top segments, by rank" + (";  whiskers: ± 1 standard error" if known else "")
    axes.set(xlabel=f"segment    ({note})", ylabel=f"coefficient ({explanation.request.scale})")
    axes.axhline(0, color="black", lw=0.8)
    axes.margins(x=0.01, y=0.1)
    if len(numbers) <= LABELLED:
        axes.set_xticks(numbers, map(str, numbers), fontsize=7)


def _top_segments(axes: Axes, explanation: Explanation) -> None:
    scene, top = explanation.scene, explanation.top
    seen = np.isin(scene.segments, top)[..., None]
    show_picture(axes, np.where(seen, scene.picture, scene.picture * DIMMED))
    for rank, segment in enumerate(top, start=1):
        inside = scene.segments == segment
        around = np.pad(inside, 1)  # so that lines close at the picture's edge
        places = [np.arange(-1, size + 1) for size in inside.shape[::-1]]
        axes.contour(*places, around, levels=[0.5], colors="white", linewidths=1.2)
        _number(axes, inside, str(rank), fontsize=13)
    if not len(top):
        note = "no segment speaks for it beyond chance"
        axes.text(0.5, 0.5, note, transform=axes.transAxes, ha="center", color="white")


def _numbered_segments(axes: Axes, explanation: Explanation) -> None:

    scene = explanation.scene
    larger = -(-SHARP // scene.picture.shape[0])  # so that the lines are thin
    picture, segments = (
        each.repeat(larger, 0).repeat(larger, 1) for each in (scene.picture, scene.segments)
    )
    show_picture(axes, mark_boundaries(picture, segments, color=(1, 1, 0)))
    for segment in range(scene.count):
        _number(axes, segments == segment, str(segment), fontsize=8)


def _number(axes: Axes, inside: np.ndarray, text: str, fontsize: float) -> None:
    """Write in the middle of the segment's widest place, which is never outside it."""

    depth = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    box = {"boxstyle": "round,pad=0.15", "facecolor": "black", "edgecolor": "none", "alpha": 0.65}
    axes.text(
        column, row, text, ha="center", va="center", fontsize=fontsize, color="white", bbox=box
    )


def show_picture(axes: Axes, picture: np.ndarray) -> None:
    """Show a picture (height, width, 3) in [0, 1], without axes."""
    axes.imshow(np.clip(picture, 0, 1), interpolation="nearest")
    axes.set_axis_off()


def _scores(axes: Axes, explanation: Explanation) -> None:
    scores = explanation.scores
    axes.hist(scores, bins=30, color="#9ecae1")
    lines = (
        ("mean over the masks", scores.mean(), ACCENT, "--"),
        ("full picture", scores[0], GOLD, "-"),
    )
    for name, value, colour, style in lines:
        axes.axvline(value, color=colour, ls=style, label=f"{name}: {value:.3g}")
    axes.set(
        xlabel=f"{explanation.request.scale} of {called(explanation)}", ylabel="masked pictures"
    )
    axes.locator_params(axis="x", nbins=5)
    legend_above(axes)


def draw_faithfulness(curves: dict[str, dict[str, Any]], explanation: Explanation) -> Figure:
    """The score as segments are hidden one by one, and as they are shown one by one, in several orders."""
    title = f"What the order of the segments is worth: {called(explanation)}"
    figure = new_figure(11, 4.2, title)
    for axes, way, xlabel in zip(
        figure.subplots(1, 2), ("deletion", "insertion"), ("hidden", "seen")
    ):
        for name, one in curves.items():
            label = f"{name}: area {one[f'{way}_auc']:.3f}"
            axes.plot(one[way], color=ORDERS[name], label=label, marker=".", markersize=4)
        axes.set(xlabel=f"segments {xlabel}", ylabel=explanation.request.scale)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_title(f"{way} ({'lower' if way == 'deletion' else 'higher'} is better)")
        axes.legend()
    return figure


def draw_rounds(rounds: list[Round]) -> Figure:
    """A strip: the picture, and what is left of it after each round, with what the classifier says of it."""
    scene = rounds[0].explanation.scene
    shown = [(scene.picture, rounds[0].before)] + [(one.hidden, one.after) for one in rounds]
    title = f"What is it without the segments that speak for it? {short(scene.name)}"
    figure = new_figure(3.6 * len(shown), 4.9, title)
    for number, (picture, probabilities) in enumerate(shown):
        axes = figure.add_subplot(1, len(shown), number + 1)
        show_picture(axes, picture)
        names = scene.classifier.labels.names
        best = probabilities.argsort()[::-1][:3]
        lines = [f"{probabilities[index]:.3f}  {short(names[index], 34)}" for index in best]
        axes.set_title("full picture" if number == 0 else f"round {number}")
        axes.text(0, -0.03, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=9)
    return figure


Panel = tuple[str, tuple[float, float], Callable[[Axes, Explanation], None]]
PANELS: dict[str, Panel] = {
    "segment_coeffs": ("Coefficient of each segment", (9, 4.2), _coefficients),
    "top_segments": ("Top segments, by rank", (6, 6.2), _top_segments),
    "numbered_segments": ("Segments", (6, 6.2), _numbered_segments),
    "prob_topclassification": ("The class's score over the masks", (7, 4.2), _scores),
}
