"""Numbers on the segments of a picture that never cover each other, and always lie inside."""

import warnings
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from scipy.ndimage import distance_transform_edt, find_objects

SEGMENT = "segment"  # the gid of such texts
BOX = {"boxstyle": "round,pad=0.15", "facecolor": "black", "edgecolor": "none", "alpha": 0.65}


def number_segments(
    axes: Axes, segments: np.ndarray, chosen: np.ndarray, fontsize: float, scale: int = 1
) -> dict[int, tuple[float, float]]:
    """Write the number of each chosen segment in its widest place, the most spacious first.

    segments: (height, width) int; scale: by which the picture in the axes is larger. Returns the
    place (x, y) of each.
    """
    boxes = find_objects(segments + 1)
    places = []
    for segment in chosen:
        inside = np.pad(segments[boxes[segment]] == segment, 1)
        depth = distance_transform_edt(inside)[1:-1, 1:-1]
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        corner = (boxes[segment][0].start, boxes[segment][1].start)
        places.append((depth.max(), row + corner[0], column + corner[1], segment))
    middles = {}
    for _, row, column, segment in sorted(places, reverse=True):
        middle = ((column + 0.5) * scale - 0.5, (row + 0.5) * scale - 0.5)
        look: dict[str, Any] = {
            "ha": "center",
            "va": "center",
            "fontsize": fontsize,
            "color": "white",
        }
        axes.text(*middle, str(segment), gid=SEGMENT, bbox=dict(BOX), **look)
        middles[int(segment)] = middle
    return middles


def remove_covered(figure: Figure) -> None:
    """Remove the numbers that would cover an earlier one or leave their picture, and say so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that no font has; see fonts.missing_in
        figure.draw_without_rendering()  # so that the texts have their places
    for axes in figure.axes:
        numbers = [text for text in axes.texts if text.get_gid() == SEGMENT]
        removed = _covered(axes, numbers)
        for text in removed:
            text.remove()
        if removed:
            shown = len(numbers) - len(removed)
            note = f"{shown} of {len(numbers)} numbers fit"
            axes.text(0.5, -0.01, note, transform=axes.transAxes, ha="center", va="top", fontsize=8)


def _covered(axes: Axes, texts: list[Text]) -> list[Text]:
    frame = axes.get_window_extent()
    kept: list[Bbox] = []
    removed = []
    for text in texts:
        patch = text.get_bbox_patch()
        box = (patch or text).get_window_extent()
        outside = box.width > frame.width or not frame.padded(box.height / 2).containsx(box.x0)
        if outside or any(box.overlaps(other) for other in kept):
            removed.append(text)
        else:
            kept.append(box)
    return removed
