"""Fits, running means, and when a sample was answered right."""

from dataclasses import replace

import numpy as np
import pytest

from huggin.analysis.learning import Learned, margins_over_time, running_mean, when_learned
from huggin.analysis.losses import fit_exponential
from huggin.recording.reader import Probes
from tests.recordings import window

STEP = np.arange(200)


def test_an_exponential_is_recovered():
    noise = np.random.default_rng(0).normal(0, 0.05, 200)
    loss = 1.5 + 3 * np.exp(-STEP / 30) + noise
    loss[[0, 7, 9]] = [np.nan, np.inf, np.nan]
    fit = fit_exponential(STEP, loss)
    assert (fit.floor, fit.height, fit.decay) == pytest.approx((1.5, 3, 30), rel=0.05)
    assert fit.explained > 0.95
    assert fit.at(np.array([0.0]))[0] == pytest.approx(4.5, rel=0.05)


@pytest.mark.parametrize(
    "loss",
    [
        np.full(200, 2.0),
        np.linspace(1, 3, 200),
        np.random.default_rng(1).normal(3, 1, 200),
        np.full(200, np.nan),
        np.concatenate([[5.0, 3.0], np.full(198, np.nan)]),
        np.full(200, np.inf),
    ],
    ids=["flat", "rising", "noise", "nan", "two", "inf"],
)
def test_no_fit_where_none_fits(loss):
    assert fit_exponential(STEP, loss) is None


def test_no_fit_for_a_run_of_a_few_steps():
    assert fit_exponential(np.arange(3), np.array([np.nan, 2.0, 1.0])) is None


def test_running_mean():
    np.testing.assert_allclose(
        running_mean(np.array([1, 2, 6, np.nan, np.nan, np.nan]), 3), [1.5, 3, 4, 6, np.nan, np.nan]
    )


def probes_of(spans, logits=None):
    start, end = np.array(spans).T
    rest = np.zeros(len(spans))
    logits = rest if logits is None else np.array([logits] * len(spans))
    return Probes(np.arange(len(spans)) * 10, logits, 2 * logits, rest, rest, start, end)


@pytest.mark.parametrize(
    ("spans", "learned"),
    [
        ([(0, 0), (3, 4), (3, 4)], Learned(10, [10], 10)),
        ([(3, 4), (3, 5), (3, 4)], Learned(0, [10, 20], 20)),
        ([(3, 4), (3, 4), (2, 4)], Learned(0, [20], None)),
        ([(3, 4), (3, 4), (3, 4)], Learned(0, [], 0)),
        ([(3, 3), (2, 4), (-1, -1)], Learned(None, [], None)),
    ],
)
def test_when_learned(spans, learned):
    assert when_learned(probes_of(spans), window(5, gold_start=3, gold_end=4)) == learned


def test_no_answer_in_the_window_is_never_right():
    assert when_learned(probes_of([(0, 0), (0, 0)]), window(gold_start=0, gold_end=0)) == Learned(
        None, [], None
    )


def test_margins_are_over_the_best_other_token_of_the_context():
    parts = ["special", "question", "context", "context", "context"]
    shown = window(5, gold_start=2, gold_end=3, parts=parts)
    probes = probes_of([(2, 3)], [9.0, 8, 1, 2, 5])
    assert margins_over_time(probes, shown).tolist() == [[1 - 5, 2 * (2 - 5)]]
    alone = replace(shown, parts=["question"] * 4 + ["special"])
    assert margins_over_time(probes, alone).tolist() == [[np.inf, np.inf]]
