"""Which segments are seen, and what that counts."""

import numpy as np
import pytest

from huggin.lime.masks import SAMPLERS, distance_weights, kernel, random_perturbations


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
    assert random_perturbations("binomial", 10, 10_000, seed=0).on.mean() == pytest.approx(
        0.5, abs=0.01
    )


def test_paired_masks_are_opposites_and_one_draw():
    masks = random_perturbations("paired", 10, 101, seed=0)
    assert (masks.on[:100:2] == ~masks.on[1:100:2]).all()
    assert (masks.draw[:100:2] == masks.draw[1:100:2]).all()
    assert len(masks.on) == 101


def test_kernel_masks_lie_near_the_full_picture_and_count_alike():
    masks = random_perturbations("kernel", 10, 20_000, seed=0)
    seen = np.bincount(masks.on[1:].sum(axis=1), minlength=11) / 19_999
    weights = kernel(np.arange(11) / 10)
    assert np.allclose(seen, weights / weights.sum(), atol=0.01)
    assert masks.on[1:].mean(axis=0).std() < 0.01  # no segment more than another
    assert (distance_weights(masks) == 1).all()


def test_leave_one_out_hides_each_segment_alone():
    masks = random_perturbations("leave-one-out", 4, 5, seed=0)
    assert (masks.on[1:] == ~np.eye(4, dtype=bool)).all()


def test_weights_are_those_of_the_cosine_distance():
    from sklearn.metrics import pairwise_distances

    masks = random_perturbations("binomial", 10, 100, seed=0)
    distances = pairwise_distances(
        masks.on[1:].astype(float), np.ones((1, 10)), metric="cosine"
    ).ravel()
    assert np.allclose(distance_weights(masks)[1:], np.sqrt(np.exp(-(distances**2) / 0.25**2)))
    assert distance_weights(masks)[0] == 1


def test_a_mask_that_hides_all_has_a_weight():
    assert distance_weights(random_perturbations("paired", 4, 6, seed=0))[1] == pytest.approx(
        np.exp(-8)
    )
