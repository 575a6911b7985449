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

from huggin.common.files import replacing
from huggin.common.progress import progress
from huggin.common.streams import warn
from huggin.common.text import one_line
from huggin.lime.classifier import BATCH
from huggin.lime.labels import Target
from huggin.lime.scene import Scene

SMALLEST = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Predictions:
    """The classifier's answers to masked pictures, for the classes that were asked for."""

    classes: tuple[int, ...]
    probability: np.ndarray  # (masks, classes) float32
    others: np.ndarray  # (masks, classes) float32: all other classes together; exact, unlike 1 - p
    top: np.ndarray  # (masks,) int32: the class with the highest probability

    def score(self, target: Target, scale: str) -> np.ndarray:
        """The target's score for each mask (masks,) float64.

        scale: `probability`, or `logit` = ln(p / (1 - p)). The score of a contrast is the
        difference of two probabilities p - q, or ln(p / q).
        """
        plus = self._of(target.plus)
        if scale == "logit":
            others = self.others[:, self.classes.index(target.plus)].astype(float)
            minus = others if target.minus is None else self._of(target.minus)
            return np.log(np.maximum(plus, SMALLEST)) - np.log(np.maximum(minus, SMALLEST))
        return plus if target.minus is None else plus - self._of(target.minus)

    def _of(self, number: int) -> np.ndarray:
        """A class's probability, (masks,) float64."""
        return self.probability[:, self.classes.index(number)].astype(float)


class Predictor:
    """Predicts for the masks of one scene; a file keeps the answers for the next start."""

    def __init__(self, scene: Scene, targets: Sequence[Target], file: Path) -> None:
        self.scene = scene
        self._classes = _classes_of(targets)
        self._file = file
        self._answers = scene.classifier.masked(
            scene.picture, scene.fill, scene.segments, self._classes
        )
        self._key = _key(scene, self._classes)
        # A packed mask -> its row of answers (2 * classes + 1,)
        self._known: dict[bytes, np.ndarray] = {}
        self._load()

    def predictions(self, on: np.ndarray) -> Predictions:
        """The answers to masks (masks, segments) bool. Shows a progress bar if it takes long."""
        packed = [row.tobytes() for row in np.packbits(on, axis=1)]
        new = {key: row for row, key in enumerate(packed) if key not in self._known}
        if new:
            try:
                self._ask(on[list(new.values())], list(new))
            finally:  # Ctrl-C keeps what was answered
                self._save()
        rows = np.stack([self._known[key] for key in packed])
        columns = len(self._classes)
        probability = rows[:, :columns]
        others = rows[:, columns:-1]
        return Predictions(self._classes, probability, others, rows[:, -1].astype(np.int32))

    def scores(self, on: np.ndarray, target: Target, scale: str) -> np.ndarray:
        """The target's score for each mask (masks,)."""
        return self.predictions(on).score(target, scale)

    def _ask(self, on: np.ndarray, keys: list[bytes]) -> None:
        with progress(total=len(keys), label="predicting", unit="pictures") as bar:
            for first in range(0, len(keys), BATCH):
                batch = on[first : first + BATCH]
                full = np.resize(batch, (BATCH, on.shape[1]))
                rows = self._answers(full)[: len(batch)]
                self._known |= zip(keys[first : first + BATCH], rows)
                bar.update(len(batch))

    def _load(self) -> None:
        try:
            with np.load(self._file, allow_pickle=False) as saved:
                if str(saved["key"]) == self._key:
                    self._known = self._checked(saved["masks"], saved["answers"])
        except FileNotFoundError:
            pass
        except Exception as error:  # whatever a broken file makes NumPy raise
            warn(f"{self._file}: not read ({one_line(error)}); predicting anew")

    def _checked(self, masks: np.ndarray, answers: np.ndarray) -> dict[bytes, np.ndarray]:
        """The file's rows by their mask. Raises ValueError if they have another form."""
        of_masks = (len(answers), -(-self.scene.count // 8))
        of_answers = (len(masks), 2 * len(self._classes) + 1)
        if masks.shape != of_masks or answers.shape != of_answers:
            raise ValueError("not of this form")
        if answers.dtype != np.float32 or not np.isfinite(answers).all():
            raise ValueError("not of this form")
        return {row.tobytes(): known for row, known in zip(masks, answers)}

    def _save(self) -> None:
        if not self._known:  # Ctrl-C before the first answer
            return
        masks = np.frombuffer(b"".join(self._known), np.uint8).reshape(len(self._known), -1)
        answers = np.stack(list(self._known.values()))
        with replacing(self._file) as beside, beside.open("wb") as file:
            np.savez(file, key=np.array(self._key), masks=masks, answers=answers)


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
