"""What is said of the evaluations while a model was trained."""

import pytest

from huggin.analysis.learning import validation_in_words
from huggin.recording.results import Efficacy


def evaluations(*losses, error=0.1, asked=60):
    """Evaluations every hundred steps."""
    fields = {"data": "x", "asked": asked, "correct": 0, "exact_match_interval": (5.0, 20.0)}
    fields |= {"exact_match": 10.0, "f1": 12.0, "f1_interval": (6.0, 22.0)}
    return [
        Efficacy(step=100 * at, loss=loss, loss_error=error, **fields)
        for at, loss in enumerate(losses, start=1)
    ]


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        (
            (3.0, 1.21, 2.0, 2.35),
            "best at step 200, validation loss 1.21; it has risen to 2.35 since: overfitting"
            " (EM 10.0 % then, 10.0 % at step 400)",
        ),
        (
            (3.0, 1.21, 1.3, 1.4),
            "best at step 200, validation loss 1.21; no clear rise since (1.4 at step 400)",
        ),
        (
            (3.0, 1.21, 0.5),
            "best at step 300, validation loss 0.5, at the last evaluation; a longer training"
            " may be better",
        ),
        ((3.0, float("nan"), 2.0, 2.5), "best at step 300, validation loss 2; it has risen"),
        ((3.0, 1.0), ""),
        ((None, None, None), ""),
    ],
)
def test_overfitting_is_said(losses, said):
    assert validation_in_words(evaluations(*losses)).startswith(said)
    assert bool(said) == bool(validation_in_words(evaluations(*losses)))


def test_a_single_question_does_not_tell_of_overfitting():
    said = validation_in_words(evaluations(3.0, 1.2, 2.0, error=float("nan")))
    assert said == "best at step 200, validation loss 1.2; no clear rise since (2 at step 300)"


def test_three_questions_tell_of_overfitting_only_beyond_their_interval():
    """Half of the 95 % interval of a mean of three losses is 4.30 standard errors."""
    rise = (3.0, 1.2, 1.2 + 0.45)
    assert "it has risen" in validation_in_words(evaluations(*rise))
    assert "no clear rise" in validation_in_words(evaluations(*rise, asked=3))
    assert evaluations(1.0, asked=3)[0].loss_spread == pytest.approx(0.430265)
