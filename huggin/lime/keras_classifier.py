"""A classifier of Keras or TensorFlow: its network, the pixels that it takes, its probabilities."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from huggin.common.errors import UserError
from huggin.lime.classifier import BATCH, Answers
from huggin.lime.keras_quietly import tf
from huggin.lime.labels import Labels
from huggin.lime.pixels import Pixels

ENGINE = "tensorflow"  # part of the key under which answers are kept
SLACK = 0.02  # by which probabilities in half precision or 8 bits may miss


@dataclass(frozen=True)
class KerasClassifier:
    """A `huggin.lime.classifier.Classifier`.

    `call` takes pictures (n, height, width, channels) and returns outputs (n, outputs). One output
    stands for two classes: the second class's probability or logit.
    """

    name: str
    call: Callable[[Any], Any]
    size: tuple[int, int]  # height, width
    pixels: Pixels  # (..., 3) in [0, 1] -> (..., channels) as the model takes them
    ending: str  # `softmax` (sums to 1), `sigmoid` (each class by itself), or `logits`
    labels: Labels
    weights_hash: str
    facts: tuple[str, ...] = ()  # what was read from the model or chosen, a line each

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the model, how its outputs are read, and what computes them."""
        read = repr((self.weights_hash, self.ending, ENGINE))
        return hashlib.sha256(read.encode()).hexdigest()

    def probabilities(self, pictures: Any) -> Any:
        """Pictures (n, height, width, channels), as the model takes them -> (n, classes)."""
        outputs = tf.cast(self.call(pictures), tf.float32)
        if outputs.shape[1] == 1:
            second = outputs if self.ending == "sigmoid" else tf.nn.sigmoid(outputs)
            first = 1 - outputs if self.ending == "sigmoid" else tf.nn.sigmoid(-outputs)
            return tf.concat([first, second], axis=1)
        return tf.nn.softmax(outputs) if self.ending == "logits" else outputs

    def predict(self, picture: np.ndarray) -> np.ndarray:
        """One picture (height, width, 3) in [0, 1] -> probabilities (classes,).

        Raises UserError if they are no probabilities.
        """
        found = np.asarray(self.probabilities(self.pixels(picture)[None]))
        self._refuse_others(found, found.sum(axis=1))
        return found[0]

    def masked(
        self,
        picture: np.ndarray,
        fill: np.ndarray,
        segments: np.ndarray,
        classes: tuple[int, ...],
    ) -> Answers:
        """The masking and the model in one graph; see `Classifier.masked`."""
        # Pixels may be converted before they are masked: the conversion treats each one alike.
        shown = tf.constant(self.pixels(picture), tf.float32)
        hidden = tf.constant(self.pixels(fill), tf.float32)
        place = tf.constant(segments)
        others = tf.constant(1 - np.eye(len(self.labels.names))[:, list(classes)], tf.float32)

        @tf.function(input_signature=[tf.TensorSpec([BATCH, segments.max() + 1], tf.bool)])
        def graph(on: Any) -> Any:
            seen = tf.gather(on, place, axis=1)[..., None]  # (BATCH, height, width, 1)
            probability = self.probabilities(tf.where(seen, shown, hidden))  # (BATCH, classes)
            asked = tf.gather(probability, classes, axis=1)
            rest = 1 - asked if self.ending == "sigmoid" else probability @ others
            top = tf.cast(tf.argmax(probability, axis=1), tf.float32)[:, None]
            return tf.concat([asked, rest, top], axis=1)

        def answers(on: np.ndarray) -> np.ndarray:
            rows = np.asarray(graph(on))
            self._refuse_others(rows[:, :-1], rows[:, 0] + rows[:, len(classes)])
            return rows

        return answers

    def _refuse_others(self, found: np.ndarray, sums: np.ndarray) -> None:
        """Raise UserError if numbers are no probabilities; sums: of all classes of a picture."""
        if not np.isfinite(found).all():
            what = "it predicts NaN or infinity; check the file, or choose other pixels"
            raise UserError(f"{self.name}: {what}")
        inside = found.min() >= -SLACK and found.max() <= 1 + SLACK
        if not inside or (self.ending == "softmax" and abs(sums - 1).max() > SLACK):
            reach = f"{found.min():.3g} to {found.max():.3g}"
            what = f"its outputs are no probabilities of a {self.ending} ({reach})"
            raise UserError(f"{self.name}: {what}; say its ending: logits, sigmoid or softmax")
