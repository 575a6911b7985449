"""Picture + classifier -> what LIME works on: segments of the picture, and the fill that hides them."""

from dataclasses import dataclass

import numpy as np

from huggin.common.errors import UserError
from huggin.lime.classifier import Classifier
from huggin.lime.pictures import resized

SEGMENTERS = ("quickshift", "slic", "felzenszwalb", "grid")
FILLS = ("grey", "black", "mean", "blur")


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


def make_scene(
    name: str, classifier: Classifier, picture: np.ndarray, segmenter: str, wanted: int, fill: str
) -> Scene:
    """Fit the picture (height, width, 3) to the classifier's input and cut it into segments.

    `wanted`: about how many segments `slic` and `grid` make. Raises UserError where there is but one, or one colour.
    """
    fitted = resized(picture, classifier.size)
    if np.ptp(fitted, axis=(0, 1)).max() < 1 / 255:
        raise UserError(f"{name}: of a single colour; give a picture with something in it")
    segments = segmented(fitted, segmenter, wanted)
    if segments.max() == 0:
        advice = "give more --segments" if segmenter in ("grid", "slic") else "try --segmenter grid"
        raise UserError(f"{name}: {segmenter} finds one segment only; {advice}")
    return Scene(name, classifier, fitted, segments, filled(fitted, segments, fill))


def segmented(picture: np.ndarray, segmenter: str, wanted: int) -> np.ndarray:
    """The number of each pixel's segment, (height, width) int32, 0 to count - 1."""
    from skimage import segmentation

    height, width = picture.shape[:2]
    match segmenter:
        case (
            "quickshift"
        ):  # the older toolkit's, on its range of pixels: other ranges give other segments
            labels = segmentation.quickshift(
                picture * 2 - 1, kernel_size=6, max_dist=200, ratio=0.2
            )
        case "slic":
            labels = segmentation.slic(picture, n_segments=wanted)
        case "felzenszwalb":
            labels = segmentation.felzenszwalb(
                picture, scale=200, sigma=0.8, min_size=height * width // 200
            )
        case "grid":  # cells of equal size, about as many rows as columns
            rows = max(1, round(wanted**0.5))
            columns = max(1, round(wanted / rows))
            labels = (np.arange(height) * rows // height)[:, None] * columns + np.arange(
                width
            ) * columns // width
    return np.unique(labels, return_inverse=True)[1].reshape(height, width).astype(np.int32)


def filled(picture: np.ndarray, segments: np.ndarray, fill: str) -> np.ndarray:
    """What is seen where a segment is hidden, (height, width, 3) float32."""
    from skimage.color import label2rgb
    from skimage.filters import gaussian

    match fill:
        case "grey":  # 0 in a model's [-1, 1]
            hidden = np.full_like(picture, 0.5)
        case "black":
            hidden = np.zeros_like(picture)
        case "mean":  # each segment in its own mean colour
            hidden = label2rgb(segments, picture, kind="avg", bg_label=-1)
        case "blur":
            hidden = gaussian(picture, sigma=picture.shape[0] / 16, channel_axis=2)
    return hidden.astype(np.float32)
