"""LIME's step 4 with less error from the same answers: coefficients adjusted by a proxy.

Masks, scores, weights and the plain surrogate go in; the better of two surrogates comes out.

A proxy is a model of the model: a kernel ridge regression on what a linear model leaves over. Two
masks are alike if they differ in few segments that matter, and what matters is learned from the
scores. So it knows of segments that count only together. Its own coefficients are exact, because
nobody has to be asked. The usual regression explains what it gets wrong, and both are added. The
sum is right on average however bad the proxy is, as every answer is compared with a proxy that has
not seen it.

Survey statistics calls this model-assisted estimation (Särndal, Swensson and Wretman 1992, "Model
Assisted Survey Sampling", sec. 6.3), simulation a control variate (Owen 2013, "Monte Carlo Theory,
Methods and Examples", sec. 8.9), and asking only proxies that have not seen an answer is
cross-fitting (Chernozhukov et al. 2018, https://doi.org/10.1111/ectj.12097).
"""

from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from huggin.lime.masks import Masks, kernel
from huggin.lime.surrogate import (
    ALPHA,
    Pair,
    Surrogate,
    explained_by,
    linear_regression_coefficients,
)

ROUNDS = 3  # in which the relevance of the segments is learned
FOLDS = 4
CLEARLY = 0.8  # of the plain variance: a proxy that gains less is not worth its own error
TRIED = ((0.1, 0.3), (0.1, 0.03), (0.25, 0.003), (0.6, 0.03))  # reach and ridge of proxies
LEARNED = 768  # masks that a proxy learns from at most: its time grows with their cube
NAMED = 3  # pairs of segments


@dataclass(frozen=True)
class Proxy:
    """score = intercept + slopes · signs + heights · likeness to the masks that it learned from.

    Signs are 1 where a segment is seen, and -1 where it is hidden.
    """

    intercept: float
    slopes: np.ndarray  # (segments,)
    relevance: np.ndarray  # (segments,) how unlike two masks are that differ in a segment
    known: np.ndarray  # (masks, segments) signs of the masks that it learned from
    heights: np.ndarray  # (masks,) what each of them adds at its own place

    def predict(self, on: np.ndarray) -> np.ndarray:
        """The scores (masks,) of masks (masks, segments) bool."""
        signs = signs_of(on)
        near = _alike(signs, self.known, self.relevance)
        return self.intercept + signs @ self.slopes + near @ self.heights

    def coefficients(self, width: float) -> np.ndarray:
        """LIME's coefficients over all 2^n masks, exactly: intercept and segments (1 + segments,).

        They solve the normal equations, which need the mean of weight x score over all masks, and
        over those that show a segment. The weight depends on how many segments are seen, and the
        kernel is a product over the segments. So its sum over all masks that show k segments is the
        factor of z^k in a product of polynomials, which a Fourier transform reads off.
        width: of the kernel of LIME's weights.
        """
        count = len(self.slopes)
        points = count + 1 + count % 2  # odd: z = -1 could make a factor 0
        mass = np.zeros(points)
        mass[: count + 1] = kernel(np.arange(count + 1) / count, width)
        circle = np.exp(2j * np.pi * np.arange(points) / points)
        shown = np.exp(self.relevance * (self.known - 1))  # (masks, segments)
        hidden = np.exp(-self.relevance * (self.known + 1))
        means = np.zeros(1 + count)
        for share, z in zip(np.fft.fft(mass) / points, circle):
            factors = (hidden + shown * z) / 2
            product = share * self.heights * factors.prod(axis=1)  # (masks,)
            means[0] += product.sum().real
            means[1:] += (product @ (shown * z / 2 / factors)).real
        line = np.concatenate([[self.intercept - self.slopes.sum()], 2 * self.slopes])
        return line + np.linalg.solve(_normal_matrix(count, width), means)

    def pairs(self) -> np.ndarray:
        """What each two segments add beyond their sum, mean over all masks: (segments, segments).

        The interaction index of Banzhaf (Grabisch and Roubens 1999,
        https://doi.org/10.1007/s001820050125), exactly.
        """
        effects = np.tanh(self.relevance)
        far = np.prod(np.cosh(self.relevance) * np.exp(-self.relevance))
        together = self.known.T @ (self.heights[:, None] * self.known)
        return 4 * far * np.outer(effects, effects) * together


def adjusted(masks: Masks, scores: np.ndarray, weights: np.ndarray, plain: Surrogate) -> Surrogate:
    """The plain surrogate, or the one with a proxy if its standard errors are smaller.

    Either one tells what the proxy has found out about interactions. masks, scores (masks,) and
    weights (masks,) are those that `plain` was fitted to.
    """
    few = len(plain.coefficients) < 2 or np.isnan(plain.covariance).any()
    if few or masks.complete or not masks.weighted or plain.constant:
        return plain
    proxies, predicted = best_proxies(masks.on, scores, weights)
    remainder = linear_regression_coefficients(masks, scores - predicted, weights)
    explained = replace(
        plain,
        proxy_r2=explained_by(scores, scores - predicted, weights),
        pairs=strongest_pairs(proxies, masks.on, scores - predicted, plain.smallest),
    )
    if np.trace(remainder.covariance) > CLEARLY * np.trace(plain.covariance):
        return explained
    exact = np.mean([proxy.coefficients(masks.width) for proxy in proxies], axis=0)
    return replace(
        explained,
        intercept=float(exact[0] + remainder.intercept),
        coefficients=exact[1:] + remainder.coefficients,
        covariance=remainder.covariance,
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
    fits = [cross_fitted(on, scores, fold, *kind) for kind in TRIED]
    errors = [weights @ (scores - predicted) ** 2 for _, predicted in fits]
    return fits[int(np.argmin(errors))]


def cross_fitted(
    on: np.ndarray, scores: np.ndarray, fold: np.ndarray, reach: float, ridge: float
) -> tuple[list[Proxy], np.ndarray]:
    """A proxy for each fold from the other folds' masks, and what it predicts for its own."""
    predicted = np.empty(len(on))
    proxies = []
    for number in range(FOLDS):
        own = fold == number
        others = np.flatnonzero(~own)[:LEARNED]
        proxy = learn(on[others], scores[others], reach, ridge)
        predicted[own] = proxy.predict(on[own])
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
    pairs = ((int(first[at]), int(second[at])) for at in order)
    return tuple(Pair(*pair, float(size[pair])) for pair in pairs if abs(size[pair]) > noise)


def signs_of(on: np.ndarray) -> np.ndarray:
    """1 where a segment is seen, -1 where it is hidden."""
    return 2.0 * on - 1


def _alike(masks: np.ndarray, others: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """1 for equal masks, less for each relevant segment in which they differ: (masks, others)."""
    return np.exp((masks * relevance) @ others.T - relevance.sum())


def _normal_matrix(count: int, width: float) -> np.ndarray:
    """The mean over all 2^n masks of weight x row x row', for rows of 1 and the mask."""
    sizes = np.arange(count + 1)
    ways = np.cumprod(np.concatenate([[1.0], (count - sizes[:-1]) / sizes[1:]])) / 2.0**count
    mass = ways * kernel(sizes / count, width)
    diagonal = mass @ sizes / count
    off_diagonal = mass @ (sizes * (sizes - 1)) / (count * (count - 1))
    matrix = np.full((count + 1, count + 1), off_diagonal)
    np.fill_diagonal(matrix, diagonal)
    matrix[0] = matrix[:, 0] = diagonal
    matrix[0, 0] = mass.sum()
    return matrix


def learn(on: np.ndarray, scores: np.ndarray, reach: float, ridge: float) -> Proxy:
    """Fit to masks (masks, segments) bool and their scores (masks,).

    reach: the mean relevance of the segments; with a larger one, interactions of more segments are
    expected. ridge: how much is taken for noise. In each round the relevance becomes what switching
    a segment changes on average (automatic relevance determination: Neal 1996, "Bayesian Learning
    for Neural Networks", sec. 1.2).
    """
    signs = signs_of(on)
    design = np.column_stack([np.ones(len(signs)), signs])
    line = np.linalg.lstsq(design, scores)[0]
    left = scores - design @ line
    relevance = np.full(on.shape[1], reach)
    for turn in range(ROUNDS):
        alike = _alike(signs, signs, relevance)
        heights = np.linalg.solve(alike + ridge * np.eye(len(signs)), left)
        if turn < ROUNDS - 1:
            change = _change(signs, alike, heights, relevance) + 2 * signs * line[1:]
            size = np.sqrt(np.mean(change**2, axis=0))
            relevance = reach * size / max(np.sqrt(np.mean(size**2)), 1e-300)
    return Proxy(float(line[0]), line[1:], relevance, signs, heights)


def _change(
    signs: np.ndarray, alike: np.ndarray, heights: np.ndarray, relevance: np.ndarray
) -> np.ndarray:
    """The kernel's part of a score, less that with one segment switched: (masks, segments)."""
    predicted = (alike @ heights)[:, None]
    slope = signs * (alike @ (signs * heights[:, None]))
    return predicted - np.cosh(2 * relevance) * predicted + np.sinh(2 * relevance) * slope
