"""LIME's step 2, predictions: masks -> the classifier's answers to the masked pictures.

The classifier is asked a batch at a time, so masked pictures are never all held in memory. Answers
are kept in a file under a hash of the picture, segments, fill, model and classes, so the same
question is never asked twice.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from huggin.common.errors import BadValue
from huggin.lime.classifiers.classifier import BATCH
from huggin.lime.classifiers.labels import Target
from huggin.lime.pictures.scene import Scene
from huggin.lime.remembered import Remembered

SMALLEST = np.finfo(np.float32).tiny
FINEST = 2.0**-20  # 1 - p of a float32 below this is mostly rounding


@dataclass(frozen=True)
class Predictions:
    """The classifier's answers to masked pictures, for the classes that were asked for."""

    classes: tuple[int, ...]
    probability: np.ndarray  # (masks, classes) float32
    others: np.ndarray  # (masks, classes) float32: all other classes together
    top: np.ndarray  # (masks,) int32: the class with the highest probability
    least: float = SMALLEST  # what `others` must be to tell a logit; more where they are 1 - p

    def score(self, target: Target, scale: str) -> np.ndarray:
        """The target's score for each mask (masks,) float64.

        scale: `probability`, or `logit` = ln(p / (1 - p)). The score of a contrast is the
        difference of two probabilities p - q, or ln(p / q). Raises BadValue if a probability
        rounds to 0 or 1, and so has no logit.
        """
        plus = self._of(target.plus)
        if scale == "logit":
            others = self.others[:, self.classes.index(target.plus)].astype(float)
            minus = others if target.minus is None else self._of(target.minus)
            least = self.least if target.minus is None else SMALLEST
            if lost := int(((plus < SMALLEST) | (minus < least)).sum()):
                what = f"{target.name}: in {lost} of {len(plus)} masked pictures its probability"
                raise BadValue("score", scale, f"{what} rounds to 0 or 1; explain the probability")
            return np.log(plus) - np.log(minus)
        return plus if target.minus is None else plus - self._of(target.minus)

    def kept(self, target: Target) -> float:
        """The share of the masked pictures whose most probable class is the target's `plus`."""
        return float((self.top[1:] == target.plus).mean())

    def probability_of(self, target: Target) -> float:
        """The probability of the target's `plus` in the first picture."""
        return float(self._of(target.plus)[0])

    def _of(self, number: int) -> np.ndarray:
        """A class's probability, (masks,) float64."""
        return self.probability[:, self.classes.index(number)].astype(float)


class Predictor:
    """Predicts for the masks of one scene; a file keeps the answers for the next start."""

    def __init__(self, scene: Scene, targets: Sequence[Target], file: Path | None) -> None:
        self.scene = scene
        self._classes = classes = _classes_of(targets)
        answers = scene.classifier.masked(scene.picture, scene.fill, scene.segments, classes)
        shape = (scene.count, 2 * len(classes) + 1)
        self._remembered = Remembered(answers, shape, _key(scene, classes), file, BATCH, "pictures")

    def predictions(self, on: np.ndarray) -> Predictions:
        """The answers to masks (masks, segments) bool. Shows a progress bar if it takes long."""
        rows = self._remembered.rows(on)
        columns = len(self._classes)
        probability = rows[:, :columns]
        others = rows[:, columns:-1]
        top = rows[:, -1].astype(np.int32)
        least = FINEST if self.scene.classifier.ending == "sigmoid" else SMALLEST
        return Predictions(self._classes, probability, others, top, least)

    def scores(self, on: np.ndarray, target: Target, scale: str) -> np.ndarray:
        """The target's score for each mask (masks,)."""
        return self.predictions(on).score(target, scale)

    def told(self, answers: Predictions) -> list[str]:
        """What step 2 found, a line each. answers: what `predictions` returned."""
        names = self.scene.classifier.labels.names
        shape = self.scene.picture.shape
        return [
            f"of {len(answers.top)} masked pictures {shape}, {len(names)} classes each",
            f"e.g. of masks[1]: {names[answers.top[1]]}",
        ]


def _classes_of(targets: Sequence[Target]) -> tuple[int, ...]:
    both = [(target.plus, target.minus) for target in targets]
    return tuple(sorted({index for pair in both for index in pair if index is not None}))


def _key(scene: Scene, classes: tuple[int, ...]) -> str:
    digest = hashlib.sha256(scene.classifier.fingerprint.encode())
    digest.update(repr((classes, scene.picture.shape)).encode())
    pixels = scene.classifier.pixels
    for array in (pixels(scene.picture), pixels(scene.fill), scene.segments):
        digest.update(array.tobytes())
    return digest.hexdigest()
