"""What parts are worth, in numbers that can be checked by hand, and in words."""

import math
from dataclasses import replace

import pytest

from huggin.analysis.parts import (
    mean_loss,
    rank_correlation,
    rewound_in_words,
    share_right,
    table_of_rewound,
)
from huggin.recording.results import Answers, PartRewound, Rewound


def answers(*losses, right=1):
    return Answers(list(losses), ["a"] * len(losses), [at < right for at in range(len(losses))])


def rewound(worth, moved):
    """Parts whose rewinding gives a loss of `worth`, with weights that moved so far."""
    parts = [
        PartRewound(f"layer {number}", 4, 2 * move, answers(loss, loss), answers(9.0, 9.0))
        for number, (loss, move) in enumerate(zip(worth, moved), start=1)
    ]
    return Rewound(8, "q.json", 0, [0, 1], answers(1.0, 2.0), answers(9.0, 9.0), parts)


def test_means_and_their_intervals():
    found = mean_loss(answers(9.0, 11.0), answers(0.0, 1.0))  # differences of 9 and 10
    half = 12.7062 * math.sqrt(0.5 / 2)  # Student's t of one degree of freedom
    assert (found.value, found.low, found.high) == pytest.approx((10, 10 - half, 10 + half))
    assert share_right(answers(1.0, 3.0)).value == 50
    assert mean_loss(answers(0.1, 0.3), answers(5.0, 0.0)).low == 0  # no loss is lower


def test_one_question_has_no_interval():
    found = mean_loss(answers(1.0), answers(0.5))
    assert (found.value, math.isnan(found.low), math.isnan(found.high)) == (1, True, True)


@pytest.mark.parametrize(
    ("worth", "moved", "correlation"),
    [
        ([2, 3, 4], [0.1, 0.2, 0.3], 1),
        ([2, 3, 4], [0.3, 0.2, 0.1], -1),
        ([2, 2, 5], [0.1, 0.1, 0.3], 1),
        ([2, 2, 2], [0.1, 0.2, 0.3], math.nan),
    ],
)
def test_rank_correlation(worth, moved, correlation):
    found = rank_correlation(worth, moved)
    assert found == pytest.approx(correlation, nan_ok=True)


def test_words():
    assert rewound_in_words(rewound([2, 6], [0.3, 0.1])) == (
        "Putting back layer 2 hurts most (loss 1.50 -> 6.00); the weights of layer 1 moved most; "
        "rank correlation of the two orders of the parts -1.00"
    )
    assert "its weights also moved most" in rewound_in_words(rewound([2, 6], [0.1, 0.3]))
    assert rewound_in_words(rewound([1, 1], [0.1, 0.3])).startswith("No part alone hurts")
    found = rewound([2, 6], [0.1, 0.3])
    lost = replace(found.parts[0], put_back=answers(2.0, 2.0, right=0))
    said = rewound_in_words(replace(found, parts=[lost, found.parts[1]]))
    assert "layer 2 hurts most" in said
    assert "6.00), layer 1 costs most answers (50 % -> 0 % right); its weights" in said


def test_the_table():
    lines = table_of_rewound(rewound([2, 6], [0.1, 0.3])).splitlines()
    assert lines[1].startswith("all trained   1.50, 50 %")
    assert lines[4].startswith("layer 2       6.00 (")
    assert lines[4].endswith("3.00e-01")
