"""Which segments are seen, and what that counts."""

import functools

import numpy as np
import pytest

from huggin.common.errors import BadValue
from huggin.lime.choices import SAMPLERS
from huggin.lime.masks import distance_weights, kernel, random_perturbations, usual_samples
from huggin.lime.surrogate import linear_regression_coefficients


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_full_mask_is_first_and_more_samples_are_the_same_and_more(sampler):
    few, many = (random_perturbations(sampler, 10, samples, seed=3) for samples in (50, 200))
    assert few.on[0].all()
    assert few.on.shape == (50, 10)
    assert (many.on[:50] == few.on).all()
    assert (random_perturbations(sampler, 10, 50, seed=3).on == few.on).all()


def test_another_seed_draws_other_masks():
    one, other = (random_perturbations("binomial", 10, 50, seed).on for seed in (0, 1))
    assert (one != other).any()


def test_binomial_masks_show_half_of_all():
    masks = random_perturbations("binomial", 10, 10_000, seed=0)
    assert masks.on.mean() == pytest.approx(0.5, abs=0.01)


def test_leave_one_out_hides_each_segment_alone():
    masks = random_perturbations("leave-one-out", 4, 5, seed=0)
    assert (masks.on[1:] == ~np.eye(4, dtype=bool)).all()


@pytest.mark.parametrize("segments", [12, 31, 34])
def test_a_hadamard_block_is_balanced_and_free_of_interactions(segments):
    size = {12: 64, 31: 128, 34: 128}[segments]
    masks = random_perturbations("hadamard", segments, 1 + 3 * size, seed=0)
    assert np.bincount(masks.draw).tolist() == [1, size, size, size]
    for block in range(1, 4):
        signs = 2 * masks.on[masks.draw == block].astype(int) - 1
        assert (signs[::2] == -signs[1::2]).all()
        assert (signs.T @ signs == size * np.eye(segments)).all()  # uncorrelated, half are seen
        products = signs[:, :, None] * signs[:, None, :]
        assert (np.einsum("mi,mjk->ijk", signs, products) == 0).all()
    assert (masks.on[masks.draw == 1] != masks.on[masks.draw == 2]).any()


@pytest.mark.parametrize(("segments", "samples"), [(12, 513), (84, 513), (85, 1025), (308, 2049)])
def test_the_usual_number_of_masks_has_two_blocks_at_least(segments, samples):
    assert usual_samples("hadamard", segments) == samples
    assert random_perturbations("hadamard", segments, samples, seed=0).draw.max() >= 2
    assert usual_samples("leave-one-out", segments) == segments + 1
    assert usual_samples("binomial", segments) == 1000


@functools.cache
def fitted(sampler: str, samples: int, seed: int) -> np.ndarray:
    """The coefficients of 34 segments, pairs of which interact."""
    rng = np.random.default_rng(0)
    effects = rng.normal(size=34)
    pairs = np.triu(rng.normal(size=(34, 34)) * (rng.random((34, 34)) < 0.1), 1)
    masks = random_perturbations(sampler, 34, samples, seed)
    on = masks.on.astype(float)
    scores = on @ effects + ((on @ pairs) * on).sum(axis=1)
    return linear_regression_coefficients(masks, scores, distance_weights(masks)).coefficients


def mean_squared_error(sampler: str, samples: int) -> float:
    """Of 30 draws of masks."""
    truth = fitted("binomial", 100_000, 10**6)
    errors = [fitted(sampler, samples, seed) - truth for seed in range(30)]
    return float(np.mean(np.square(errors)))


@pytest.mark.slow
@pytest.mark.parametrize("samples", [129, 257])
def test_hadamard_masks_are_twice_as_exact(samples):
    ours = mean_squared_error("hadamard", samples)
    assert ours < 0.5 * mean_squared_error("binomial", samples)


def test_the_width_of_the_kernel_is_an_option():
    wide, narrow = (random_perturbations("binomial", 8, 50, 0, width) for width in (1.0, 0.1))
    assert (wide.on == narrow.on).all()
    distance = 1 - np.sqrt(wide.on.mean(axis=1))
    assert np.allclose(distance_weights(wide), np.exp(-(distance**2) / 2))
    assert (distance_weights(narrow) <= distance_weights(wide)).all()


def test_weights_are_those_of_the_cosine_distance():
    from sklearn.metrics import pairwise_distances

    masks = random_perturbations("binomial", 10, 100, seed=0)
    seen = masks.on[1:].astype(float)
    distances = pairwise_distances(seen, np.ones((1, 10)), metric="cosine").ravel()
    assert np.allclose(distance_weights(masks)[1:], np.sqrt(np.exp(-(distances**2) / 0.25**2)))
    assert distance_weights(masks)[0] == 1


def test_a_mask_that_hides_all_has_a_weight():
    assert kernel(np.array(0.0)) == pytest.approx(np.exp(-8))


def test_all_masks_are_asked_about_if_they_are_few():
    masks = random_perturbations("hadamard", 9, 513, seed=0)
    assert masks.complete and masks.on.shape == (512, 9)
    assert masks.on[0].all()
    assert len(np.unique(masks.on, axis=0)) == 512
    assert not random_perturbations("hadamard", 9, 511, seed=0).complete
    assert not random_perturbations("binomial", 9, 1000, seed=0).complete


def test_an_unknown_sampler_is_refused():
    with pytest.raises(BadValue, match="sampler paired: unknown; choose hadamard, binomial, leave"):
        random_perturbations("paired", 9, 513, seed=0)
