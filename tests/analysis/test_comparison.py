"""The difference of two models is measured as it should be: against known truths and SciPy."""

import numpy as np
import pytest
from scipy.stats import binomtest, t
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar

from huggin.analysis.comparison import Difference, Rights, difference


def clustered(rng: np.random.Generator, gap: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of two models whose true difference is `gap`; questions of a context are alike."""
    contexts = np.repeat(np.arange(40), rng.integers(1, 9, 40))
    difficulty = rng.normal(0, 10, 40)[contexts]
    first = 60 + rng.normal(0, 10, len(contexts))
    second = 60 + gap + difficulty + rng.normal(0, 10, len(contexts))
    return first, second, contexts


def test_the_intervals_hold_where_questions_of_a_context_are_alike():
    """Were questions independent, the interval would be half as wide, and hold 70 %."""
    rng = np.random.default_rng(0)
    found = [difference("F1", *clustered(rng, 3.0)) for _ in range(400)]
    held = np.mean([abs(each.points - 3.0) <= each.half for each in found])
    assert 0.91 <= held <= 0.98


def test_the_interval_is_that_of_a_bootstrap_over_contexts():
    first, second, contexts = clustered(np.random.default_rng(1), 3.0)
    found = difference("F1", first, second, contexts)
    sums = np.bincount(contexts, second - first)
    counts = np.bincount(contexts)
    drawn = np.random.default_rng(2).multinomial(40, [1 / 40] * 40, size=20_000)
    low, high = np.percentile(drawn @ sums / (drawn @ counts), [2.5, 97.5])
    assert found.points == pytest.approx((second - first).mean())
    assert (high - low) / 2 == pytest.approx(found.half, rel=0.08)


def test_the_standard_error_is_statsmodels():
    """That of a regression on a constant, whose residuals depend on each other in a context."""
    first, second, contexts = clustered(np.random.default_rng(1), 3.0)
    found = difference("F1", first, second, contexts)
    model = OLS(second - first, np.ones(len(first)))
    groups = {"groups": contexts, "use_correction": False}
    fitted = model.fit(cov_type="cluster", cov_kwds=groups)
    error = fitted.bse[0] * np.sqrt(40 / 39)
    assert found.points == pytest.approx(fitted.params[0])
    assert found.half == pytest.approx(t.ppf(0.975, 39) * error)


@pytest.mark.parametrize("counts", [(0, 0), (1, 4), (10, 2), (30, 31), (0, 7)])
def test_mcnemars_exact_test_is_scipys_and_statsmodels(counts):
    first = np.array([True] * counts[0] + [False] * counts[1] + [True] * 5)
    second = np.array([False] * counts[0] + [True] * counts[1] + [True] * 5)
    found = Rights.of(first, second)
    assert (found.first, found.second, found.both, found.neither) == (*counts, 5, 0)
    truth = binomtest(counts[0], sum(counts)).pvalue if sum(counts) else 1
    assert found.p_value == pytest.approx(truth)
    table = [[found.both, found.first], [found.second, found.neither]]
    theirs = mcnemar(table, exact=True).pvalue if sum(counts) else 1
    assert found.p_value == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            Difference("EM", 2.1, 2.5),
            "EM: B is better by 2.1 points (95 %: -0.4 to 4.6): may be chance",
        ),
        (
            Difference("F1", -4.0, 1.0),
            "F1: A is better by 4.0 points (95 %: 3.0 to 5.0): more than chance",
        ),
        (
            difference("EM", np.ones(3), np.ones(3), np.arange(3)),
            "EM: the same for every question",
        ),
        (
            difference(
                "EM", np.array([0, 9, 0, 9]), np.array([9, 0, 9, 0]), np.array([0, 0, 1, 1])
            ),
            "EM: the same on average (95 %: 0.0 to 0.0): may be chance",
        ),
        (difference("EM", np.zeros(3), np.ones(3), np.zeros(3, int)), "all questions are of one"),
    ],
)
def test_a_difference_says_which_is_better_and_whether_that_is_shown(found, said):
    assert said in found.in_words()
