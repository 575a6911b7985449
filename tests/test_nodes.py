"""Weight change and ranking against numbers worked by hand."""

import numpy as np
import pytest

from huggin.door import UserError
from huggin.nodes import tracked_first, weight_change
from huggin.recording import Steps


@pytest.fixture
def change():
    first = [[1.0, -2.0, 0.0, 0.5], [4.0, 1.0, 1.0, 1.0]]
    last = [[2.0, -1.0, 3.0, 0.5], [4.0, 1.0, 1.0, -5.0]]
    weight = np.array([first, first, last])
    rest = np.zeros(3)
    return weight_change(Steps(np.arange(3) * 5, rest, rest, rest, rest, weight, np.zeros((3, 2))))


def test_change(change):
    assert (change.first_step, change.last_step) == (0, 10)
    np.testing.assert_array_equal(change.absolute, [[1, 1, 3, 0], [0, 0, 0, -6]])
    np.testing.assert_array_equal(change.percent, [[100, 50, np.nan, 0], [0, 0, 0, -600]])


def test_ranking_leaves_undefined_percentages_last(change):
    assert change.ranking.tolist() == [3, 0, 1, 2]


def test_the_tracked_node_comes_first(change):
    assert tracked_first(change, None).tolist() == [3, 0, 1, 2]
    assert tracked_first(change, 2).tolist() == [2, 3, 0, 1]


@pytest.mark.parametrize("node", [-1, 4])
def test_a_node_that_is_not_there(change, node):
    with pytest.raises(UserError, match="nodes 0 to 3"):
        tracked_first(change, node)
