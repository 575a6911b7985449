"""LIME's step 4 with less error from the same answers: coefficients adjusted by a proxy.

Masks, scores, weights and the plain surrogate go in; the better of two surrogates comes out.

A proxy learns what the model says, interactions of segments included. Its own coefficients are
exact, because nobody has to be asked. The usual regression explains what it gets wrong, and both
are added. The sum is right on average however bad the proxy is, as every answer is compared with a
proxy that has not seen it.

Survey statistics calls this model-assisted estimation (Särndal, Swensson and Wretman 1992, "Model
Assisted Survey Sampling", sec. 6.3), simulation a control variate (Owen 2013, "Monte Carlo Theory,
Methods and Examples", sec. 8.9), and asking only proxies that have not seen an answer is
cross-fitting (Chernozhukov et al. 2018, https://doi.org/10.1111/ectj.12097).
"""

from dataclasses import replace
from statistics import NormalDist

import numpy as np

from huggin.lime.masks import Masks
from huggin.lime.proxy import Proxy, learn, signs_of
from huggin.lime.surrogate import (
    ALPHA,
    Pair,
    Surrogate,
    explained_by,
    linear_regression_coefficients,
)

FOLDS = 4
CLEARLY = 0.8  # of the plain variance: a proxy that gains less is not worth its own error
TRIED = ((0.1, 0.3), (0.1, 0.03), (0.25, 0.003), (0.6, 0.03))  # reach and ridge of proxies
LEARNED = 768  # masks that a proxy learns from at most: its time grows with their cube
NAMED = 3  # pairs of segments


def adjusted(masks: Masks, scores: np.ndarray, weights: np.ndarray, plain: Surrogate) -> Surrogate:
    """The plain surrogate, or the one with a proxy if its standard errors are smaller.

    Either one tells what the proxy has found out about interactions. masks, scores (masks,) and
    weights (masks,) are those that `plain` was fitted to.
    """
    few = len(plain.coefficients) < 2 or np.isnan(plain.covariance).any()
    if few or masks.complete or not masks.weighted or plain.constant:
        return plain
    proxies, predicted = best_proxies(masks.on, scores, weights)
    left = linear_regression_coefficients(masks, scores - predicted, weights)
    told = replace(
        plain,
        proxy_r2=explained_by(scores, scores - predicted, weights),
        pairs=strongest_pairs(proxies, masks.on, scores - predicted, plain.smallest),
    )
    if np.trace(left.covariance) > CLEARLY * np.trace(plain.covariance):
        return told
    exact = np.mean([proxy.coefficients(masks.width) for proxy in proxies], axis=0)
    return replace(
        told,
        intercept=float(exact[0] + left.intercept),
        coefficients=exact[1:] + left.coefficients,
        covariance=left.covariance,
        adjusted=True,
    )


def best_proxies(
    on: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> tuple[list[Proxy], np.ndarray]:
    """Of the kinds in TRIED, the one that predicts best what its proxies have not seen.

    Returns a proxy for each fold, which has learned from the other folds, and its prediction for
    the masks of its fold (masks,). A mask and its opposite, which follows it, are in one fold.
    """
    fold = (np.arange(len(on)) + 1) // 2 % FOLDS
    found = [cross_fitted(on, scores, fold, *kind) for kind in TRIED]
    errors = [weights @ (scores - predicted) ** 2 for _, predicted in found]
    return found[int(np.argmin(errors))]


def cross_fitted(
    on: np.ndarray, scores: np.ndarray, fold: np.ndarray, reach: float, ridge: float
) -> tuple[list[Proxy], np.ndarray]:
    """A proxy for each fold from the other folds' masks, and what it predicts for its own."""
    predicted = np.empty(len(on))
    proxies = []
    for number in range(FOLDS):
        inside = fold == number
        others = np.flatnonzero(~inside)[:LEARNED]
        proxy = learn(on[others], scores[others], reach, ridge)
        predicted[inside] = proxy.predict(on[inside])
        proxies.append(proxy)
    return proxies, predicted


def strongest_pairs(
    proxies: list[Proxy], on: np.ndarray, errors: np.ndarray, least: float
) -> tuple[Pair, ...]:
    """The pairs of segments that add most beyond their sum, adjusted like the coefficients.

    errors: of the proxies (masks,). At most NAMED pairs are returned, and only those that differ
    from 0 by at least `least` and by more than chance, with Bonferroni's correction for the number
    of pairs.
    """
    signs = signs_of(on)
    size = 4 * (signs.T @ (errors[:, None] * signs)) / len(on)
    size += np.mean([proxy.pairs() for proxy in proxies], axis=0)
    first, second = np.triu_indices(len(size), 1)
    limit = NormalDist().inv_cdf(1 - ALPHA / 2 / max(len(first), 1))
    noise = max(limit * 4 * errors.std() / np.sqrt(len(on)), least)
    order = np.argsort(-np.abs(size[first, second]), kind="stable")[:NAMED]
    found = ((int(first[at]), int(second[at])) for at in order)
    return tuple(Pair(*pair, float(size[pair])) for pair in found if abs(size[pair]) > noise)
