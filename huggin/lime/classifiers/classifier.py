"""What is asked about pictures: a model that gives each class a probability, of any library.

`Classifier.of` makes one of a function; that of Keras's models is in keras_classifier.py.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from huggin.common.errors import BadValue, UserError
from huggin.lime.choices import LEAST
from huggin.lime.classifiers.labels import Names, numbered
from huggin.lime.classifiers.pixels import CONVERT, Pixels
from huggin.lime.predictor import Rows

BATCH = 16  # masks at a time
STEADY = LEAST["probability"]  # what no effect is; rounding makes 1e-6 of it at most
FINEST = 2.0**-20  # a smaller 1 - p of a float32 is mostly rounding
SLACK = 0.02  # by which probabilities in half precision or 8 bits may miss


@dataclass(frozen=True)
class Classifier:
    """A model that gives a picture (height, width, 3) in [0, 1] a probability for each class.

    function: pictures (n, height, width, channels), as the model takes them -> (n, classes).
    """

    name: str  # for titles and the database
    function: Callable[[Any], Any]
    size: tuple[int, int]  # height and width of its input
    names: Names  # of its classes
    ending: str = "softmax"  # sums to 1; `sigmoid` (each class by itself), `logits`, or `value`
    # (..., 3) in [0, 1] -> (..., channels) as the model takes them
    pixels: Pixels = CONVERT["unit"]
    mark: str = field(default_factory=lambda: os.urandom(32).hex())  # changes with the model
    facts: tuple[str, ...] = ()  # what was read from the model or chosen, a line each
    resampling: str = "smooth"  # how pictures are resized for it: a key of FILTERS, or in words
    # its own way to bring a picture (height, width, 3) in [0, 1] to its size
    resize: Callable[[np.ndarray], np.ndarray] | None = None
    draws: int = 1  # answers whose mean is taken, if the model answers at random

    @classmethod
    def of(cls, function: Callable[[np.ndarray], np.ndarray], picture: np.ndarray) -> "Classifier":
        """The classifier of a function that takes pictures of this size (height, width, 3).

        Its mark is another one each time, as nobody can tell whether a function has changed.
        """
        outputs = np.asarray(function(picture[None]))
        if outputs.ndim != 2 or len(outputs) != 1:
            wanted = "for pictures (n, height, width, 3) it returns (n, classes)"
            raise BadValue("classifier", "function", f"returned {outputs.shape}; wanted: {wanted}")
        height, width = picture.shape[:2]
        return cls("function", function, (height, width), numbered(outputs.shape[1]))

    @property
    def fingerprint(self) -> str:
        """A text that changes when the model's answers may change."""
        return f"{self.mark} {self.draws}"

    def answers(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures (n, height, width, channels), as the model takes them -> (n, classes)."""
        draws = [np.asarray(self.function(pictures), np.float32) for _ in range(self.draws)]
        return draws[0] if self.draws == 1 else np.mean(draws, axis=0)

    def answers_to_masks(self, picture: np.ndarray, fill: np.ndarray, segments: np.ndarray) -> Rows:
        """The function: masks (BATCH, segments) bool -> (BATCH, classes), of the masked pictures.

        `picture` and `fill` are as the model takes them; `segments` is (height, width) int32.
        """
        return lambda on: self.answers(np.where(on[:, segments][..., None], picture, fill))

    def mean_of(self, draws: int, apart: float) -> "Classifier":
        """The classifier that answers the mean of `draws` answers; apart: how far these differ."""
        fact = f"the mean of {draws} answers, as they vary by {apart:.2g}"
        return replace(self, draws=draws, facts=(*self.facts, fact))

    def predict(self, picture: np.ndarray) -> np.ndarray:
        """One picture (height, width, 3) in [0, 1] -> probabilities or values (classes,).

        Raises UserError if the answers are not probabilities.
        """
        return self._checked(self.answers(self.pixels(picture)[None]))[0]

    def varies(self, pictures: np.ndarray) -> float:
        """How far answers to the same picture differ, alone and within a batch; 0: by rounding.

        pictures: (n, height, width, 3) in [0, 1].
        """
        taken = self.pixels(pictures)
        together = self.answers(taken)
        alone = np.concatenate([self.answers(picture[None]) for picture in taken])
        allowed = STEADY * (np.abs(together).max() if self.ending == "value" else 1)
        apart = float(np.abs(together - alone).max())
        return apart if apart > allowed else 0.0

    def masked(
        self,
        picture: np.ndarray,
        fill: np.ndarray,
        segments: np.ndarray,
        classes: tuple[int, ...],
    ) -> Rows:
        """The function: masks (BATCH, segments) bool -> rows (BATCH, 2 * classes + 1) float32.

        A row holds the probability of each class in `classes`, then for each of them the
        probability of all other classes together, then the number of the most probable class.
        `picture` and `fill` are (height, width, 3) in [0, 1]; `segments` is (height, width) int32.
        """
        # Pixels may be converted before they are masked: the conversion treats each one alike.
        shown = np.ascontiguousarray(self.pixels(picture), np.float32)
        hidden = np.ascontiguousarray(self.pixels(fill), np.float32)
        ask = self.answers_to_masks(shown, hidden, segments)
        chosen = list(classes)
        others = 1 - np.eye(len(self.names), dtype=np.float32)[:, chosen]

        def rows(on: np.ndarray) -> np.ndarray:
            answers = self._checked(ask(on))
            asked = answers[:, chosen]
            rest = answers @ others
            if self.ending == "sigmoid":
                rest = np.where(1 - asked < FINEST, 0, 1 - asked)
            top = answers.argmax(axis=1)[:, None].astype(np.float32)
            return np.concatenate([asked, rest, top], axis=1)

        return rows

    def _checked(self, answers: np.ndarray) -> np.ndarray:
        """The answers (n, classes). Raises UserError if they are not probabilities."""
        if not np.isfinite(answers).all():
            what = "it predicts NaN or infinity; check the file, or choose other pixels"
            raise UserError(f"{self.name}: {what}")
        if self.ending == "value":
            return answers
        inside = answers.min() >= -SLACK and answers.max() <= 1 + SLACK
        sums = answers.sum(axis=1)
        if not inside or (self.ending == "softmax" and abs(sums - 1).max() > SLACK):
            reach = f"{answers.min():.3g} to {answers.max():.3g}"
            what = f"its outputs {'do not sum to 1' if inside else 'are not from 0 to 1'} ({reach})"
            raise UserError(f"{self.name}: {what}; say its ending: logits, sigmoid or softmax")
        return answers


def first_answers(probabilities: np.ndarray, wanted: int) -> np.ndarray:
    """The most probable classes (wanted,), the lower number first where two are equal."""
    return np.argsort(-probabilities, kind="stable")[:wanted]
