"""LIME's step 4, linear regression coefficients: masks, scores and weights -> what each segment adds to the score."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from huggin.lime.masks import Masks

CHANCE = 1.96  # standard errors that 95 of 100 deviations by chance stay within
ALPHA = 0.05  # chance of calling stable what is not
ROUNDING = 1e-7  # relative size of changes that a float32's rounding makes
SATURATED = (
    1 - 1e-9
)  # leverage at which a mask fixes its own prediction: as many coefficients as masks


@dataclass(frozen=True)
class Surrogate:
    """The linear model score = intercept + sum of the coefficients of the segments that are seen."""

    intercept: float
    coefficients: np.ndarray  # (segments,) in units of the score
    covariance: (
        np.ndarray
    )  # (segments, segments) of the coefficients over other draws of masks; NaN where saturated
    r2: float  # in-sample
    held_out_r2: (
        float  # of predictions for masks that were left out of the fit; NaN where saturated
    )
    effective_samples: float

    @property
    def standard_errors(self) -> np.ndarray:
        """(segments,) of the coefficients."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def local_prediction(self) -> float:
        """What the surrogate says of the full picture."""
        return float(self.intercept + self.coefficients.sum())

    def ranking(self) -> np.ndarray:
        """All segments (segments,), the one with the highest coefficient first."""
        return np.argsort(-self.coefficients, kind="stable")

    def top(self, wanted: int) -> np.ndarray:
        """The highest segments, at most `wanted`, and only those that speak for the class beyond chance."""
        ranking = self.ranking()[:wanted]
        chance = np.nan_to_num(CHANCE * self.standard_errors)
        return ranking[self.coefficients[ranking] > chance[ranking]]


def linear_regression_coefficients(
    masks: Masks, scores: np.ndarray, weights: np.ndarray
) -> Surrogate:
    """Weighted least squares of `scores` (masks,) on the masks and an intercept.

    The standard errors hold where the spread differs from mask to mask, and where the true score is not linear: HC3,
    the sandwich with residuals over 1 - leverage (MacKinnon and White 1985, "Some heteroskedasticity-consistent
    covariance matrix estimators", eq. 12), summed within draws first, as masks of a pair depend on each other. These
    residuals are also the errors of predictions for masks left out of the fit, hence the held-out R². Effective
    samples: (sum of weights)² / sum of squared weights (Kish 1965, "Survey Sampling", sec. 11.7).
    """
    design = np.column_stack([np.ones(len(scores)), masks.on])  # (masks, 1 + segments)
    root, centre = np.sqrt(weights), np.average(scores, weights=weights)
    spread = scores - centre
    spread[np.abs(spread) <= ROUNDING * np.abs(scores).max()] = (
        0  # where nothing changes, noise explains nothing
    )
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


def _sum_by(draw: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of the same draw, summed: (draws, columns)."""
    sums = np.zeros((draw.max() + 1, rows.shape[1]))
    np.add.at(sums, draw, rows)
    return sums


def _explained(scores: np.ndarray, errors: np.ndarray, weights: np.ndarray) -> float:
    """R²: the weighted share of the scores' variance that the errors leave; NaN where the scores do not vary."""
    variance = np.average((scores - np.average(scores, weights=weights)) ** 2, weights=weights)
    return (
        float(1 - np.average(errors**2, weights=weights) / variance)
        if variance > 0
        else float("nan")
    )


def is_stable(surrogate: Surrogate, wanted: int) -> bool:
    """Whether fresh masks would find the same `wanted` top segments, as far as the standard errors say.

    Each top segment must differ from each other one by more than chance, by a two-sided test of the difference with
    Bonferroni's correction for the number of pairs. Where fewer speak for the class, 0 counts as one more segment;
    where none does, there is nothing yet to be stable.
    """
    top = surrogate.top(wanted)
    rest = np.setdiff1d(np.arange(len(surrogate.coefficients)), top)
    values, covariance = surrogate.coefficients, surrogate.covariance
    if len(top) < wanted:  # their number hangs on the signs
        values, covariance = np.append(values, 0), np.pad(covariance, (0, 1))
        rest = np.append(rest, len(values) - 1)
    if len(rest) == 0 or len(top) == 0:
        return len(top) > 0
    gaps = values[top][:, None] - values[rest]  # (top, rest)
    variances = np.diag(covariance)
    errors = np.sqrt(variances[top][:, None] + variances[rest] - 2 * covariance[np.ix_(top, rest)])
    return bool((gaps > NormalDist().inv_cdf(1 - ALPHA / 2 / gaps.size) * errors).all())
