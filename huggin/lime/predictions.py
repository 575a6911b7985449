"""LIME's step 2, predictions: masks -> the classifier's answers to the masked pictures, a batch at a time.

The masking is compiled into one graph with the model, so no masked picture is ever held outside it. Answers are kept
in a file by picture, segments, fill, model and classes: what was asked before is not asked again.
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from huggin.common.files import replacing
from huggin.common.progress import progress
from huggin.common.text import one_line
from huggin.lime.labels import Target
from huggin.lime.scene import Scene

BATCH = 16  # always this many: a smaller last batch might give other last digits
SMALLEST = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Predictions:
    """The classifier's answers to masked pictures, for the classes that were asked for."""

    classes: tuple[int, ...]
    probability: np.ndarray  # (masks, classes) float32
    others: (
        np.ndarray
    )  # (masks, classes) float32: the other classes' probability, exact where 1 - p is not
    top: np.ndarray  # (masks,) int32: the class with the highest probability

    def score(self, target: Target, scale: str) -> np.ndarray:
        """The target's score for each mask (masks,) float64: `probability`, or `logit` = ln(p / (1 - p)).

        A contrast is the difference of two probabilities, or ln(p / q).
        """
        column = self.classes.index(target.plus)
        plus = self.probability[:, column].astype(float)
        less = self.others[:, column].astype(float) if scale == "logit" else np.zeros_like(plus)
        if target.minus is not None:
            less = self.probability[:, self.classes.index(target.minus)].astype(float)
        if scale == "logit":
            return np.log(np.maximum(plus, SMALLEST)) - np.log(np.maximum(less, SMALLEST))
        return plus - less


class Predictor:
    """Predicts for the masks of one scene; a file keeps the answers from one start to the next."""

    def __init__(self, scene: Scene, targets: Sequence[Target], file: Path) -> None:
        classes = {
            index
            for target in targets
            for index in (target.plus, target.minus)
            if index is not None
        }
        self.scene, self._classes, self._file = scene, tuple(sorted(classes)), file
        self._graph = _compiled(scene, self._classes)
        self._key = _key(scene, self._classes)
        self._known: dict[
            bytes, np.ndarray
        ] = {}  # a packed mask -> its row of answers (2 * classes + 1,)
        self._load()

    def predictions(self, on: np.ndarray) -> Predictions:
        """The answers to masks (masks, segments) bool, with a progress bar while the classifier is asked."""
        packed = [row.tobytes() for row in np.packbits(on, axis=1)]
        new = {key: row for row, key in enumerate(packed) if key not in self._known}
        if new:
            try:
                self._ask(on[list(new.values())], list(new))
            finally:  # Ctrl-C keeps what was answered
                self._save()
        rows = np.stack([self._known[key] for key in packed])
        columns = len(self._classes)
        return Predictions(
            self._classes, rows[:, :columns], rows[:, columns:-1], rows[:, -1].astype(np.int32)
        )

    def scores(self, on: np.ndarray, target: Target, scale: str) -> np.ndarray:
        """The target's score for each mask (masks,)."""
        return self.predictions(on).score(target, scale)

    def _ask(self, on: np.ndarray, keys: list[bytes]) -> None:
        with progress(total=len(keys), label="predicting", unit="pictures") as bar:
            for first in range(0, len(keys), BATCH):
                batch = on[first : first + BATCH]
                full = np.resize(batch, (BATCH, on.shape[1]))
                rows = np.asarray(self._graph(full))[: len(batch)]
                self._known |= zip(keys[first : first + BATCH], rows)
                bar.update(len(batch))

    def _load(self) -> None:
        try:
            with np.load(self._file, allow_pickle=False) as saved:
                if str(saved["key"]) == self._key:
                    self._known = self._whole(saved["masks"], saved["answers"])
        except FileNotFoundError:
            pass
        except Exception as error:  # whatever a broken file makes NumPy raise
            print(f"{self._file}: not read ({one_line(error)}); predicting anew", file=sys.stderr)

    def _whole(self, masks: np.ndarray, answers: np.ndarray) -> dict[bytes, np.ndarray]:
        """The file's rows by their mask. Raises ValueError for what cannot be this predictor's."""
        forms = (len(answers), -(-self.scene.count // 8)), (len(masks), 2 * len(self._classes) + 1)
        if (
            (masks.shape, answers.shape) != forms
            or answers.dtype != np.float32
            or not np.isfinite(answers).all()
        ):
            raise ValueError("not of this form")
        return {row.tobytes(): known for row, known in zip(masks, answers)}

    def _save(self) -> None:
        if not self._known:  # Ctrl-C before the first answer
            return
        masks = np.frombuffer(b"".join(self._known), np.uint8).reshape(len(self._known), -1)
        with replacing(self._file) as beside, beside.open("wb") as file:
            np.savez(
                file,
                key=np.array(self._key),
                masks=masks,
                answers=np.stack(list(self._known.values())),
            )


def _compiled(scene: Scene, classes: tuple[int, ...]) -> Callable[[np.ndarray], Any]:
    """Masks (BATCH, segments) bool -> answers (BATCH, 2 * classes + 1): the masking and the model in one graph."""
    import tensorflow as tf

    classifier = scene.classifier
    picture = tf.constant(
        classifier.pixels(scene.picture), tf.float32
    )  # hiding commutes with a rule for each pixel
    fill = tf.constant(classifier.pixels(scene.fill), tf.float32)
    segments = tf.constant(scene.segments)
    others = tf.constant(1 - np.eye(len(classifier.labels.names))[:, list(classes)], tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([BATCH, scene.count], tf.bool)])
    def answers(on: Any) -> Any:
        seen = tf.gather(on, segments, axis=1)[..., None]  # (BATCH, height, width, 1)
        masked = tf.where(seen, picture, fill)
        probability = classifier.probabilities(masked)  # (BATCH, all classes)
        asked = tf.gather(probability, classes, axis=1)
        rest = 1 - asked if classifier.ending == "sigmoid" else probability @ others
        top = tf.cast(tf.argmax(probability, axis=1), tf.float32)[:, None]
        return tf.concat([asked, rest, top], axis=1)

    return answers


def _key(scene: Scene, classes: tuple[int, ...]) -> str:
    digest = hashlib.sha256(scene.classifier.fingerprint.encode())
    digest.update(repr((classes, scene.picture.shape)).encode())
    for array in (
        scene.classifier.pixels(scene.picture),
        scene.classifier.pixels(scene.fill),
        scene.segments,
    ):
        digest.update(array.tobytes())
    return digest.hexdigest()
