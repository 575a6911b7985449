"""What an explanation needs of a classifier, whatever library the model is from."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from huggin.lime.classifiers.labels import Labels

BATCH = 16  # always this many masks: a smaller last batch might give other last digits

Answers = Callable[[np.ndarray], np.ndarray]


class Classifier(Protocol):
    """A model that gives a picture (height, width, 3) in [0, 1] a probability for each class."""

    @property
    def name(self) -> str:
        """The model's name for titles and the database."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its input."""

    @property
    def ending(self) -> str:
        """What its outputs are, one of ENDINGS; `value`: no probabilities, but values."""

    @property
    def labels(self) -> Labels:
        """The names of its classes."""

    @property
    def facts(self) -> tuple[str, ...]:
        """What was read from the model or chosen, a line each."""

    @property
    def fingerprint(self) -> str:
        """A hash that changes when the model's answers may change."""

    def pixels(self, picture: np.ndarray) -> np.ndarray:
        """A picture (..., height, width, 3) in [0, 1] -> the values that the model takes."""

    def predict(self, picture: np.ndarray) -> np.ndarray:
        """One picture (height, width, 3) in [0, 1] -> probabilities (classes,).

        Raises UserError if a probability is NaN or infinite.
        """

    def masked(
        self,
        picture: np.ndarray,
        fill: np.ndarray,
        segments: np.ndarray,
        classes: tuple[int, ...],
    ) -> Answers:
        """The function: masks (BATCH, segments) bool -> answers (BATCH, 2 * classes + 1) float32.

        A row holds the probability of each class in `classes`, then for each of them the
        probability of all other classes together, then the number of the most probable class.
        `picture` and `fill` are (height, width, 3) in [0, 1]; `segments` is (height, width) int32.
        """


def first_answers(probabilities: np.ndarray, wanted: int) -> np.ndarray:
    """The most probable classes (wanted,), the lower number first where two are equal."""
    return np.argsort(-probabilities, kind="stable")[:wanted]
