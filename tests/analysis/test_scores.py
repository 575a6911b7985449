"""Kinds of questions and of errors are counted right, and probabilities judged by a known truth."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from huggin.analysis.scores import (
    EDGE,
    ELSEWHERE,
    INVENTED,
    MISSED,
    SENTENCE,
    Given,
    calibration_of,
    details_of,
    error_of,
)

CONTEXT = "Freya took the red drum to Ribe. Emil went home."


def given(answer, text="the red drum", exact=0.0, probability=0.5, trained_on=False):
    """An answer to a question whose expected answer is `text`."""
    texts = [text] if text else []
    answers = {"text": texts, "answer_start": [CONTEXT.index(each) for each in texts]}
    record = {"question": "What did Freya take?", "context": CONTEXT, "answers": answers}
    place = (CONTEXT.index(answer), CONTEXT.index(answer) + len(answer)) if answer else (0, 0)
    return Given(record, place, exact, exact, probability, trained_on)


@pytest.mark.parametrize(
    ("answer", "text", "kind"),
    [
        ("red drum", "the red drum", EDGE),
        ("the red drum to Ribe", "the red drum", EDGE),
        ("Ribe", "the red drum", SENTENCE),
        ("Emil", "the red drum", ELSEWHERE),
        ("", "the red drum", MISSED),
        ("Emil", "", INVENTED),
    ],
)
def test_an_error_is_named_by_where_it_stands(answer, text, kind):
    assert error_of(given(answer, text)) == kind


def test_scores_are_counted_by_kind():
    right = given("the red drum", exact=100.0, trained_on=True)
    found = details_of([right, right, given("Emil"), given("Ribe"), given("red drum")])
    whole = {(kind.of, kind.name): (kind.asked, kind.exact_match) for kind in found.kinds}
    assert "by question word" not in {kind.of for kind in found.kinds}  # there is one kind only
    assert whole["by the training", "trained on"] == (2, 100.0)
    assert whole["by the training", "not trained on"] == (3, 0.0)
    assert {kind: count for kind, count in found.errors.items() if count} == {
        EDGE: 1,
        SENTENCE: 1,
        ELSEWHERE: 1,
    }
    assert found.calibration is None  # five questions say nothing
    words = found.in_words()
    assert "not trained on" in words
    assert "another sentence" in words
    assert "calibration" not in words


def answers(true: bool, sure: float = 1.0, count: int = 2000):
    """Probabilities, and whether the answers are right: as often as they say, or another share."""
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(0.2, 0.95, count)
    return probabilities, rng.random(count) < (probabilities if true else probabilities**sure)


def test_true_probabilities_are_believed():
    """Of 100 draws of true probabilities about 5 are doubted."""
    rng = np.random.default_rng(1)
    doubted = 0
    for _ in range(100):
        probabilities = rng.uniform(0.2, 0.95, 300)
        found = calibration_of(probabilities, rng.random(300) < probabilities)
        doubted += found.error > found.largest_error
    assert doubted <= 12


@pytest.mark.parametrize(("sure", "said"), [(3.0, "too sure"), (0.3, "not sure enough")])
def test_untrue_probabilities_are_doubted(sure, said):
    probabilities, right = answers(true=False, sure=sure)
    found = calibration_of(probabilities, right)
    assert found.in_words()[-1].endswith(f": it is {said}")
    assert found.too_sure == pytest.approx((probabilities - probabilities**sure).mean(), abs=0.03)


def test_the_bins_are_scikit_learns():
    probabilities, right = answers(true=True)
    shares, said = calibration_curve(right, probabilities, n_bins=10, strategy="quantile")
    found = calibration_of(probabilities, right)
    assert np.allclose([each[1] for each in found.bins], said, atol=1e-3)
    assert np.allclose([each[2] for each in found.bins], shares, atol=6e-3)
