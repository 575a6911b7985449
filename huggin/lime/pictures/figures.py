"""Explanation -> figures: sizes on the picture, segments, coefficients, scores, quality, rounds."""

import textwrap
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from scipy.ndimage import distance_transform_edt, find_objects
from skimage.segmentation import mark_boundaries

from huggin.common.text import short
from huggin.graphs.palette import AGAINST, FOR, INK, PAPER, QUIET, SERIES
from huggin.graphs.style import legend_above, new_figure
from huggin.lime.classifiers.classifier import first_answers
from huggin.lime.drawing import draw_curves, explain_bars, families_for, speaking, use_fonts
from huggin.lime.explanation import Explanation as AnyExplanation
from huggin.lime.pictures.scene import Scene
from huggin.lime.surrogate import CHANCE

TINT = 0.7  # of the colour on the segment with the largest coefficient
PALE = 0.5  # of white on the grey picture
SEEN = 0.05  # of the largest coefficient: smaller ones have no number on the picture
GREY = (0.299, 0.587, 0.114)  # luma of red, green and blue
SHARP = 400  # pixels that a picture with lines on it has at least
LABELLED = 40  # segments, above which the axis does not number each
LONG = 8.0  # inches of a picture's longer side
SHORT = 3.2  # inches of its shorter side, at least
BAR = 1.2  # inches of the scale of colours beside it
SEGMENT = "segment"  # the gid of a segment's number
BOX = {"boxstyle": "round,pad=0.15", "facecolor": INK, "edgecolor": "none", "alpha": 0.7}
Explanation = AnyExplanation[Scene, int]


def draw_explanation(explanation: Explanation) -> dict[str, Figure]:
    """The figures of an explanation by their names: a key of PANELS each, and `lime` with all.

    If the order of the segments was compared with others, `faithfulness` has the curves.
    """
    figures = {}
    height, width = explanation.scene.segments.shape
    wide, tall = (max(SHORT, LONG * side / max(height, width)) for side in (width, height))
    own = (wide + BAR, tall + 0.7)  # inches in the picture's shape, with room for scale and title
    for name, (title, size, draw) in PANELS.items():
        wide, tall = size or own
        figures[name] = new_figure(wide, tall, f"{called(explanation)}: {title}")
        draw(figures[name].subplots(), explanation)
    figures["lime"] = _sheet(explanation)
    if explanation.curves:
        title = f"What the order of the segments is worth: {called(explanation)}"
        figures["faithfulness"] = new_figure(11, 4.2, title)
        panels = figures["faithfulness"].subplots(1, 2)
        draw_curves(panels, explanation.curves, "segments", explanation.request.scale)
    for figure in figures.values():
        _finish(figure, explanation.scene)
    return figures


def _finish(figure: Figure, scene: Scene) -> None:
    """Fonts for the names, and numbers that do not cover each other."""
    use_fonts(figure, families_for("".join(scene.classifier.names))[0])
    remove_covered(figure)


def _sheet(explanation: Explanation) -> Figure:
    figure = new_figure(15, 9.2, f"{seen_in(explanation)}: {short(explanation.scene.name)}")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.25, 1))[:, 0]
    panels = [*above.subplots(1, 3), *below.subplots(1, 2, width_ratios=(3, 2))]
    for axes, (title, _, draw) in zip(panels, PANELS.values(), strict=True):
        axes.set_title(title)
        draw(axes, explanation)
    sentence = f"{explanation.score_in_words()}. {explanation.believe}"
    figure.supxlabel(textwrap.fill(sentence, 170), fontsize=10)
    return figure


def seen_in(explanation: Explanation) -> str:
    """What the figures show: the segments that nothing but chance sets apart from the first one."""
    surrogate, top = explanation.surrogate, explanation.top
    if not len(top):
        return f"No segment speaks for {called(explanation)} beyond chance"
    below = surrogate.coefficients[top[0]] - surrogate.coefficients
    chance = CHANCE * np.hypot(surrogate.standard_errors[top[0]], surrogate.standard_errors)
    first = np.flatnonzero(~(below > chance)).tolist()
    if len(first) > len(top):
        return f"Many segments speak for {called(explanation)}"
    if len(first) == 1:
        return f"Segment {first[0]} speaks most for {called(explanation)}"
    numbers = f"{', '.join(map(str, first[:-1]))} and {first[-1]}"
    return f"Segments {numbers} speak most for {called(explanation)}"


def called(explanation: Explanation) -> str:
    """What is explained, short enough for a title; both halves of a contrast."""
    halves = explanation.target.name.split(" - ", 1)
    return " - ".join(short(half, 55 // len(halves)) for half in halves)


def _coefficients(axes: Axes, explanation: Explanation) -> None:
    surrogate = explanation.surrogate
    numbers = np.arange(len(surrogate.coefficients))
    colours = speaking(surrogate.coefficients, surrogate.clear)
    known = bool(np.isfinite(surrogate.standard_errors).all())
    errors = surrogate.standard_errors if known else None
    look: Any = {"color": colours, "capsize": 2, "error_kw": {"lw": 1}}
    axes.bar(numbers, surrogate.coefficients, yerr=errors, **look)
    note = " (whiskers: ± 1 standard error)" if known else ""
    axes.set(xlabel=f"segment{note}", ylabel=f"coefficient ({explanation.request.scale})")
    axes.axhline(0, color=INK, lw=0.8)
    explain_bars(axes)
    axes.margins(x=0.01, y=0.1)
    if len(numbers) <= LABELLED:
        axes.set_xticks(numbers, map(str, numbers), fontsize=7)


def _top_segments(axes: Axes, explanation: Explanation) -> None:
    """The picture in grey; a segment's colour is as strong as its coefficient is large.

    Segments that may be chance, or have no effect, are left grey.
    """
    scene, surrogate = explanation.scene, explanation.surrogate
    most = float(np.abs(surrogate.coefficients).max()) or 1.0
    sizes = np.where(surrogate.clear, surrogate.coefficients / most, 0)
    share = sizes[scene.segments][..., None]
    grey = (scene.picture @ GREY * (1 - PALE) + PALE)[..., None]
    tint = TINT * np.abs(share)
    full = np.where(share > 0, to_rgb(FOR), to_rgb(AGAINST))
    show_picture(axes, grey * (1 - tint) + full * tint)
    ends = [TINT * np.array(to_rgb(colour)) + 1 - TINT for colour in (AGAINST, PAPER, FOR)]
    tints = LinearSegmentedColormap.from_list("tints", ends)
    scale = ScalarMappable(Normalize(-most, most), tints)
    label = f"coefficient ({explanation.request.scale}): against < 0 < for"
    bar = axes.figure.colorbar(scale, ax=axes, label=label, shrink=0.8, pad=0.02)
    if surrogate.coefficients.any():
        bar.ax.set_ylim(min(0, surrogate.coefficients.min()), max(0, surrogate.coefficients.max()))
    number_segments(axes, scene.segments, np.flatnonzero(abs(sizes) >= SEEN), fontsize=10)


def _only_segments(axes: Axes, explanation: Explanation) -> None:
    """The top segments alone, as the classifier sees the picture if all others are hidden."""
    scene, top = explanation.scene, explanation.top
    show_picture(axes, scene.hide(np.setdiff1d(np.arange(scene.count), top)))
    numbers = ", ".join(map(str, top)) or "none: no segment speaks for it beyond chance"
    axes.text(0.5, -0.02, numbers, transform=axes.transAxes, ha="center", va="top", fontsize=9)


def _numbered_segments(axes: Axes, explanation: Explanation) -> None:
    scene = explanation.scene
    scale = -(-SHARP // min(scene.picture.shape[:2]))  # so that the lines are thin
    both = (scene.picture, scene.segments)
    picture, segments = (pixels.repeat(scale, 0).repeat(scale, 1) for pixels in both)
    show_picture(axes, mark_boundaries(picture, segments, color=(1, 1, 0)))
    fontsize = 8 if scene.count <= LABELLED else 5.5
    places = number_segments(axes, scene.segments, np.arange(scene.count), fontsize, scale)
    axes.autoscale(False)
    for pair in explanation.surrogate.pairs:
        ends = zip(places[pair.first], places[pair.second])
        colour, line = (FOR, "-") if pair.beyond > 0 else (AGAINST, ":")
        axes.plot(*ends, color=colour, linestyle=line, lw=2.5)
    if explanation.surrogate.pairs:
        note = "solid lines: pairs that give more than their sum; dotted: less"
        axes.text(0.5, -0.045, note, transform=axes.transAxes, ha="center", va="top", fontsize=8)


def show_picture(axes: Axes, picture: np.ndarray) -> None:
    """Show a picture (height, width, 3) in [0, 1], without axes."""
    axes.imshow(np.clip(picture, 0, 1), interpolation="nearest")
    axes.set_axis_off()


def _scores(axes: Axes, explanation: Explanation) -> None:
    scores = explanation.scores
    spread = None if np.ptp(scores) > 0 else (scores[0] - 0.5, scores[0] + 0.5)
    axes.hist(scores, bins=30, range=spread, color=SERIES[4])
    mean = scores.mean()
    full = scores[0]
    axes.axvline(mean, color=QUIET, ls="--", label=f"mean over the masks: {mean:.3g}")
    axes.axvline(full, color=INK, ls="-", label=f"full picture: {full:.3g}")
    what = f"{explanation.request.scale} of {called(explanation)}"
    axes.set(xlabel=what, ylabel="masked pictures")
    axes.locator_params(axis="x", nbins=5)
    legend_above(axes)


def draw_rounds(scenes: list[Scene]) -> Figure:
    """A strip: the picture and what is left of it after each round, with the classifier's words."""
    names = scenes[0].classifier.names
    title = f"What is it without the segments that speak for it? {short(scenes[0].name)}"
    figure = new_figure(3.6 * len(scenes), 4.9, title)
    for number, scene in enumerate(scenes):
        axes = figure.add_subplot(1, len(scenes), number + 1)
        show_picture(axes, scene.picture)
        lines = [
            f"{scene.answers[index]:.3f}  {short(names[index], 34)}"
            for index in first_answers(scene.answers, 3)
        ]
        axes.set_title("full picture" if number == 0 else f"round {number}")
        axes.text(0, -0.03, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=9)
    _finish(figure, scenes[0])
    return figure


# Numbers on the segments, which never cover each other, and always lie inside


def number_segments(
    axes: Axes, segments: np.ndarray, chosen: np.ndarray, fontsize: float, scale: int = 1
) -> dict[int, tuple[float, float]]:
    """Write the number of each chosen segment in its widest place, the most spacious first.

    segments: (height, width) int; scale: by which the picture in the axes is larger. Returns the
    place (x, y) of each.
    """
    boxes = find_objects(segments + 1)
    places = []
    for segment in chosen.tolist():
        rows, columns = boxes[segment]
        inside = np.pad(segments[rows, columns] == segment, 1)
        depth = distance_transform_edt(inside)[1:-1, 1:-1]
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        places.append((depth.max(), row + rows.start, column + columns.start, segment))
    middles = {}
    look: Any = {"ha": "center", "va": "center", "fontsize": fontsize, "color": PAPER}
    for _, row, column, segment in sorted(places, reverse=True):
        middles[segment] = ((column + 0.5) * scale - 0.5, (row + 0.5) * scale - 0.5)
        axes.text(*middles[segment], str(segment), gid=SEGMENT, bbox=dict(BOX), **look)
    return middles


def remove_covered(figure: Figure) -> None:
    """Remove the numbers that would cover an earlier one or leave their picture, and say so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that no font has; see fonts.missing_in
        figure.draw_without_rendering()  # so that the texts have their places
    for axes in figure.axes:
        numbers = [text for text in axes.texts if text.get_gid() == SEGMENT]
        frame = axes.get_window_extent()
        kept: list[Bbox] = []
        for text in numbers:
            box = (text.get_bbox_patch() or text).get_window_extent()
            outside = box.width > frame.width or not frame.padded(box.height / 2).containsx(box.x0)
            if outside or any(box.overlaps(other) for other in kept):
                text.remove()
            else:
                kept.append(box)
        if len(kept) < len(numbers):
            note = f"{len(kept)} of {len(numbers)} numbers fit"
            axes.text(0.5, -0.01, note, transform=axes.transAxes, ha="center", va="top", fontsize=8)


Panel = tuple[str, tuple[float, float] | None, Callable[[Axes, Explanation], None]]
PANELS: dict[str, Panel] = {  # title, inches (None: in the picture's shape), how it is drawn
    "top_segments": ("How much each segment speaks for or against it", None, _top_segments),
    "only_segments": ("Only the segments that speak most for it", None, _only_segments),
    "numbered_segments": ("All segments", None, _numbered_segments),
    "segment_coeffs": ("Coefficient of each segment", (9, 4.2), _coefficients),
    "prob_topclassification": ("Its score over the masks", (7, 4.2), _scores),
}
