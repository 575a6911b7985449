"""LIME for any function from masks to probabilities, such as a model of another library."""

from collections.abc import Callable

import numpy as np

from huggin.common.errors import UserError
from huggin.lime.adjusted import adjusted
from huggin.lime.choices import LEAST, WIDTH
from huggin.lime.masks import distance_weights, random_perturbations
from huggin.lime.surrogate import Surrogate, linear_regression_coefficients

# Hides what a mask hides and asks a model: masks (n, segments) bool, True where seen, in;
# probabilities (n, classes) out
Probabilities = Callable[[np.ndarray], np.ndarray]


def explain_function(
    probabilities: Probabilities,
    segments: int,
    target: int,
    samples: int = 1000,
    sampler: str = "hadamard",
    seed: int = 0,
    kernel_width: float = WIDTH,
    batch: int = 64,
    least: float = LEAST["probability"],
    adjust: bool = True,
) -> Surrogate:
    """LIME's four steps for a function; it is called with at most `batch` masks at a time.

    If there are no more than `samples` masks, the function is asked about all of them.
    segments: how many parts (of a picture, a text, a table's row) can be hidden.
    target: the class that is explained, a column of the probabilities.
    least: the smallest effect that counts; say it if the function returns no probabilities.
    adjust: by a proxy that learns the function, if that makes the coefficients more exact.
    Raises UserError for too few samples, and if the function returns another form or NaN.

    >>> effects = np.array([0.5, 0.0, -0.25])
    >>> found = explain_function(lambda on: (on @ effects)[:, None], 3, target=0, samples=64)
    >>> [int(segment) for segment in found.top(2)], [int(one) for one in found.against(2)]
    ([0], [2])
    """
    masks = random_perturbations(sampler, segments, samples, seed, kernel_width)
    batches = [masks.on[first : first + batch] for first in range(0, len(masks.on), batch)]
    scores = np.concatenate([_scores(probabilities, on, target) for on in batches])
    weights = distance_weights(masks)
    surrogate = linear_regression_coefficients(masks, scores, weights, least)
    return adjusted(masks, scores, weights, surrogate) if adjust else surrogate


def _scores(probabilities: Probabilities, on: np.ndarray, target: int) -> np.ndarray:
    answers = np.asarray(probabilities(on), np.float64)
    if answers.ndim != 2 or len(answers) != len(on) or answers.shape[1] <= target:
        wanted = f"({len(on)}, classes) with more than {target} classes"
        what = f"the function returned {answers.shape} for {len(on)} masks"
        raise UserError(f"{what}; wanted: {wanted}")
    if not np.isfinite(answers).all():
        raise UserError("the function returned NaN or infinity; check the model's input")
    return answers[:, target]
