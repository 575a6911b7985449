"""A function from pictures to probabilities -> a classifier, such as a model of another library."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from huggin.common.errors import BadValue
from huggin.lime.classifiers.classifier import Answers, Classifier
from huggin.lime.classifiers.labels import Labels, numbers
from huggin.lime.classifiers.pixels import CONVERT, Pixels


@dataclass(frozen=True)
class FunctionClassifier(Classifier):
    """A `Classifier`: `function` takes pictures (n, height, width, 3) in [0, 1].

    It returns probabilities (n, classes), or values if ending is `value`.
    """

    function: Callable[[np.ndarray], np.ndarray]
    size: tuple[int, int]  # height, width
    labels: Labels
    ending: str = "softmax"
    name: str = "function"
    facts: tuple[str, ...] = ()
    pixels: Pixels = CONVERT["unit"]
    resampling: str = "smooth"
    draws: int = 1  # answers whose mean is taken, if the function answers at random
    mark: str = field(default_factory=lambda: os.urandom(32).hex())

    @property
    def fingerprint(self) -> str:
        """Another one each time, as nobody can tell whether a function has changed."""
        return f"{self.mark} {self.draws}"

    @classmethod
    def of(
        cls, function: Callable[[np.ndarray], np.ndarray], picture: np.ndarray
    ) -> "FunctionClassifier":
        """The classifier of a function that takes pictures of this size (height, width, 3)."""
        found = np.asarray(function(picture[None]))
        if found.ndim != 2 or len(found) != 1:
            wanted = "for pictures (n, height, width, 3) it returns (n, classes)"
            raise BadValue("classifier", "function", f"returned {found.shape}; wanted: {wanted}")
        height, width = picture.shape[:2]
        return cls(function, (height, width), numbers(found.shape[1]))

    def answers(self, pictures: np.ndarray) -> np.ndarray:
        """See `Classifier.answers`."""
        draws = [np.asarray(self.function(pictures), np.float32) for _ in range(self.draws)]
        return draws[0] if self.draws == 1 else np.mean(draws, axis=0)

    def answers_to_masks(
        self, picture: np.ndarray, fill: np.ndarray, segments: np.ndarray
    ) -> Answers:
        """See `Classifier.answers_to_masks`."""
        return lambda on: self.answers(np.where(on[:, segments][..., None], picture, fill))

    def mean_of(self, draws: int, apart: float) -> "FunctionClassifier":
        """See `Classifier.mean_of`."""
        fact = f"the mean of {draws} answers, as they vary by {apart:.2g}"
        return replace(self, draws=draws, facts=(*self.facts, fact))
