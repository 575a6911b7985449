"""Numbers that only the page needs: thinned curves, histories of questions, top shares, margins."""

import numpy as np

from huggin.analysis.learning import margins_over_time, thinned
from huggin.analysis.nodes import largest_both_ways, snapshots, top_shares
from huggin.analysis.questions import NEVER, histories
from huggin.recording.reader import Probes, Recording, TrainedWindows
from tests.recordings import window


def test_a_thinned_curve_keeps_its_peaks_its_ends_and_its_gaps():
    values = np.sin(np.arange(10_000) / 50.0)
    values[4321] = 9
    values[777] = -9
    values[5000] = np.nan
    kept = thinned(values, buckets=100)
    assert len(kept) <= 2 * 100 + 3
    assert {0, 777, 4321, 5000, 9999} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_a_short_curve_stays_whole():
    assert thinned(np.array([np.nan, 1.0]), buckets=1).tolist() == [0, 1]
    assert thinned(np.array([]), buckets=1).tolist() == []


def trained(rows) -> TrainedWindows:
    """rows: (step, index, window, loss, right)."""
    step, index, number, loss, right = map(np.array, zip(*rows, strict=True))
    return TrainedWindows(step, index, number, loss, loss, right.astype(bool))


def test_what_became_of_each_question():
    found = histories(
        trained(
            [
                # question 3: wrong, right, wrong, right; then right to the end
                *[(1, 3, 0, 4.0, 0), (4, 3, 0, 3.0, 1), (7, 3, 0, 2.0, 0), (9, 3, 0, 1.0, 1)],
                # question 5, two windows: one is right from step 2 on, one only at step 8
                *[(2, 5, 0, 1.0, 1), (8, 5, 0, 0.5, 1), (2, 5, 1, 9.0, 0), (8, 5, 1, 1.5, 1)],
                # question 7: right, then wrong to the end
                *[(3, 7, 0, 0.1, 1), (6, 7, 0, 6.0, 0)],
                # question 8: always right
                *[(3, 8, 0, 0.1, 1), (6, 8, 0, 0.0, 1)],
            ]
        )
    )
    assert found.index.tolist() == [3, 5, 7, 8]
    assert found.loss.tolist() == [1.0, 1.0, 6.0, 0.0]
    assert found.right.tolist() == [2, 3, 1, 2]
    assert found.seen.tolist() == [4, 4, 2, 2]
    assert found.forgotten.tolist() == [1, 0, 1, 0]
    assert found.since.tolist() == [9, 8, NEVER, 3]
    assert found.orders["hardest"].tolist() == [2, 0, 1, 3]
    assert found.orders["learned"].tolist() == [1, 0]
    assert found.orders["forgotten"].tolist() == [0, 2]


def test_a_loss_that_is_no_number_is_the_hardest():
    found = histories(trained([(1, 0, 0, 1.0, 1), (1, 1, 0, np.nan, 0)]))
    assert found.orders["hardest"].tolist() == [1, 0]


def test_the_largest_both_ways():
    nodes, shares = largest_both_ways(np.array([[1.0, -5, 3, 2, -1, 0]]), each_way=2)
    assert nodes.tolist() == [[2, 3, 1, 4]]
    assert shares.tolist() == [[3, 2, -5, -1]]
    nodes, shares = largest_both_ways(np.array([1.0, -5, 3]), each_way=5)
    assert nodes.tolist() == [2, 1]


def test_top_shares_are_shares(tiny_run):
    found = snapshots(Recording(tiny_run))
    nodes, shares = top_shares(found, each_way=3)
    for row in (0, 1):
        all_shares = found.shares(row, token=2)[-1]
        order = np.argsort(-all_shares)
        expected = [*order[:3], *order[::-1][:3]]
        assert nodes[-1, row, 2].tolist() == expected
        np.testing.assert_array_equal(shares[-1, row, 2], all_shares[expected])


def test_margins_at_every_probe():
    logits = np.array([[9.0, 1, 4, 2], [0, 8, 1, 9]], np.float32)
    some = np.zeros(2)
    probes = Probes(some, logits, 2 * logits, some, some, some, some)
    shown = window(4, gold_start=1, gold_end=3, parts=["special", "context", "context", "context"])
    assert margins_over_time(probes, shown).tolist() == [[1 - 4, 2 * (2 - 4)], [8 - 9, 2 * (9 - 8)]]
