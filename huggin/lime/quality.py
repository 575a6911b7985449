"""How far an explanation can be trusted: would fresh masks say the same, and does hiding what it names matter?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from huggin.lime.masks import random_perturbations
from huggin.lime.surrogate import Surrogate

RANDOM_ORDERS = 10


@dataclass(frozen=True)
class Stability:
    """Agreement of explanations by fresh masks, each from 0 or less to 1."""

    repeats: int
    jaccard: float  # mean over pairs: top segments in common / in either
    kendall_w: float  # of the rankings: 1 the same ones, 0 as by chance
    same_sign: float  # mean share of the repeats with a segment's commoner sign


def stability(surrogates: Sequence[Surrogate], top: int) -> Stability:
    """Compare two or more surrogates of the same segments and different masks.

    W = 12 S / (m² (n³ - n)) of the rankings of n segments in m repeats, S the squared deviations of their rank sums
    (Kendall and Babington Smith 1939, https://doi.org/10.1214/aoms/1177732186).
    """
    tops = [set(surrogate.top(top).tolist()) for surrogate in surrogates]
    pairs = [len(one & other) / len(one | other) if one | other else 1.0 for one, other in combinations(tops, 2)]
    ranks = np.array([np.argsort(surrogate.ranking()) for surrogate in surrogates])
    repeats, segments = ranks.shape
    sums = ranks.sum(axis=0)
    spread = ((sums - sums.mean()) ** 2).sum()
    positive = np.mean([surrogate.coefficients > 0 for surrogate in surrogates], axis=0)
    return Stability(
        repeats=repeats,
        jaccard=float(np.mean(pairs)),
        kendall_w=float(12 * spread / (repeats**2 * (segments**3 - segments))),
        same_sign=float(np.maximum(positive, 1 - positive).mean()),
    )


@dataclass(frozen=True)
class Curves:
    """The score as segments go (deletion) or come (insertion) in one order, and its mean over the way: the area."""

    deletion: np.ndarray  # (segments + 1,) from the full picture on
    insertion: np.ndarray  # (segments + 1,) from all hidden on

    @property
    def deletion_auc(self) -> float:
        """Low where the order finds soon what matters."""
        return _area(self.deletion)

    @property
    def insertion_auc(self) -> float:
        """High where the order finds soon what matters."""
        return _area(self.insertion)

    def numbers(self) -> dict[str, Any]:
        """Curves and areas for JSON."""
        areas = {"deletion_auc": self.deletion_auc, "insertion_auc": self.insertion_auc}
        return {"deletion": self.deletion.tolist(), "insertion": self.insertion.tolist(), **areas}


def _area(curve: np.ndarray) -> float:
    return float(np.trapezoid(curve, dx=1 / (len(curve) - 1)))


Scores = Callable[[np.ndarray], np.ndarray]  # masks (n, segments) bool -> scores (n,)


def faithfulness(ranking: np.ndarray, scores: Scores, seed: int) -> dict[str, Curves]:
    """Deletion and insertion (Petsiuk et al. 2018, https://arxiv.org/abs/1806.07421) in LIME's order and two others.

    `random` is the mean of RANDOM_ORDERS orders, `leave-one-out` puts first what lowers the score most when it alone
    is hidden.
    """
    segments = len(ranking)
    alone = scores(random_perturbations("leave-one-out", segments, segments + 1, seed).on)
    rng = np.random.default_rng(seed)
    random = [_curves(rng.permutation(segments), scores) for _ in range(RANDOM_ORDERS)]
    return {
        "LIME": _curves(ranking, scores),
        "leave-one-out": _curves(np.argsort(alone[1:] - alone[0], kind="stable"), scores),
        "random": Curves(*np.mean([(one.deletion, one.insertion) for one in random], axis=0)),
    }


def _curves(order: np.ndarray, scores: Scores) -> Curves:
    come = np.arange(len(order) + 1)[:, None] > np.argsort(order)  # (segments + 1, segments)
    return Curves(deletion=scores(~come), insertion=scores(come))
