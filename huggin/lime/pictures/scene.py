"""Prepare a picture for LIME: fit it to the classifier, cut it into segments, make the fill."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from skimage import color, filters, segmentation

from huggin.common.errors import UserError
from huggin.common.streams import warn
from huggin.lime.choices import FILTERS
from huggin.lime.classifiers.classifier import BATCH, Classifier, first_answers
from huggin.lime.classifiers.pixels import resized
from huggin.lime.pictures.reading import Picture
from huggin.lime.predictor import Answers, AnyScene, Rows, Target

SQUASHED = 1.5  # change of shape from which on it is said
FIRST = 3  # answers that are named
VALUES = 8  # of a model that returns values
ONE_COLOUR = 1 / 255  # less than the smallest step of a colour in 8 bits


@dataclass(frozen=True)
class Scene(AnyScene[int]):
    """A picture at the classifier's size, cut into segments; it has the methods of `AnyScene`."""

    name: str
    classifier: Classifier
    picture: np.ndarray  # (height, width, 3) float32 in [0, 1]
    segments: np.ndarray  # (height, width) int32, 0 to count - 1
    fill: np.ndarray  # (height, width, 3) float32: what is seen where a segment is hidden
    segmenter: str = "grid"  # that cut it
    facts: tuple[str, ...] = ()  # what happened to the picture

    thing = "picture"
    kind = "segments"
    in_logs = False
    batch = BATCH

    @property
    def count(self) -> int:
        return int(self.segments.max()) + 1

    def name_of(self, segment: int) -> str:
        return str(segment)

    def hide(self, hidden: np.ndarray) -> np.ndarray:
        """Hide some segments, which are given by their numbers; the picture."""
        return np.where(np.isin(self.segments, hidden)[..., None], self.fill, self.picture)

    @cached_property
    def answers(self) -> np.ndarray:
        """The classifier's answer to the picture (classes,)."""
        return self.classifier.predict(self.picture)

    def first_answer(self) -> Target[int]:
        """The class that the classifier gives the picture."""
        best = int(first_answers(self.answers, 1)[0])
        return Target(self.classifier.names[best], best)

    def rows(self, about: tuple[int, ...]) -> Rows:
        return self.classifier.masked(self.picture, self.fill, self.segments, about)

    def key(self, about: tuple[int, ...]) -> str:
        digest = hashlib.sha256(self.classifier.fingerprint.encode())
        digest.update(repr((about, self.picture.shape)).encode())
        pixels = self.classifier.pixels
        for array in (pixels(self.picture), pixels(self.fill), self.segments):
            digest.update(array.tobytes())
        return digest.hexdigest()

    def kept(self, target: Target[int], answers: Answers[int]) -> float:
        return float((answers.best[1:] == target.plus).mean())

    def kept_in_words(self, target: Target[int], kept: float) -> str:
        if self.classifier.ending == "value":
            return ""
        first = self.classifier.names[target.plus]
        return f"{first} is the first answer to {100 * kept:.0f} % of the masked pictures"

    def details(self, answers: Answers[int]) -> list[str]:
        names = self.classifier.names
        masked = f"{len(answers.best)} masked pictures {self.picture.shape}"
        example = f"e.g. of masks[1]: {names[answers.best[1, 0]]}"
        return [f"of {masked}, {len(names)} classes each", example]

    def introduction(self) -> list[str]:
        """The first answers, and what was read from picture and model, a line each."""
        classifier = self.classifier
        names = classifier.names
        answers = self.answers
        best = first_answers(answers, FIRST)
        answered = [f"{names[index]} (class {index}) {answers[index]:.4f}" for index in best]
        if classifier.ending == "value":
            answered = [f"{name} {value:.6g}" for name, value in zip(names, answers)][:VALUES]
        lines = [
            f"{self.name}: {'; '.join(answered)}",
            f"  picture: {'; '.join(self.facts)}; {self.count} segments",
            f"  {classifier.name}: {'; '.join(classifier.facts)}",
        ]
        ties = np.count_nonzero(answers == answers[best[0]])
        if ties > 1 and classifier.ending != "value":
            which = f"{names[best[0]]} is explained"
            lines.append(f"  TIE: {ties} classes have this probability; {which}")
        return lines

    def as_json(self, target: Target[int]) -> dict[str, Any]:
        areas = np.bincount(self.segments.ravel()) / self.segments.size
        return {
            "segments": [{"area": float(area), "text": None} for area in areas],
            "kind": self.thing,
            "picture": self.name,
            "model": self.classifier.name,
            "picture_facts": list(self.facts),
            "model_facts": list(self.classifier.facts),
            "input_size": list(self.classifier.size),
            "classes": len(self.classifier.names),
            "class": target.plus,
            "minus_class": target.minus,
            "model_sha256": self.classifier.fingerprint,
        }


def make_scene(
    picture: Picture,
    classifier: Classifier,
    segmenter: str,
    wanted: int,
    fill: str,
    fit: str = "squash",
    resampling: str | None = None,
) -> Scene:
    """Fit a picture to the classifier's input and cut it into segments.

    wanted: about how many segments `slic` and `grid` make. The grid is taken, too, if `quickshift`
    or `felzenszwalb` find one segment only. fit: one of FITS. resampling: a key of FILTERS; without
    it, the classifier's. Raises UserError if there is only one segment then, too, or the picture
    has a single colour.
    """
    name = picture.name
    way = resampling or classifier.resampling
    shaped = in_shape(picture.values, classifier.size, fit)
    resize = None if resampling else classifier.resize
    fitted = resize(shaped) if resize else resized(shaped, classifier.size, way)
    if np.ptp(fitted, axis=(0, 1)).max() < ONE_COLOUR:
        raise UserError(f"{name}: of a single colour; give a picture with something in it")
    segments = segmented(fitted, segmenter, wanted)
    few = "finds one segment only"
    if segments.max() == 0 and segmenter in ("quickshift", "felzenszwalb"):
        warn(f"{name}: {segmenter} {few}, so the picture is cut into a grid")
        segmenter = "grid"
        segments = segmented(fitted, segmenter, wanted)
    if segments.max() == 0:
        raise UserError(f"{name}: {segmenter} {few}; ask for more segments")
    hidden = filled(fitted, segments, fill)
    fact = _fitting_in_words(classifier.size, fit, way)
    if fit == "squash" and resize is None:
        fact += _squashing_in_words(picture.values, classifier.size)
    return Scene(name, classifier, fitted, segments, hidden, segmenter, (*picture.facts, fact))


def _fitting_in_words(size: tuple[int, int], fit: str, resampling: str) -> str:
    """How a picture was brought to the classifier's size."""
    height, width = size
    cut = {"squash": "", "crop": "cropped to its middle and ", "pad": "padded with grey and "}[fit]
    return f"{cut}resized to {width} x {height} by {FILTERS.get(resampling, resampling)}"


def _squashing_in_words(picture: np.ndarray, size: tuple[int, int]) -> str:
    """By how much a picture (height, width, 3) lost its shape, if it is much."""
    height, width = size
    ratio = picture.shape[1] * height / (picture.shape[0] * width)
    times = max(ratio, 1 / ratio)
    if times <= SQUASHED:
        return ""
    return f", SQUASHED {times:.1f} : 1; --fit crop or pad keeps its shape"


def in_shape(picture: np.ndarray, size: tuple[int, int], fit: str) -> np.ndarray:
    """A picture (height, width, 3) in the shape of `size`: cropped to its middle, or padded grey.

    fit: one of FITS; `squash` leaves the picture as it is.
    """
    have = np.array(picture.shape[:2])
    wanted = np.rint(have[::-1] * np.array(size) / size[::-1]).astype(int)
    if fit == "crop":
        sides = np.clip(wanted, 1, have)
        (top, left), (bottom, right) = (have - sides) // 2, (have - sides) // 2 + sides
        return picture[top:bottom, left:right]
    if fit == "pad":
        missing = np.maximum(wanted, have) - have
        start = missing // 2
        return np.pad(picture, (*zip(start, missing - start), (0, 0)), constant_values=0.5)
    return picture


def segmented(picture: np.ndarray, segmenter: str, wanted: int) -> np.ndarray:
    """Cut a picture into segments: the number of each pixel's segment, (height, width) int32."""
    match segmenter:
        case "quickshift":  # its segments depend on the range; the older toolkit used [-1, 1]
            signed = picture * 2 - 1
            labels = segmentation.quickshift(signed, kernel_size=6, max_dist=200, ratio=0.2)
        case "slic":
            labels = segmentation.slic(picture, n_segments=wanted)
        case "felzenszwalb":
            least = picture.shape[0] * picture.shape[1] // 200
            labels = segmentation.felzenszwalb(picture, scale=200, sigma=0.8, min_size=least)
        case _:
            labels = _grid(picture.shape[0], picture.shape[1], wanted)
    numbers = np.unique(labels, return_inverse=True)[1]
    return numbers.reshape(labels.shape).astype(np.int32)


def _grid(height: int, width: int, wanted: int) -> np.ndarray:
    """Cut into equal cells, with about as many rows as columns: (height, width)."""
    rows = max(1, round(wanted**0.5))
    columns = max(1, round(wanted / rows))
    row = np.arange(height) * rows // height
    column = np.arange(width) * columns // width
    return row[:, None] * columns + column


def filled(picture: np.ndarray, segments: np.ndarray, fill: str) -> np.ndarray:
    """What is seen where a segment is hidden, (height, width, 3) float32."""
    match fill:
        case "grey":  # 0 for a model that takes [-1, 1]
            hidden = np.full_like(picture, 0.5)
        case "black":
            hidden = np.zeros_like(picture)
        case "mean":  # each segment in its own mean colour
            hidden = color.label2rgb(segments, picture, kind="avg", bg_label=-1)
        case _:
            hidden = filters.gaussian(picture, sigma=picture.shape[0] / 16, channel_axis=2)
    return hidden.astype(np.float32)
