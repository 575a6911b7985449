"""LIME's step 4, linear regression coefficients: masks, scores, weights -> effects."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from huggin.common.errors import UserError
from huggin.lime.masks import Masks, block_size

CHANCE = 1.96  # standard errors that 95 of 100 deviations by chance stay within
ALPHA = 0.05  # chance of calling stable what is not
ROUNDING = 1e-7  # relative size of changes that a float32's rounding makes
NO_EFFECT = 1e-5  # of the scores' range: a coefficient this small is called rounding, too
PRIOR = 16  # blocks that the mean over all coefficients counts for
SATURATED = 1 - 1e-9  # leverage of a mask that fixes its own prediction


@dataclass(frozen=True)
class Pair:
    """Two segments that count together."""

    first: int
    second: int
    beyond: float  # what both add beyond what each adds alone, mean over all masks


@dataclass(frozen=True)
class Surrogate:
    """The linear model score = intercept + sum of the coefficients of the segments that are seen.

    `covariance` is that of the coefficients over other draws of masks. It is NaN, like the
    held-out R², if there are as many coefficients as masks.
    """

    intercept: float
    coefficients: np.ndarray  # (segments,) in units of the score
    covariance: np.ndarray  # (segments, segments)
    r2: float  # in-sample
    held_out_r2: float  # of predictions for masks left out of the fit; where all were asked, as r2
    effective_samples: float
    rounding: float = 0.0  # a smaller difference is rounding, however small its error
    least: float = 0.0  # a smaller coefficient is no effect, however small its error
    adjusted: bool = False  # by a proxy: see huggin/lime/adjusted.py
    proxy_r2: float = float("nan")  # of the proxy's predictions for masks that it has not seen
    pairs: tuple[Pair, ...] = ()  # that count together most, beyond chance

    @property
    def constant(self) -> bool:
        """Whether the score is the same for all masks, so that there is nothing to explain."""
        return bool(np.isnan(self.r2))

    @property
    def interactions(self) -> float:
        """The share of the variance that the proxy explains beyond the linear model; or NaN."""
        return max(self.proxy_r2 - self.held_out_r2, 0.0)

    @property
    def standard_errors(self) -> np.ndarray:
        """(segments,) of the coefficients."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def local_prediction(self) -> float:
        """The surrogate's score for the full picture."""
        return float(self.intercept + self.coefficients.sum())

    def ranking(self) -> np.ndarray:
        """All segments (segments,), the one with the highest coefficient first."""
        return np.argsort(-self.coefficients, kind="stable")

    def top(self, wanted: int) -> np.ndarray:
        """The highest segments, at most `wanted`; only those above 0 by more than `noise`."""
        ranking = self.ranking()[:wanted]
        return ranking[self.coefficients[ranking] > self.noise[ranking]]

    def against(self, wanted: int) -> np.ndarray:
        """The lowest segments, at most `wanted`; only those below 0 by more than `noise`."""
        ranking = self.ranking()[::-1][:wanted]
        return ranking[self.coefficients[ranking] < -self.noise[ranking]]

    @property
    def noise(self) -> np.ndarray:
        """(segments,) what a coefficient may be by chance or rounding, and at least `least`."""
        chance = np.nan_to_num(CHANCE * self.standard_errors)
        return np.maximum(chance, self.smallest)

    @property
    def clear(self) -> np.ndarray:
        """(segments,) whether a coefficient differs from 0 by more than `noise`."""
        return np.abs(self.coefficients) > self.noise

    @property
    def smallest(self) -> float:
        """A smaller coefficient is rounding, or no effect."""
        return max(self.rounding, self.least)


def linear_regression_coefficients(
    masks: Masks, scores: np.ndarray, weights: np.ndarray, least: float = 0.0
) -> Surrogate:
    """Weighted least squares of `scores` (masks,) on the masks and an intercept.

    least: the smallest effect that counts, in units of the score. Scores that vary by less are
    taken for constant.

    The standard errors also hold if the spread differs from mask to mask, and if the true score is
    not linear: HC3, the sandwich estimator with residuals over 1 - leverage (MacKinnon and White
    1985, "Some heteroskedasticity-consistent covariance matrix estimators", eq. 12). Rows of the
    same draw are summed first, as masks of a pair depend on each other. These residuals are also
    the errors of predictions for masks left out of the fit, hence the held-out R². Effective
    samples: (sum of weights)² / sum of squared weights (Kish 1965, "Survey Sampling", sec. 11.7).
    Raises UserError if the masks that count are too few.
    """
    design = np.column_stack([np.ones(len(scores)), masks.on])  # (masks, 1 + segments)
    root = np.sqrt(weights)
    centre = np.average(scores, weights=weights)
    nothing = np.abs(scores - centre) <= ROUNDING * np.abs(scores).max()  # a float32's rounding
    spread = np.where(nothing | (np.ptp(scores) <= least), 0, scores - centre)
    solution, _, rank, _ = np.linalg.lstsq(design * root[:, None], spread * root)
    if rank < design.shape[1]:
        count, segments = masks.on.shape
        advice = f"take {1 + block_size(segments)} samples"
        if np.linalg.matrix_rank(design) == design.shape[1]:
            advice = f"take a larger kernel width; {masks.width:g} leaves too few any weight"
        raise UserError(f"{count} masks do not tell {segments} segments apart; {advice}")
    bread = np.linalg.pinv(design.T @ (design * weights[:, None]), hermitian=True)
    leverage = weights * np.einsum("ij,jk,ik->i", design, bread, design)
    residuals = spread - design @ solution
    outside = residuals / np.where(leverage < SATURATED, 1 - leverage, np.nan)
    if masks.complete:
        covariance = np.zeros_like(bread)
    elif masks.balanced and masks.draw.max() > 1:  # blocks; the full mask is none
        covariance = _by_block(masks, design, weights, residuals, bread)
    else:
        draw = np.arange(len(scores)) if masks.balanced else masks.draw
        moments = _sum_by(draw, design * (weights * outside)[:, None])
        covariance = bread @ (moments.T @ moments) @ bread
    return Surrogate(
        intercept=float(centre + solution[0]),
        coefficients=solution[1:],
        covariance=covariance[1:, 1:],
        r2=explained_by(spread, residuals, weights),
        held_out_r2=explained_by(spread, residuals if masks.complete else outside, weights),
        effective_samples=float(weights.sum() ** 2 / (weights**2).sum()),
        rounding=float(max(NO_EFFECT * np.ptp(scores), ROUNDING * np.abs(scores).max())),
        least=least,
    )


def _by_block(
    masks: Masks, design: np.ndarray, weights: np.ndarray, residuals: np.ndarray, bread: np.ndarray
) -> np.ndarray:
    """The covariance of the coefficients over other draws of blocks.

    The error of a coefficient is what the sums over blocks say (a sandwich with blocks as
    clusters), relative to the covariance of independent errors. A few blocks say little about one
    coefficient, but columns and signs are drawn at random, so the errors of all coefficients are
    nearly alike: each is shrunk towards their mean, as if that were known from PRIOR blocks more.
    """
    meat = design.T @ (design * (weights**2)[:, None])
    alike = bread @ meat @ bread  # the covariance if errors are independent, with variance 1
    moments = _sum_by(masks.draw, design * (weights * residuals)[:, None]) @ bread
    share = np.bincount(masks.draw, weights) / weights.sum()
    variances = (moments**2).sum(axis=0) / (1 - (share**2).sum())
    ratio = variances / np.diag(alike)
    degrees = int(masks.draw.max()) - 1
    shrunk = (PRIOR * ratio[1:].mean() + degrees * ratio) / (PRIOR + degrees)
    return alike * np.sqrt(np.outer(shrunk, shrunk))


def _sum_by(draw: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Sum the rows of each draw: (draws, columns)."""
    sums = np.zeros((draw.max() + 1, rows.shape[1]))
    np.add.at(sums, draw, rows)
    return sums


def explained_by(scores: np.ndarray, errors: np.ndarray, weights: np.ndarray) -> float:
    """R²: 1 - weighted mean squared error / weighted variance; NaN if the scores do not vary."""
    mean = np.average(scores, weights=weights)
    variance = np.average((scores - mean) ** 2, weights=weights)
    share = np.average(errors**2, weights=weights) / variance if variance else np.nan
    return float(1 - share)


def is_stable(surrogate: Surrogate, wanted: int) -> bool:
    """Whether fresh masks would find the same `wanted` top segments, by the standard errors.

    Each top segment must differ from each other segment by more than chance, by a two-sided test
    of the difference with Bonferroni's correction for the number of pairs. If fewer segments speak
    for the class, 0 counts as one more segment. If none does, nothing is stable yet.
    """
    top = surrogate.top(wanted)
    rest = np.setdiff1d(np.arange(len(surrogate.coefficients)), top)
    values = surrogate.coefficients
    covariance = surrogate.covariance
    if len(top) < wanted:  # how many there are depends on the signs
        values = np.append(values, 0)
        covariance = np.pad(covariance, (0, 1))
        rest = np.append(rest, len(values) - 1)
    if len(rest) == 0 or len(top) == 0:
        return len(top) > 0
    gaps = values[top][:, None] - values[rest]  # (top, rest)
    variances = np.diag(covariance)
    shared = covariance[np.ix_(top, rest)]
    errors = np.sqrt(variances[top][:, None] + variances[rest] - 2 * shared)
    limit = NormalDist().inv_cdf(1 - ALPHA / 2 / gaps.size)
    return bool((gaps > np.maximum(limit * errors, surrogate.rounding)).all())
