"""Do the methods agree, and is any of their orders better than chance?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import hypergeom, spearmanr

from huggin.lime.explained import known, verdict
from huggin.lime.quality import curves_of, gain

LIME = "LIME"
RANDOM = "random"
RANDOM_ORDERS = 9  # with their reverses 18: one more is above all in 1 of 20
POINTS = 12  # of a curve, so that a long text is not asked hundreds of times
CHANCE = 0.05  # that two methods of noise are said to agree
MOST_TOP = 3  # the top is at most one segment in so many: methods share most of a longer one

Scores = Callable[[np.ndarray], np.ndarray]  # masks (n, segments) bool -> scores (n,)


@dataclass(frozen=True)
class Agreement:
    """How far methods agree, and what hiding and showing the segments in their orders does."""

    values: dict[str, np.ndarray]  # of each method, LIME first: (segments,)
    top: int
    curves: dict[str, dict[str, Any]]  # of each method and of random orders

    def correlation(self, one: str, other: str) -> float:
        """Spearman's rank correlation of two methods' values; NaN if one is constant."""
        pair = [self.values[one], self.values[other]]
        if min(map(np.ptp, pair)) == 0:
            return float("nan")
        return float(spearmanr(*pair).statistic)

    def shared(self, one: str, other: str) -> int:
        """How many of the `top` highest segments two methods have in common."""
        return len(self._highest(one) & self._highest(other))

    def agree(self, one: str, other: str) -> bool:
        """Whether two methods share more of the top segments than chance lets them.

        By chance the number that they share has the hypergeometric distribution. The rank
        correlation does not count: it is low where most segments hardly matter, because their
        order is chance.
        """
        count = len(self.values[one])
        shared = self.shared(one, other)
        return bool(hypergeom.sf(shared - 1, count, self.top, self.top) <= CHANCE)

    def gain(self, name: str) -> float:
        """The area under a method's insertion curve less that under its deletion curve."""
        return gain(self.curves[name])

    @property
    def beats_chance(self) -> list[str]:
        """The methods whose gain is above that of random orders and their reverses, the best first.

        The reverse of an order sees the same masks, so its gain is the opposite.
        """
        chance = max(map(abs, self.curves[RANDOM]["gains"]))
        good = [name for name in self.values if self.gain(name) > chance]
        return sorted(good, key=self.gain, reverse=True)

    def _highest(self, name: str) -> set[int]:
        return set(np.argsort(-self.values[name], kind="stable")[: self.top].tolist())

    def compared(self) -> "Compared":
        """Every number, as it is kept."""
        names = list(self.values)
        pairs = [(one, other) for at, one in enumerate(names) for other in names[at + 1 :]]
        return Compared(
            values={name: values.tolist() for name, values in self.values.items()},
            rank_correlation=[(*pair, known(self.correlation(*pair))) for pair in pairs],
            top=self.top,
            shared_top=[(*pair, self.shared(*pair)) for pair in pairs],
            curves={name: Curve(**curve) for name, curve in self.curves.items()},
        )


@dataclass(frozen=True)
class Curve:
    """What hiding (deletion) and showing (insertion) the first segments of an order does."""

    shown: list[int]  # how many segments are hidden or shown at each point
    deletion: list[float]
    insertion: list[float]
    deletion_auc: float
    insertion_auc: float
    gains: list[float] = field(default_factory=list)  # of each random order


@dataclass(frozen=True)
class Compared:
    """How far methods agree, as it is kept; each pair of methods has a number."""

    values: dict[str, list[float]]  # of each method, LIME first: (segments,)
    rank_correlation: list[tuple[str, str, float | None]]  # None if one is constant
    top: int
    shared_top: list[tuple[str, str, int]]
    curves: dict[str, Curve]  # of each method and of random orders

    def with_lime(self, name: str) -> tuple[float | None, int]:
        """Rank correlation and shared top segments of a method and LIME."""
        pair = (LIME, name)
        rho = next(number for *names, number in self.rank_correlation if tuple(names) == pair)
        shared = next(number for *names, number in self.shared_top if tuple(names) == pair)
        return rho, shared


def compare(values: Mapping[str, np.ndarray], scores: Scores, top: int, seed: int) -> Agreement:
    """Compare methods (name -> (segments,)), and draw their deletion and insertion curves.

    top: how many segments count as the top ones; a third of all at most. The random orders'
    areas are means over RANDOM_ORDERS, and `gains` has each one's.
    """
    orders = {name: np.argsort(-found, kind="stable") for name, found in values.items()}
    curves = {name: curves_of([order], scores, POINTS) for name, order in orders.items()}
    rng = np.random.default_rng(seed)
    count = len(next(iter(values.values())))
    each = [curves_of([rng.permutation(count)], scores, POINTS) for _ in range(RANDOM_ORDERS)]
    curves[RANDOM] = {
        name: np.mean([one[name] for one in each], axis=0).tolist() for name in each[0]
    }
    curves[RANDOM]["gains"] = list(map(gain, each))
    return Agreement(dict(values), min(top, max(1, count // MOST_TOP)), curves)


def table(agreement: Agreement) -> list[str]:
    """The methods beside each other, a line each."""
    head = ("method", "rank correlation", "top shared", "deletion area", "insertion area")
    rows = [head, *(_row(agreement, name) for name in agreement.curves)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(map(_padded, row, widths, range(len(row)))) for row in rows]


def _row(agreement: Agreement, name: str) -> tuple[str, ...]:
    """A method: how it compares with LIME, and the areas under its curves."""
    curve = agreement.curves[name]
    areas = [f"{curve[f'{way}_auc']:.3f}" for way in ("deletion", "insertion")]
    if name in (LIME, RANDOM):
        return (name, "-", "-", *areas)
    shared = f"{agreement.shared(LIME, name)} of {agreement.top}"
    return (name, f"{agreement.correlation(LIME, name):.2f}", shared, *areas)


def _padded(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)


def what_to_believe(agreement: Agreement, against: Sequence[str]) -> str:
    """One sentence: which of the methods to rely on. against: what else speaks against it."""
    good = agreement.beats_chance
    if not good:
        why = "hiding segments in their orders changes the score no faster than at random"
        return f"Verdict: rely on none of the rankings: {'; '.join([why, *against])}."
    others = [name for name in agreement.values if name != LIME]
    agreeing = [name for name in others if agreement.agree(LIME, name)]
    if LIME in good and agreeing == others:
        what = "all methods share more of them than by chance, and hiding them changes the score"
        return verdict(f"{what} faster than at random", against)
    if LIME in good and agreeing:
        what = f"rely on what LIME and {agreeing[0]} both rank high; the other method disagrees"
    else:
        why = "the methods disagree on the top segments; its order changes the score the fastest"
        what = f"trust {good[0]} most: {why}"
    return f"Verdict: {'; '.join([what, *against])}."
