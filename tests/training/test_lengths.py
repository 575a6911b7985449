"""Batches of like length."""

import numpy as np
import pytest

from huggin.training.lengths import LikeLengths

LENGTHS = np.random.default_rng(0).integers(20, 384, 1003)


def order(lengths, batch=8, seed=1, epoch=0):
    return list(LikeLengths(lengths, batch, seed, lambda: epoch))


def computed(lengths, indices, batch):
    """Tokens that are computed if each batch is padded to its longest window."""
    batches = [indices[first : first + batch] for first in range(0, len(indices), batch)]
    return sum(max(lengths[index] for index in one) * len(one) for one in batches)


@pytest.mark.parametrize("windows", [0, 1, 7, 8, 31, 32, 1003])
def test_each_window_comes_once(windows):
    assert sorted(order(LENGTHS[:windows])) == list(range(windows))


def test_little_is_padded():
    needed = LENGTHS.sum()
    assert computed(LENGTHS, order(LENGTHS), 8) < 1.05 * needed
    assert computed(LENGTHS, np.random.default_rng(0).permutation(1003), 8) > 1.5 * needed


def test_an_epoch_can_be_drawn_again_and_differs_from_others():
    assert order(LENGTHS) == order(LENGTHS)
    assert order(LENGTHS) != order(LENGTHS, epoch=1)
    assert order(LENGTHS) != order(LENGTHS, seed=2)
    batches = [{frozenset(order(LENGTHS, epoch=epoch)[:8])} for epoch in range(20)]
    assert len(set.union(*batches)) == 20


def test_the_length_of_a_batch_says_nothing_about_its_place():
    lengths = [LENGTHS[order(LENGTHS, epoch=epoch)[:1000:8]] for epoch in range(40)]
    in_each_eighth = np.array(lengths).mean(axis=0)[:120].reshape(8, 15).mean(axis=1)
    assert np.ptp(in_each_eighth) < 30  # of lengths from 20 to 384
