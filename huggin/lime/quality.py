"""How far to trust an explanation: do fresh masks agree, do other methods, does hiding matter?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy.stats import hypergeom, spearmanr

from huggin.common.text import in_columns
from huggin.lime.explanation import known, verdict
from huggin.lime.masks import random_perturbations
from huggin.lime.surrogate import Surrogate

LIME = "LIME"
LEAVE_ONE_OUT = "leave-one-out"
RANDOM = "random"
RANDOM_ORDERS = 9  # with their reverses 18: one more is above all in 1 of 20
POINTS = 12  # of a curve, so that a long text is not asked hundreds of times
CHANCE = 0.05  # that two methods of noise are said to agree
MOST_TOP = 3  # the top is at most one segment in so many: methods share most of a longer one

Scores = Callable[[np.ndarray], np.ndarray]  # masks (n, segments) bool -> scores (n,)


def stability(surrogates: Sequence[Surrogate], top: int) -> dict[str, float]:
    """Compare two or more surrogates of the same segments and different masks.

    Each number is 1 if all agree. `jaccard`: mean over pairs of the top segments in common over
    those in either. `kendall_w`: agreement of the rankings, 0 by chance. `same_sign`: mean share
    of the repeats that have the segment's more common sign.
    W = 12 S / (m² (n³ - n)) for n segments in m repeats, where S is the sum of the squared
    deviations of the rank sums (Kendall and Babington Smith 1939,
    https://doi.org/10.1214/aoms/1177732186).
    """
    ranks = np.array([np.argsort(surrogate.ranking()) for surrogate in surrogates])
    repeats, segments = ranks.shape
    sums = ranks.sum(axis=0)
    spread = ((sums - sums.mean()) ** 2).sum()
    pairs = combinations([set(surrogate.top(top).tolist()) for surrogate in surrogates], 2)
    shared = [len(one & other) / len(one | other) if one | other else 1.0 for one, other in pairs]
    positive = np.mean([surrogate.coefficients > 0 for surrogate in surrogates], axis=0)
    return {
        "repeats": repeats,
        "jaccard": float(np.mean(shared)),
        "kendall_w": float(12 * spread / (repeats**2 * (segments**3 - segments))),
        "same_sign": float(np.maximum(positive, 1 - positive).mean()),
    }


@dataclass(frozen=True)
class Curve:
    """What hiding (deletion) and showing (insertion) the first segments of an order does."""

    shown: list[int]  # how many segments are hidden or shown at each point
    deletion: list[float]
    insertion: list[float]
    deletion_auc: float  # areas under both: lower is better,
    insertion_auc: float  # higher is better
    gains: list[float] = field(default_factory=list)  # of each random order

    @property
    def gain(self) -> float:
        """The area under the insertion curve less that under the deletion curve."""
        return self.insertion_auc - self.deletion_auc

    def in_words(self) -> str:
        """The areas."""
        return f"deletion AUC {self.deletion_auc:.4f}, insertion AUC {self.insertion_auc:.4f}"


@dataclass(frozen=True)
class Compared:
    """How far methods agree, and what hiding and showing the segments in their orders does."""

    values: dict[str, list[float]]  # of each method, LIME first: (segments,)
    rank_correlation: list[tuple[str, str, float | None]]  # Spearman's; None if one is constant
    top: int
    shared_top: list[tuple[str, str, int]]  # how many of the `top` highest they have in common
    curves: dict[str, Curve]  # of each method and of random orders

    def with_lime(self, name: str) -> tuple[float | None, int]:
        """Rank correlation and shared top segments of a method and LIME."""
        at = [tuple(names) for *names, _ in self.shared_top].index((LIME, name))
        return self.rank_correlation[at][2], self.shared_top[at][2]

    def agrees(self, name: str) -> bool:
        """Whether a method shares more of the top segments with LIME than chance lets it.

        By chance the number that they share has the hypergeometric distribution. The rank
        correlation does not count: it is low where most segments hardly matter, because their
        order is chance.
        """
        _, shared = self.with_lime(name)
        count = len(self.values[name])
        return bool(hypergeom.sf(shared - 1, count, self.top, self.top) <= CHANCE)

    @property
    def beats_chance(self) -> list[str]:
        """The methods whose gain is above that of random orders and their reverses, the best first.

        The reverse of an order sees the same masks, so its gain is the opposite.
        """
        chance = max(map(abs, self.curves[RANDOM].gains))
        good = [name for name in self.values if self.curves[name].gain > chance]
        return sorted(good, key=lambda name: self.curves[name].gain, reverse=True)

    def table(self) -> list[str]:
        """The methods beside each other, a line each."""
        rows = [("method", "rank correlation", "top shared", "deletion area", "insertion area")]
        for name, curve in self.curves.items():
            number = shared = "-"
            if name not in (LIME, RANDOM):
                rho, count = self.with_lime(name)
                number = "nan" if rho is None else f"{rho:.2f}"
                shared = f"{count} of {self.top}"
            areas = (f"{curve.deletion_auc:.3f}", f"{curve.insertion_auc:.3f}")
            rows.append((name, number, shared, *areas))
        return in_columns(rows)

    def verdict(self, against: Sequence[str]) -> str:
        """One sentence: which of the methods to rely on. against: what else speaks against it."""
        good = self.beats_chance
        if not good:
            why = "hiding segments in their orders changes the score no faster than at random"
            return f"Verdict: rely on none of the rankings: {'; '.join([why, *against])}."
        others = [name for name in self.values if name != LIME]
        agreeing = [name for name in others if self.agrees(name)]
        if LIME in good and agreeing == others:
            share = "all methods share more of them than by chance"
            faster = "hiding them changes the score faster than at random"
            return verdict(f"{share}, and {faster}", against)
        if LIME in good and agreeing:
            what = f"rely on what LIME and {agreeing[0]} both rank high; the other method disagrees"
        else:
            what = f"trust {good[0]} most: the methods disagree on the top segments; its order "
            what += "changes the score the fastest"
        return f"Verdict: {'; '.join([what, *against])}."


def leave_one_out(scores: Scores, segments: int) -> np.ndarray:
    """How much the score falls when each segment alone is hidden: (segments,)."""
    measured = scores(random_perturbations(LEAVE_ONE_OUT, segments, segments + 1, seed=0).on)
    return measured[0] - measured[1:]


def compare(
    values: Mapping[str, np.ndarray],
    scores: Scores,
    top: int,
    seed: int,
    random_orders: int = RANDOM_ORDERS,
    points: int | None = POINTS,
) -> Compared:
    """Compare methods (name -> (segments,)), and draw their deletion and insertion curves.

    The segments are hidden one by one (`deletion`), and shown one by one (`insertion`), those with
    the highest values first (Petsiuk et al. 2018, https://arxiv.org/abs/1806.07421).
    top: how many segments count as the top ones; a third of all at most. The random orders'
    areas are means over `random_orders`, and `gains` has each one's. points: how many points a
    curve has at most; None: one per segment, and one more.
    """
    orders = {name: np.argsort(-by_segment, kind="stable") for name, by_segment in values.items()}
    curves = {name: curve_of(order, scores, points) for name, order in orders.items()}
    rng = np.random.default_rng(seed)
    count = len(next(iter(values.values())))
    each = [curve_of(rng.permutation(count), scores, points) for _ in range(random_orders)]
    curves[RANDOM] = _mean_of(each)
    top = min(top, max(1, count // MOST_TOP))
    highest = {name: set(order[:top].tolist()) for name, order in orders.items()}
    pairs = list(combinations(values, 2))
    return Compared(
        values={name: by_segment.tolist() for name, by_segment in values.items()},
        rank_correlation=[
            (one, other, _rank_correlation(values[one], values[other])) for one, other in pairs
        ],
        top=top,
        shared_top=[(one, other, len(highest[one] & highest[other])) for one, other in pairs],
        curves=curves,
    )


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Spearman's; None if one of the two is constant."""
    if min(np.ptp(one), np.ptp(other)) == 0:
        return None
    return known(spearmanr(one, other).statistic)


def curve_of(order: np.ndarray, scores: Scores, points: int | None) -> Curve:
    """The deletion and the insertion curve of an order of the segments (segments,)."""
    segments = len(order)
    counts = np.arange(segments + 1)
    if points is not None and points <= segments:
        counts = np.unique(np.linspace(0, segments, points).round().astype(int))
    first = counts[:, None] > np.argsort(order)  # (points, segments): the first ones of the order
    deletion, insertion = scores(~first), scores(first)
    return Curve(
        shown=counts.tolist(),
        deletion=deletion.tolist(),
        insertion=insertion.tolist(),
        deletion_auc=float(np.trapezoid(deletion, counts / segments)),
        insertion_auc=float(np.trapezoid(insertion, counts / segments)),
    )


def _mean_of(curves: Sequence[Curve]) -> Curve:
    """The mean of curves, and the gain of each."""
    mean = {
        name: np.mean([getattr(curve, name) for curve in curves], axis=0).tolist()
        for name in ("deletion", "insertion", "deletion_auc", "insertion_auc")
    }
    return Curve(curves[0].shown, **mean, gains=[curve.gain for curve in curves])
