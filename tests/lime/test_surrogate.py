"""LIME's coefficients: right, and as sure as their standard errors say."""

import functools

import numpy as np
import pytest

from huggin.common.errors import UserError
from huggin.lime.choices import SAMPLERS
from huggin.lime.masks import Masks, distance_weights, random_perturbations
from huggin.lime.surrogate import Surrogate, is_stable, linear_regression_coefficients

SEGMENTS = 12
EFFECTS = np.linspace(-0.2, 0.4, SEGMENTS)


def linear(on: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Known effects; the noise is seven times larger where segment 0 is seen."""
    return 0.1 + on @ EFFECTS + noise * (0.05 + 0.3 * on[:, 0])


def interacting(on: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Segments that work together, and a step."""
    together = (
        0.5 * on[:, 0] * on[:, 1]
        - 0.4 * on[:, 2] * on[:, 3] * on[:, 4]
        + 0.3 * (on.sum(axis=1) > 8)
    )
    return 0.1 + on @ EFFECTS + together + 0.05 * noise


def fit(masks: Masks, scores: np.ndarray) -> Surrogate:
    return linear_regression_coefficients(masks, scores, distance_weights(masks))


@functools.cache
def truth(sampler: str, model) -> np.ndarray:
    """The known effects, the exact differences, or the coefficients of a very large sample."""
    if model is linear:
        return EFFECTS
    masks = random_perturbations(
        sampler, SEGMENTS, 13 if sampler == "leave-one-out" else 200_000, seed=10**6
    )
    return fit(masks, model(masks.on.astype(float), np.zeros(len(masks.on)))).coefficients


@pytest.mark.slow
@pytest.mark.parametrize("model", [linear, interacting])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_95_percent_intervals_cover_the_truth_in_95_percent_of_500_repeats(sampler, model):
    wanted, inside = truth(sampler, model), []
    for seed in range(500):
        masks = random_perturbations(sampler, SEGMENTS, 1000, seed)
        noise = np.random.default_rng(10**6 + seed).normal(size=1000)
        found = fit(masks, model(masks.on.astype(float), noise))
        inside.append(np.abs(found.coefficients - wanted) < 1.96 * found.standard_errors)
    assert 0.92 < np.mean(inside) < 0.98
    assert (
        np.mean(inside, axis=0).min() > 0.90
    )  # of each segment; chance alone moves 500 repeats by 0.02


@pytest.mark.slow
@pytest.mark.parametrize("model", [linear, interacting])
@pytest.mark.parametrize("samples", [256, 1000])
def test_intervals_of_hadamard_blocks_cover_the_truth_of_other_samplers(samples, model):
    wanted, inside = truth("binomial", model), []
    for seed in range(500):
        masks = random_perturbations("hadamard", SEGMENTS, samples, seed)
        noise = np.random.default_rng(10**6 + seed).normal(size=samples)
        found = fit(masks, model(masks.on.astype(float), noise))
        inside.append(np.abs(found.coefficients - wanted) < 1.96 * found.standard_errors)
    assert 0.93 < np.mean(inside) < 0.97


def test_errors_that_take_all_masks_for_alike_would_be_too_small():
    near = np.random.default_rng(0).random((1000, SEGMENTS)) < 0.8
    masks = Masks(near, np.arange(1000), weighted=False)
    noise = np.random.default_rng(1).normal(size=1000) * ~masks.on[:, 0]
    found = fit(masks, masks.on @ EFFECTS + noise)
    design = np.column_stack([np.ones(1000), masks.on])
    errors = masks.on @ EFFECTS + noise - found.intercept - masks.on @ found.coefficients
    alike = np.sqrt(
        np.diag(np.linalg.inv(design.T @ design)) * (errors @ errors) / (1000 - 1 - SEGMENTS)
    )
    assert found.standard_errors[0] > 1.2 * alike[1]


def test_all_masks_give_the_truth_without_errors():
    everything = random_perturbations("hadamard", SEGMENTS, 2**SEGMENTS, seed=0)
    found = fit(everything, interacting(everything.on.astype(float), np.zeros(2**SEGMENTS)))
    assert np.allclose(found.coefficients, truth("binomial", interacting), atol=0.005)
    assert (found.standard_errors == 0).all()


def test_leave_one_out_gives_the_differences_exactly_and_no_errors():
    masks = random_perturbations("leave-one-out", SEGMENTS, SEGMENTS + 1, seed=0)
    scores = interacting(masks.on.astype(float), np.zeros(SEGMENTS + 1))
    found = fit(masks, scores)
    assert np.allclose(found.coefficients, scores[0] - scores[1:])
    assert np.isnan(found.standard_errors).all()
    assert np.isnan(found.held_out_r2)


def test_numbers_that_come_with_the_coefficients():
    masks = random_perturbations("binomial", SEGMENTS, 200, seed=0)
    exact = fit(masks, linear(masks.on.astype(float), np.zeros(200)))
    assert exact.r2 == pytest.approx(1)
    assert exact.local_prediction == pytest.approx(0.1 + EFFECTS.sum())
    assert exact.intercept == pytest.approx(0.1)
    weights = distance_weights(masks)
    assert exact.effective_samples == pytest.approx(weights.sum() ** 2 / (weights @ weights))
    noisy = fit(masks, np.random.default_rng(1).normal(size=200))
    assert noisy.held_out_r2 < 0 < noisy.r2  # what fits noise predicts nothing


def test_held_out_errors_are_those_of_fits_without_the_mask():
    masks = random_perturbations("binomial", 4, 30, seed=0)
    scores, weights = np.random.default_rng(2).normal(size=30), distance_weights(masks)
    errors = []
    for left_out in range(30):
        rest = np.arange(30) != left_out
        some = Masks(masks.on[rest], np.arange(29), weighted=True)
        found = linear_regression_coefficients(some, scores[rest], weights[rest])
        errors.append(scores[left_out] - found.intercept - masks.on[left_out] @ found.coefficients)
    mean = np.average(scores, weights=weights)
    expected = 1 - np.average(np.square(errors), weights=weights) / np.average(
        (scores - mean) ** 2, weights=weights
    )
    assert fit(masks, scores).held_out_r2 == pytest.approx(expected)


def surrogate(coefficients: list[float], error: float) -> Surrogate:
    values = np.array(coefficients)
    return Surrogate(0.0, values, np.eye(len(values)) * error**2, 1.0, 1.0, 100.0)


def test_top_segments_speak_for_the_class_beyond_chance():
    assert surrogate([0.1, -0.5, 0.3, 0.01], error=0.01).top(4).tolist() == [2, 0]
    assert surrogate([0.1, -0.5, 0.3, 0.01], error=0.01).top(1).tolist() == [2]
    assert surrogate([-0.1, -0.5], error=0.01).top(4).tolist() == []
    assert surrogate([0.1, 0.2], error=float("nan")).top(4).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("coefficients", "error", "stable"),
    [
        ([0.5, 0.4, 0.1, 0.0], 0.01, True),
        ([0.5, 0.4, 0.39, 0.0], 0.01, False),  # which is second?
        ([0.5, 0.4, 0.39, 0.0], 0.001, True),
        ([0.5, 0.03, 0.02, -0.2], 0.01, False),
        ([0.02, 0.019, 0.018, -0.2], 0.01, False),  # is there one at all?
        ([0.5, -0.1, -0.1, -0.2], 0.01, True),
        ([-0.5, -0.1, -0.1, -0.2], 0.01, False),  # none speaks for it yet
    ],
)
def test_stable_where_the_top_two_stand_out(coefficients, error, stable):
    assert is_stable(surrogate(coefficients, error), 2) is stable


def test_scores_that_never_change_explain_nothing():
    masks = random_perturbations("binomial", 4, 50, seed=0)
    noise = np.random.default_rng(0).normal(size=50) * 1e-9  # of rounding
    found = fit(masks, 0.7 + noise)
    assert (found.coefficients == 0).all()
    assert found.top(4).tolist() == []
    assert np.isnan(found.r2)


def test_masks_that_do_not_tell_the_coefficients_apart_are_refused():
    """With so small a width the full mask alone counts, and any coefficients fit it."""
    masks = random_perturbations("hadamard", 16, 513, 0, 0.01)
    with pytest.raises(UserError, match="a larger kernel width; 0.01 leaves too few any weight"):
        linear_regression_coefficients(masks, masks.on.sum(axis=1) / 16, distance_weights(masks))


def test_nothing_is_held_out_where_all_masks_were_asked():
    """Two segments count only together: each of four masks, left out, would be foretold badly."""
    masks = random_perturbations("hadamard", 2, 64, 0)
    found = linear_regression_coefficients(
        masks, masks.on.all(axis=1) * 0.9, distance_weights(masks)
    )
    assert 0.5 < found.r2 == found.held_out_r2 < 1


def test_masks_that_are_too_few_name_how_many_are_enough():
    """32 masks and their opposites tell 32 directions apart, not 34."""
    few = random_perturbations("hadamard", 34, 65, 0)
    with pytest.raises(UserError, match="65 masks do not tell 34 segments apart; take 129 samples"):
        linear_regression_coefficients(few, few.on[:, 0] / 2, distance_weights(few))
    enough = random_perturbations("hadamard", 34, 129, 0)
    found = linear_regression_coefficients(enough, enough.on[:, 0] / 2, distance_weights(enough))
    assert found.top(2).tolist() == [0]
