"""What the ledger says: sums by hand, gross and net, the gap, the sentence."""

import numpy as np
import pytest

from huggin.analysis.parts import ledger_in_words, made_most, subject, sums_of, table_of_ledger
from huggin.common.errors import UserError
from huggin.common.site import Place
from huggin.recording.reader import Credits

PLACES = [
    Place("embeddings", "embeddings"),
    Place("layer 1", "query"),
    Place("layer 1", "value"),
    Place("layer 2", "value"),
    Place("head", "head"),
]
CREDITS = [  # of four probes
    [-0.1, -0.2, -0.4, -0.3, 0.0],
    [0.0, 0.1, -0.5, -0.2, 0.0],
    [-0.1, -0.2, 0.3, 0.1, 0.0],
    [0.0, -0.3, -0.2, -0.2, 0.0],
]
NAN = np.nan


def ledger(gap=(0.01, -0.01, 0.0, 0.0), **changes):
    coarse = np.full((4, 5), NAN)
    coarse[1] = [-0.3, -0.1, -0.7, -0.5, 0.0]
    coarse[3] = [-0.1, -0.5, 0.1, -0.1, 0.0]
    fields = {
        "step": np.array([10, 20, 30, 40]),
        "credits": np.array(CREDITS),
        "gap": np.array(gap),
        "coarse": coarse,
        "places": PLACES,
    }
    return Credits(**fields | changes)


def test_net_and_gross_by_part():
    sums = sums_of(ledger())
    assert sums.parts == ["embeddings", "layer 1", "layer 2", "head"]
    np.testing.assert_allclose(sums.net, [-0.2, -1.4, -0.6, 0.0])
    np.testing.assert_allclose(sums.lowered, [-0.2, -1.5, -0.7, 0.0])
    np.testing.assert_allclose(sums.raised, [0.0, 0.1, 0.1, 0.0])
    assert sums.modules["layer 1", "value"] == pytest.approx(-0.8)
    assert sums.change == pytest.approx(-2.2)
    assert sums.gap == pytest.approx(0.02 / (0.99 + 0.61 + 0.1 + 0.7))


def test_how_far_the_split_moves():
    """Coarse -.4, -1.2, -.6, 0 against -.2, -1.4, -.6, 0: .2 of 2.2 goes to another part."""
    assert sums_of(ledger()).moved == pytest.approx(0.2 / 2.2)
    none = sums_of(ledger(coarse=np.full((4, 5), NAN)))
    assert np.isnan(none.moved)
    assert "every second probe" not in ledger_in_words(none)


def test_the_parts_that_made_most():
    sums = sums_of(ledger())
    assert made_most(sums) == [1]
    words = ledger_in_words(sums)
    assert words.startswith("The loss changed by -2.20 nats. Layer 1 made 64 % of it, half of that")
    assert "half of that between steps 10 and 40. Gap: 0.8 %." in words
    assert "every second probe left out 9.1 % goes to other parts." in words


def test_a_large_gap_says_what_to_do():
    assert (
        "Gap: 4.3 %: the parts are less exact than that; set ledger_points to 5"
        in ledger_in_words(sums_of(ledger(gap=(0.1, 0.0, 0.0, 0.0))))
    )


def test_a_loss_that_did_not_change_is_no_ones_work():
    still = ledger(credits=np.zeros((4, 5)), gap=np.zeros(4), coarse=np.full((4, 5), NAN))
    assert ledger_in_words(sums_of(still)) == "The loss changed by +0.00 nats. Gap: 0.0 %."
    assert "nothing: frozen" in table_of_ledger(sums_of(still))


def test_probes_that_are_not_finite_are_left_out():
    credits = np.array(CREDITS)
    credits[2, 3] = NAN
    sums = sums_of(ledger(credits=credits))
    assert sums.step.tolist() == [10, 20, 40]
    assert sums.moved == pytest.approx(0.4 / 2 / 1.6)
    assert "Left out: 1 probes whose loss is not finite" in ledger_in_words(sums)
    with pytest.raises(UserError, match="no loss of this sample is finite"):
        sums_of(ledger(gap=(NAN,) * 4))


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ([1], "Layer 1"),
        ([1, 2], "Layers 1 and 2"),
        ([0, 1, 2, 3], "The embeddings, layers 1 and 2 and the head"),
        ([3], "The head"),
    ],
)
def test_names_of_parts(chosen, words):
    assert subject(["embeddings", "layer 1", "layer 2", "head"], chosen) == words


def test_a_row_per_part():
    lines = table_of_ledger(sums_of(ledger())).splitlines()
    assert lines[1].split() == [
        *["part", "net", "(nats)", "lowered", "raised", "share", "most", "by"]
    ]
    assert lines[3].split() == [
        *["layer", "1", "-1.400", "-1.500", "+0.100", "63.6", "%", "value", "-0.800"]
    ]
