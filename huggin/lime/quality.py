"""How far to trust an explanation: do fresh masks agree, does hiding its segments matter?"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from huggin.lime.masks import random_perturbations
from huggin.lime.surrogate import Surrogate

RANDOM_ORDERS = 10
SAME = 0.6  # Jaccard index from which on two lists of top segments are called the same

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
    positive = np.mean([surrogate.coefficients > 0 for surrogate in surrogates], axis=0)
    return {
        "repeats": repeats,
        "jaccard": _jaccard([set(surrogate.top(top).tolist()) for surrogate in surrogates]),
        "kendall_w": float(12 * spread / (repeats**2 * (segments**3 - segments))),
        "same_sign": float(np.maximum(positive, 1 - positive).mean()),
    }


def differing(agreement: Mapping[str, float] | None) -> list[str]:
    """A clause if repeated explanations have other top segments. agreement: of `stability`."""
    if agreement is None or agreement["jaccard"] >= SAME:
        return []
    return [f"fresh masks find other top segments (Jaccard {agreement['jaccard']:.2f})"]


def _jaccard(sets: list[set[int]]) -> float:
    """The mean over pairs; 1 for two empty sets."""
    pairs = combinations(sets, 2)
    shares = [len(one & other) / len(one | other) if one | other else 1.0 for one, other in pairs]
    return float(np.mean(shares))


def faithfulness(ranking: np.ndarray, scores: Scores, seed: int) -> dict[str, dict[str, Any]]:
    """Deletion and insertion curves of three orders of the segments.

    `LIME` is the order `ranking` (segments,). `leave-one-out` puts first the segment that lowers
    the score most when it alone is hidden. `random` is the mean of RANDOM_ORDERS orders.
    Each has the score while segments are hidden one by one (`deletion`) and while they are shown
    one by one (`insertion`), (segments + 1,), and the areas under both (`deletion_auc`, lower is
    better; `insertion_auc`, higher is better). Petsiuk et al. 2018,
    https://arxiv.org/abs/1806.07421.
    """
    segments = len(ranking)
    alone = scores(random_perturbations("leave-one-out", segments, segments + 1, seed).on)
    rng = np.random.default_rng(seed)
    return {
        "LIME": curves_of([ranking], scores),
        "leave-one-out": curves_of([np.argsort(alone[1:] - alone[0], kind="stable")], scores),
        "random": curves_of([rng.permutation(segments) for _ in range(RANDOM_ORDERS)], scores),
    }


def gain(curve: Mapping[str, Any]) -> float:
    """The area under the insertion curve less that under the deletion curve."""
    return float(curve["insertion_auc"] - curve["deletion_auc"])


def curves_of(
    orders: Sequence[np.ndarray], scores: Scores, points: int | None = None
) -> dict[str, Any]:
    """The deletion and the insertion curve of orders of the segments, mean over the orders.

    points: how many points a curve has at most; default: one per segment, and one more. `shown`
    says how many segments are hidden (`deletion`) or shown (`insertion`) at each point.
    """
    segments = len(orders[0])
    counts = np.arange(segments + 1)
    if points is not None and points <= segments:
        counts = np.unique(np.linspace(0, segments, points).round().astype(int))
    # (points, segments) each: a row shows the first segments of the order
    shown = [counts[:, None] > np.argsort(order) for order in orders]
    deletion = np.mean([scores(~on) for on in shown], axis=0)
    insertion = np.mean([scores(on) for on in shown], axis=0)
    share = counts / segments
    return {
        "shown": counts.tolist(),
        "deletion": deletion.tolist(),
        "insertion": insertion.tolist(),
        "deletion_auc": float(np.trapezoid(deletion, share)),
        "insertion_auc": float(np.trapezoid(insertion, share)),
    }
