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
    points: float  # of a percentage
    half: float  # of its 95 % interval; NaN if nothing is known of it

    @property
    def shown(self) -> bool:
        """Whether the interval excludes 0."""
        return abs(self.points) > self.half

    def in_words(self) -> str:
        """Which is better, with the interval, and whether that is shown."""
        if self.points == 0 == self.half:
            return f"{self.name}: the same for every question"
        size = abs(self.points)
        gap = f"{self.name}: {'B' if self.points >= 0 else 'A'} is better by {size:.1f} points"
        if math.isnan(self.half):
            return f"{gap}; all questions are of one context, so nothing says how sure that is"
        interval = f"95 %: {size - self.half:.1f} to {size + self.half:.1f}"
        return f"{gap} ({interval}): {'more than' if self.shown else 'may be'} chance"


def difference(
    name: str, first: np.ndarray, second: np.ndarray, contexts: np.ndarray
) -> Difference:
    """The difference of two means, with an interval that takes each context for one draw.

    first, second: (questions,) scores of both models, in percent. contexts: (questions,) int from
    0 on, the context of each question. Questions about one text are easy or hard together, so the
    standard error is the one that holds if they depend on each other (clusters; Liang and Zeger
    1986, https://doi.org/10.1093/biomet/73.1.13, with Student's t of contexts - 1).
    """
    gaps = second - first
    sums = np.bincount(contexts, gaps - gaps.mean())
    count = len(sums)
    if count == 1:
        return Difference(name, float(gaps.mean()), math.nan)
    error = math.sqrt(count / (count - 1) * float((sums**2).sum())) / len(gaps)
    return Difference(name, float(gaps.mean()), float(half_interval(error, count)))


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
    def chance(self) -> float:
        """The p-value of McNemar's exact test: as uneven by chance, were both equally good.

        Source: McNemar 1947, https://doi.org/10.1007/BF02295996. It takes questions for
        independent of each other.
        """
        alone = self.first + self.second
        return min(1.0, 2 * float(bdtr(min(self.first, self.second), alone, 0.5)))

    def in_words(self) -> str:
        """The counts, and the p-value."""
        alone = f"right: A alone {self.first}, B alone {self.second}"
        counts = f"{alone}, both {self.both}, neither {self.neither}"
        return f"{counts} (McNemar's exact test: p = {self.chance:.2g})"
