"""A classifier of Keras: its network, the pixels that it takes, and its probabilities."""

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


@dataclass(frozen=True)
class KerasClassifier:
    """A `huggin.lime.classifier.Classifier`."""

    name: str
    model: Any  # pictures (n, height, width, 3) -> outputs (n, classes)
    size: tuple[int, int]  # height, width
    pixels: Callable[[np.ndarray], np.ndarray]  # (..., 3) in [0, 1] -> as the model wants them
    ending: str  # `softmax` (sums to 1), `sigmoid` (each class by itself), or `logits`
    labels: Labels

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the architecture and all weights."""
        digest = hashlib.sha256(self.model.to_json().encode())
        for weight in self.model.get_weights():
            digest.update(weight.tobytes())
        return digest.hexdigest()

    def probabilities(self, pictures: Any) -> Any:
        """Pictures (n, height, width, 3), as the model takes them -> probabilities (n, classes)."""
        outputs = tf.cast(self.model(pictures, training=False), tf.float32)
        return tf.nn.softmax(outputs) if self.ending == "logits" else outputs

    def predict(self, picture: np.ndarray) -> np.ndarray:
        """One picture (height, width, 3) in [0, 1] -> probabilities (classes,).

        Raises UserError if a probability is NaN or infinite.
        """
        found = np.asarray(self.probabilities(self.pixels(picture)[None]))[0]
        if not np.isfinite(found).all():
            what = "it predicts NaN or infinity; check the file, or choose other pixels"
            raise UserError(f"{self.name}: {what}")
        return found

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

        return lambda on: np.asarray(graph(on))
