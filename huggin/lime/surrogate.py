"""LIME's step 4, linear regression coefficients: masks, scores and weights -> each segment's effect."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from huggin.lime.masks import Masks

CHANCE = 1.96  # standard errors that 95 of 100 deviations by chance stay within
ALPHA = 0.05  # chance of calling stable what is not
ROUNDING = 1e-7  # relative size of changes that a float32's rounding makes
SATURATED = 1 - 1e-9  # leverage of a mask that fixes its own prediction


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
    held_out_r2: float  # of predictions for masks that were left out of the fit
    effective_samples: float

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
        """The highest segments, at most `wanted`; only those beyond chance above 0."""
        ranking = self.ranking()[:wanted]
        chance = np.nan_to_num(CHANCE * self.standard_errors)
        return ranking[self.coefficients[ranking] > chance[ranking]]


def linear_regression_coefficients(
    masks: Masks, scores: np.ndarray, weights: np.ndarray
) -> Surrogate:
    """Weighted least squares of `scores` (masks,) on the masks and an intercept.

    The standard errors also hold if the spread differs from mask to mask, and if the true score is
    not linear: HC3, the sandwich estimator with residuals over 1 - leverage (MacKinnon and White
    1985, "Some heteroskedasticity-consistent covariance matrix estimators", eq. 12). Rows of the
    same draw are summed first, as masks of a pair depend on each other. These residuals are also
    the errors of predictions for masks left out of the fit, hence the held-out R². Effective
    samples: (sum of weights)² / sum of squared weights (Kish 1965, "Survey Sampling", sec. 11.7).
    """
    design = np.column_stack([np.ones(len(scores)), masks.on])  # (masks, 1 + segments)
    root = np.sqrt(weights)
    centre = np.average(scores, weights=weights)
    spread = _without_rounding(scores - centre, np.abs(scores).max())
    solution = np.linalg.lstsq(design * root[:, None], spread * root)[0]
    bread = np.linalg.pinv(design.T @ (design * weights[:, None]), hermitian=True)
    leverage = weights * np.einsum("ij,jk,ik->i", design, bread, design)
    residuals = spread - design @ solution
    outside = residuals / np.where(leverage < SATURATED, 1 - leverage, np.nan)
    moments = _sum_by(masks.draw, design * (weights * outside)[:, None])
    covariance = bread @ (moments.T @ moments) @ bread
    return Surrogate(
        intercept=float(centre + solution[0]),
        coefficients=solution[1:],
        covariance=covariance[1:, 1:],
        r2=_explained(spread, residuals, weights),
        held_out_r2=_explained(spread, outside, weights),
        effective_samples=float(weights.sum() ** 2 / (weights**2).sum()),
    )


def _without_rounding(spread: np.ndarray, largest: float) -> np.ndarray:
    """Treat differences within float32 rounding as no change."""
    return np.where(np.abs(spread) <= ROUNDING * largest, 0, spread)


def _sum_by(draw: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Sum the rows of each draw: (draws, columns)."""
    sums = np.zeros((draw.max() + 1, rows.shape[1]))
    np.add.at(sums, draw, rows)
    return sums


def _explained(scores: np.ndarray, errors: np.ndarray, weights: np.ndarray) -> float:
    """R²: 1 - weighted mean squared error / weighted variance; NaN if the scores do not vary."""
    mean = np.average(scores, weights=weights)
    variance = np.average((scores - mean) ** 2, weights=weights)
    if variance == 0:
        return float("nan")
    return float(1 - np.average(errors**2, weights=weights) / variance)


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
    return bool((gaps > limit * errors).all())
