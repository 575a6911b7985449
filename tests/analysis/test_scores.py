"""Kinds of questions and of errors are counted right, and probabilities judged by a known truth."""

from dataclasses import replace

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
    threshold_of,
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
    assert found.in_words().endswith(f": it is {said}")
    assert found.too_sure == pytest.approx((probabilities - probabilities**sure).mean(), abs=0.03)


def test_the_bins_are_scikit_learns():
    probabilities, right = answers(true=True)
    shares, said = calibration_curve(right, probabilities, n_bins=10, strategy="quantile")
    found = calibration_of(probabilities, right)
    assert np.allclose([each[1] for each in found.bins], said, atol=1e-3)
    assert np.allclose([each[2] for each in found.bins], shares, atol=6e-3)
    assert found.error == pytest.approx(np.abs(shares - said).mean(), abs=2e-3)


def unsure(shift: float, count: int = 2000) -> list[Given]:
    """Every second question has no answer; [CLS] leads by 2 more, else less, than `shift`."""
    rng = np.random.default_rng(3)
    asked = []
    for number in range(count):
        has_answer = number % 2 == 0
        lead = shift + (-2 if has_answer else 2) + rng.normal()
        right = has_answer == (lead <= 0)
        answers = {"text": ["Emil"] * has_answer, "answer_start": [32] * has_answer}
        record = {"question": "Who?", "context": CONTEXT, "answers": answers}
        scores = (100.0 * right, 100.0 * right, 0.5, False, lead, 100.0 * has_answer)
        asked.append(Given(record, (0, 0), *scores))
    return asked


def test_the_best_threshold_and_its_gain_are_those_of_a_known_truth():
    found = threshold_of(unsure(shift=3))
    assert found.lead == pytest.approx(3, abs=0.3)
    assert found.before == pytest.approx((15.9 + 100) / 2, abs=2)  # normal distribution at -1
    assert found.f1 == pytest.approx(97.7, abs=1)  # at 2
    assert found.gain == pytest.approx(97.7 - 57.9, abs=2)
    assert f"chosen on it gains {found.gain:.1f} points" in found.in_words()
    assert found.gain > found.half


def test_a_threshold_that_is_right_already_gains_nothing():
    found = threshold_of(unsure(shift=0))
    assert abs(found.gain) <= found.half < 0.5
    assert found.f1 >= found.before
    assert details_of(unsure(0)).as_json()["threshold"]["lead"] == found.lead


@pytest.mark.parametrize(("has_answer", "lead"), [(True, 1.5), (False, 0.5)])
def test_equal_leads_are_not_divided(has_answer, lead):
    """The threshold is above all of them, or below."""
    asked = [replace(each, lead=1.0) for each in unsure(0, 61)]
    asked = [each for each in asked if bool(each.record["answers"]["text"]) == has_answer]
    assert threshold_of([*asked, *asked]).lead == lead


def test_a_model_that_always_answers_has_no_threshold():
    assert details_of([given("Emil")] * 60).threshold is None
