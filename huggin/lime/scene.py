"""Picture + classifier -> what LIME works on: segments of the picture, and the fill that hides them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from huggin.door import UserError
from huggin.lime.classifier import Classifier
from huggin.lime.pictures import resized


@dataclass(frozen=True)
class Scene:
    """A picture at the classifier's size, cut into segments."""

    name: str
    classifier: Classifier
    picture: np.ndarray  # (height, width, 3) float32 in [0, 1]
    segments: np.ndarray  # (height, width) int32, 0 to count - 1
    fill: np.ndarray  # (height, width, 3) float32: what is seen where a segment is hidden

    @property
    def count(self) -> int:
        """How many segments there are."""
        return int(self.segments.max()) + 1

    def hide(self, hidden: np.ndarray) -> np.ndarray:
        """The picture with the segments of these numbers hidden."""
        return np.where(np.isin(self.segments, hidden)[..., None], self.fill, self.picture)


def make_scene(name: str, classifier: Classifier, picture: np.ndarray, segmenter: str, wanted: int, fill: str) -> Scene:
    """Fit the picture (height, width, 3) to the classifier's input and cut it into segments.

    `wanted`: about how many segments `slic` and `grid` make. Raises UserError where there is but one, or one colour.
    """
    fitted = resized(picture, classifier.size)
    if np.ptp(fitted, axis=(0, 1)).max() < 1 / 255:
        raise UserError(f"{name}: of a single colour; give a picture with something in it")
    segments = relabelled(SEGMENTERS[segmenter](fitted, wanted))
    if segments.max() == 0:
        advice = "give more --segments" if segmenter in ("grid", "slic") else "try --segmenter grid"
        raise UserError(f"{name}: {segmenter} finds one segment only; {advice}")
    return Scene(name, classifier, fitted, segments, FILLS[fill](fitted, segments))


def relabelled(segments: np.ndarray) -> np.ndarray:
    """Labels of any kind (height, width) as 0 to count - 1, in the same order."""
    return np.unique(segments, return_inverse=True)[1].reshape(segments.shape).astype(np.int32)


def _quickshift(picture: np.ndarray, _: int) -> np.ndarray:
    """The older toolkit's, on its range of pixels: other ranges give other segments."""
    from skimage.segmentation import quickshift

    return quickshift(picture * 2 - 1, kernel_size=6, max_dist=200, ratio=0.2)


def _slic(picture: np.ndarray, wanted: int) -> np.ndarray:
    from skimage.segmentation import slic

    return slic(picture, n_segments=wanted, start_label=0)


def _felzenszwalb(picture: np.ndarray, _: int) -> np.ndarray:
    from skimage.segmentation import felzenszwalb

    return felzenszwalb(picture, scale=200, sigma=0.8, min_size=picture.shape[0] * picture.shape[1] // 200)


def _grid(picture: np.ndarray, wanted: int) -> np.ndarray:
    """Cells of equal size, about as many rows as columns."""
    height, width = picture.shape[:2]
    rows = max(1, round(wanted**0.5))
    columns = max(1, round(wanted / rows))
    return (np.arange(height) * rows // height)[:, None] * columns + np.arange(width) * columns // width


def _blurred(picture: np.ndarray, _: np.ndarray) -> np.ndarray:
    from skimage.filters import gaussian

    return gaussian(picture, sigma=picture.shape[0] / 16, channel_axis=2).astype(np.float32)


def _mean_colours(picture: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Each segment in its own mean colour."""
    flat = segments.ravel()
    sums = [np.bincount(flat, picture[..., channel].ravel()) for channel in range(3)]
    return (np.stack(sums, axis=1) / np.bincount(flat)[:, None])[segments].astype(np.float32)


Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]
SEGMENTERS: dict[str, Callable[[np.ndarray, int], Any]] = {
    "quickshift": _quickshift,
    "slic": _slic,
    "felzenszwalb": _felzenszwalb,
    "grid": _grid,
}
FILLS: dict[str, Fill] = {
    "grey": lambda picture, _: np.full_like(picture, 0.5),  # 0 in a model's [-1, 1]
    "black": lambda picture, _: np.zeros_like(picture),
    "mean": _mean_colours,
    "blur": _blurred,
}
