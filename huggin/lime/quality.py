"""How far an explanation can be trusted: would fresh masks say the same, and does hiding what it names matter?"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from huggin.lime.masks import random_perturbations
from huggin.lime.surrogate import Surrogate

RANDOM_ORDERS = 10


def stability(surrogates: Sequence[Surrogate], top: int) -> dict[str, float]:
    """Compare two or more surrogates of the same segments and different masks; each number at most 1.

    `jaccard`: mean over pairs, top segments in common / in either. `kendall_w`: of the rankings, 1 the same ones, 0 as
    by chance. `same_sign`: mean share of the repeats with a segment's commoner sign.
    W = 12 S / (m² (n³ - n)) of the rankings of n segments in m repeats, S the squared deviations of their rank sums
    (Kendall and Babington Smith 1939, https://doi.org/10.1214/aoms/1177732186).
    """
    tops = [set(surrogate.top(top).tolist()) for surrogate in surrogates]
    pairs = [
        len(one & other) / len(one | other) if one | other else 1.0
        for one, other in combinations(tops, 2)
    ]
    ranks = np.array([np.argsort(surrogate.ranking()) for surrogate in surrogates])
    repeats, segments = ranks.shape
    sums = ranks.sum(axis=0)
    spread = ((sums - sums.mean()) ** 2).sum()
    positive = np.mean([surrogate.coefficients > 0 for surrogate in surrogates], axis=0)
    return {
        "repeats": repeats,
        "jaccard": float(np.mean(pairs)),
        "kendall_w": float(12 * spread / (repeats**2 * (segments**3 - segments))),
        "same_sign": float(np.maximum(positive, 1 - positive).mean()),
    }


Scores = Callable[[np.ndarray], np.ndarray]  # masks (n, segments) bool -> scores (n,)


def faithfulness(ranking: np.ndarray, scores: Scores, seed: int) -> dict[str, dict[str, Any]]:
    """Deletion and insertion (Petsiuk et al. 2018, https://arxiv.org/abs/1806.07421) in LIME's order and two others.

    `leave-one-out` puts first what lowers the score most when it alone is hidden, `random` is the mean of RANDOM_ORDERS
    orders. Each has the score as segments go (`deletion`) and as they come (`insertion`), (segments + 1,), and the
    areas beneath these (`deletion_auc`, low where the order finds soon what matters, and `insertion_auc`, high there).
    """
    segments = len(ranking)
    alone = scores(random_perturbations("leave-one-out", segments, segments + 1, seed).on)
    rng = np.random.default_rng(seed)
    return {
        "LIME": _curves([ranking], scores),
        "leave-one-out": _curves([np.argsort(alone[1:] - alone[0], kind="stable")], scores),
        "random": _curves([rng.permutation(segments) for _ in range(RANDOM_ORDERS)], scores),
    }


def _curves(orders: Sequence[np.ndarray], scores: Scores) -> dict[str, Any]:
    come = [
        np.arange(len(order) + 1)[:, None] > np.argsort(order) for order in orders
    ]  # (segments + 1, segments) each
    deletion = np.mean([scores(~on) for on in come], axis=0)
    insertion = np.mean([scores(on) for on in come], axis=0)
    step = 1 / (len(deletion) - 1)
    return {
        "deletion": deletion.tolist(),
        "insertion": insertion.tolist(),
        "deletion_auc": float(np.trapezoid(deletion, dx=step)),
        "insertion_auc": float(np.trapezoid(insertion, dx=step)),
    }
