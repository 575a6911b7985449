"""Do the methods agree, and is any of their orders better than chance?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from huggin.lime.explained import TRUSTED, known
from huggin.lime.quality import curves_of

LIME = "LIME"
RANDOM = "random"
RANDOM_ORDERS = 5
POINTS = 12  # of a curve, so that a long text is not asked hundreds of times
AGREED = 0.6  # share of the top segments in common from which on two methods are said to agree

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

    def gain(self, name: str) -> float:
        """The area under the insertion curve less that under the deletion curve."""
        curve = self.curves[name]
        return curve["insertion_auc"] - curve["deletion_auc"]

    @property
    def beats_chance(self) -> list[str]:
        """The methods whose gain is above that of every random order, the best first."""
        chance = max(self.curves[RANDOM]["gains"])
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

    top: how many segments count as the top ones. The random orders' areas are means over
    RANDOM_ORDERS, and `gains` has each one's.
    """
    orders = {name: np.argsort(-found, kind="stable") for name, found in values.items()}
    curves = {name: curves_of([order], scores, POINTS) for name, order in orders.items()}
    rng = np.random.default_rng(seed)
    count = len(next(iter(values.values())))
    each = [curves_of([rng.permutation(count)], scores, POINTS) for _ in range(RANDOM_ORDERS)]
    curves[RANDOM] = {
        name: np.mean([one[name] for one in each], axis=0).tolist() for name in each[0]
    }
    curves[RANDOM]["gains"] = [one["insertion_auc"] - one["deletion_auc"] for one in each]
    return Agreement(dict(values), min(top, count), curves)


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


def what_to_believe(agreement: Agreement, held_out_r2: float) -> str:
    """One sentence: which of the methods to rely on, and for what."""
    good = agreement.beats_chance
    if not good:
        why = "hiding segments in their orders changes the score no faster than at random"
        return f"Believe none of the rankings: {why}."
    others = [name for name in agreement.values if name != LIME]
    agreeing = [name for name in others if _agree(agreement, name)]
    if LIME in good and agreeing == others:
        why = "all methods share most of them, and hiding them changes the score faster than chance"
        found = f"Believe the top segments: {why}"
    elif LIME in good and agreeing:
        found = f"Believe what LIME and {agreeing[0]} both rank high; the other method disagrees"
    else:
        why = "the methods have other top segments, and its order changes the score the fastest"
        found = f"Believe {good[0]} most: {why}"
    if held_out_r2 >= TRUSTED:
        return f"{found}."
    r2 = "not known" if np.isnan(held_out_r2) else f"{held_out_r2:.2f}"
    return f"{found}, but no coefficient's exact size: the held-out R² is {r2}."


def _agree(agreement: Agreement, name: str) -> bool:
    """Whether a method shares most of the top segments with LIME.

    The rank correlation does not count: it is low where most segments hardly matter, because
    their order is chance.
    """
    return agreement.shared(LIME, name) >= AGREED * agreement.top
