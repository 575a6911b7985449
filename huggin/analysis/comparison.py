"""Two models that answered the same questions: by how much the second is better, and how sure."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr

from huggin.common.statistics import half_interval


@dataclass(frozen=True)
class Difference:
    """The mean of the second model's scores minus that of the first."""

    name: str  # `EM`
    points: float  # percentage points
    half: float  # half of its 95 % interval; NaN if nothing is known of it
    is_anywhere: bool = True  # whether the two models' scores of any question differ

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes 0."""
        return abs(self.points) > self.half

    def in_words(self) -> str:
        """Which is better, with the interval, and whether that is shown."""
        if not self.is_anywhere:
            return f"{self.name}: the same for every question"
        size = abs(self.points)
        better = f"{'B' if self.points > 0 else 'A'} is better by {size:.1f} points"
        gap = f"{self.name}: {better if size else 'the same on average'}"
        if math.isnan(self.half):
            return f"{gap}; all questions are of one context, so nothing says how sure that is"
        interval = f"95 %: {size - self.half:.1f} to {size + self.half:.1f}"
        return f"{gap} ({interval}): {'more than' if self.is_significant else 'may be'} chance"


def difference(
    name: str, first: np.ndarray, second: np.ndarray, contexts: np.ndarray
) -> Difference:
    """The difference of two means, with an interval that takes each context for one draw.

    first, second: (questions,) scores of both models, in percent. contexts: (questions,) int from
    0 on without gaps, the context of each question. Questions about one text are easy or hard
    together, so the standard error is the one that holds if they depend on each other (clusters;
    Liang and Zeger 1986, https://doi.org/10.1093/biomet/73.1.13, with Student's t of contexts - 1).
    """
    gaps = second - first
    sums = np.bincount(contexts, gaps - gaps.mean())
    count = len(sums)
    half = math.nan
    if count > 1:
        error = math.sqrt(count / (count - 1) * float((sums**2).sum())) / len(gaps)
        half = float(half_interval(error, count))
    return Difference(name, float(gaps.mean()), half, bool(gaps.any()))


@dataclass(frozen=True)
class Rights:
    """How many questions each of two models answered right."""

    both: int
    first: int  # the first alone
    second: int  # the second alone
    neither: int

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray) -> "Rights":
        """first, second: (questions,) bool, whether each model was right."""
        cells = [first & second, first & ~second, ~first & second, ~first & ~second]
        return cls(*(int(cell.sum()) for cell in cells))

    @property
    def p_value(self) -> float:
        """McNemar's exact test: how probable such uneven counts are if both are equally good.

        Source: McNemar 1947, https://doi.org/10.1007/BF02295996. It takes questions for
        independent of each other.
        """
        alone = self.first + self.second
        return min(1.0, 2 * float(bdtr(min(self.first, self.second), alone, 0.5)))

    def in_words(self) -> str:
        """The counts, and the p-value."""
        alone = f"right: A alone {self.first}, B alone {self.second}"
        counts = f"{alone}, both {self.both}, neither {self.neither}"
        return f"{counts} (McNemar's exact test: p = {self.p_value:.2g})"
