"""Coefficients adjusted by a proxy: right, more exact where segments interact, never much worse."""

import numpy as np
import pytest

from huggin.lime.adjusted import adjusted, cross_fitted, learn, signs_of
from huggin.lime.masks import Masks, distance_weights, random_perturbations
from huggin.lime.surrogate import Surrogate, linear_regression_coefficients

SEGMENTS = 11
EVERY = random_perturbations("hadamard", SEGMENTS, 2**SEGMENTS, seed=0)


def either_half(on: np.ndarray) -> np.ndarray:
    """Half of the face is enough, and a hat hides some of it."""
    return 0.8 * np.maximum(on[:, 0] * on[:, 1], on[:, 2]) * (1 - 0.4 * on[:, 3]) + 0.1 * on[:, 4]


def parity(on: np.ndarray) -> np.ndarray:
    """No segment has an effect of its own."""
    return 0.5 + 0.4 * np.prod(2.0 * on[:, :3] - 1, axis=1)


def nearly_linear(on: np.ndarray) -> np.ndarray:
    """Effects, and what no proxy can learn: a wave of its own for each mask."""
    return on @ np.linspace(-1, 1, on.shape[1]) + 0.1 * np.sin(37 * on @ np.arange(on.shape[1]))


def fitted(masks: Masks, score) -> tuple[Surrogate, Surrogate]:
    """The plain and the adjusted surrogate."""
    scores = score(masks.on.astype(float))
    weights = distance_weights(masks)
    plain = linear_regression_coefficients(masks, scores, weights)
    return plain, adjusted(masks, scores, weights, plain)


def errors(score, samples: int, repeats: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the plain and the adjusted coefficients (repeats, segments), and the latter's errors."""
    truth = fitted(EVERY, score)[0].coefficients
    draws = [random_perturbations("hadamard", SEGMENTS, samples, seed) for seed in range(repeats)]
    found = [fitted(masks, score) for masks in draws]
    plain, ours = (
        np.array([pair[which].coefficients - truth for pair in found]) for which in (0, 1)
    )
    return plain, ours, np.array([one.standard_errors for _, one in found])


@pytest.mark.parametrize("score", [either_half, parity])
def test_where_segments_interact_the_squared_error_is_a_hundredth(score):
    plain, ours, _ = errors(score, 513, 2)
    assert (ours**2).mean() < 0.01 * (plain**2).mean()


def test_where_nothing_is_to_be_learned_the_coefficients_stay():
    plain, ours, _ = errors(nearly_linear, 257, 2)
    assert (ours == plain).all()


def smooth(on: np.ndarray) -> np.ndarray:
    """All segments work together a little, as behind a softmax."""
    pairs = on[:, 0] * on[:, 5] + on[:, 2] * on[:, 7] - on[:, 1] * on[:, 3] * on[:, 9]
    return 1 / (1 + np.exp(1 - on @ np.linspace(-1.5, 2.5, SEGMENTS) - 2 * pairs))


@pytest.mark.slow
@pytest.mark.parametrize(("samples", "repeats", "share"), [(257, 60, 0.85), (513, 30, 0.4)])
def test_95_percent_intervals_hold_and_there_is_no_bias(samples, repeats, share):
    plain, ours, noise = errors(smooth, samples, repeats)
    assert (ours**2).mean() < share * (plain**2).mean()
    assert 0.9 < (np.abs(ours) < 1.96 * noise).mean() < 0.99
    assert (ours.mean(axis=0) ** 2).mean() < 2.5 / repeats * (ours**2).mean()  # 1 / repeats


@pytest.mark.parametrize("width", [0.1, 0.25, 2.0])
def test_a_proxys_coefficients_and_pairs_are_those_of_all_masks(width):
    drawn = random_perturbations("binomial", SEGMENTS, 200, 0)
    proxy = learn(drawn.on, smooth(drawn.on.astype(float)), reach=0.25, ridge=0.03)
    said = proxy.predict(EVERY.on)
    every = Masks(EVERY.on, EVERY.draw, True, width, complete=True)
    exact = linear_regression_coefficients(every, said, distance_weights(every))
    found = proxy.coefficients(width)
    assert found[0] == pytest.approx(exact.intercept)
    assert np.allclose(found[1:], exact.coefficients)
    signs = signs_of(EVERY.on)
    beyond = 4 * signs.T @ (said[:, None] * signs) / len(said)
    off = ~np.eye(SEGMENTS, dtype=bool)
    assert np.allclose(proxy.pairs()[off], beyond[off])


def test_a_proxy_never_sees_what_it_predicts():
    masks = random_perturbations("hadamard", SEGMENTS, 129, 0)
    scores = smooth(masks.on.astype(float))
    fold = np.arange(129) % 4
    before = cross_fitted(masks.on, scores, fold, 0.25, 0.03)[1]
    scores[fold == 2] += 100
    after = cross_fitted(masks.on, scores, fold, 0.25, 0.03)[1]
    assert (before[fold == 2] == after[fold == 2]).all()
    assert (before[fold != 2] != after[fold != 2]).all()


def test_the_strongest_pairs_are_named_and_interactions_counted():
    def score(on):
        return 0.3 * on[:, 2] + 0.5 * on[:, 5] * on[:, 8] - 0.2 * on[:, 0] * on[:, 3]

    _, found = fitted(random_perturbations("hadamard", SEGMENTS, 513, 0), score)
    pairs = [(pair.first, pair.second, round(pair.beyond, 2)) for pair in found.pairs]
    assert pairs == [(5, 8, 0.5), (0, 3, -0.2)]
    assert found.proxy_r2 > 0.99
    assert found.interactions == pytest.approx(1 - found.held_out_r2, abs=0.01)


def test_no_pairs_are_named_in_what_is_linear_but_for_rounding():
    def score(on):
        exact = on @ np.linspace(-1, 1, SEGMENTS) + 1e-6 * on[:, 2] * on[:, 5]
        return exact.astype(np.float32).astype(float)

    masks = random_perturbations("hadamard", SEGMENTS, 513, 0)
    scores = score(masks.on)
    weights = distance_weights(masks)
    plain = linear_regression_coefficients(masks, scores, weights, least=1e-5)
    assert adjusted(masks, scores, weights, plain).pairs == ()


@pytest.mark.parametrize(("sampler", "samples"), [("leave-one-out", 12), ("hadamard", 2048)])
def test_deterministic_masks_are_left_alone(sampler, samples):
    masks = random_perturbations(sampler, SEGMENTS, samples, 0)
    plain, found = fitted(masks, smooth)
    assert found is plain
    assert np.isnan(found.interactions)


@pytest.mark.parametrize(("segments", "samples"), [(1, 50), (3, 5), (20, 22), (34, 40)])
def test_few_segments_or_masks_are_no_problem(segments, samples):
    masks = random_perturbations("binomial", segments, samples, 0)
    _, found = fitted(masks, lambda on: np.cos(on.sum(axis=1)))
    assert np.isfinite(found.coefficients).all()
