"""Any function from masks to probabilities can be explained."""

import doctest

import numpy as np
import pytest

import huggin.lime.function
from huggin.common.errors import UserError
from huggin.lime.choices import SAMPLERS
from huggin.lime.function import explain_function

EFFECTS = np.array([0.3, -0.2, 0.0, 0.1, 0.05])


def planted(on: np.ndarray) -> np.ndarray:
    yes = 0.4 + on @ EFFECTS
    return np.column_stack([1 - yes, yes])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_planted_effects_are_found(sampler):
    calls = []

    def counted(on):
        calls.append(len(on))
        return planted(on)

    found = explain_function(counted, 5, target=1, samples=200, sampler=sampler, batch=32)
    assert np.allclose(found.coefficients, EFFECTS)
    assert found.top(3).tolist() == [0, 3, 4]
    assert found.against(3).tolist() == [1]
    assert max(calls) == 32
    assert sum(calls) == (32 if sampler == "hadamard" else 200)  # all that there are


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda on: planted(on)[:, 1], r"returned \(64,\) for 64 masks; wanted: \(64, classes\)"),
        (lambda on: planted(on)[:, :1], "with more than 1 classes"),
        (lambda on: planted(on) * np.nan, "returned NaN or infinity"),
    ],
)
def test_what_a_function_may_not_return(function, message):
    with pytest.raises(UserError, match=message):
        explain_function(function, 5, target=1, sampler="binomial")


def test_too_few_samples_are_refused():
    with pytest.raises(UserError, match="5 masks do not tell 5 segments apart; take 33 samples"):
        explain_function(planted, 5, target=1, samples=5)


def test_the_example_runs():
    assert doctest.testmod(huggin.lime.function).failed == 0


def test_interactions_are_learned_unless_that_is_not_wanted():
    def face(on):  # half of it is enough
        return (0.1 + 0.8 * np.maximum(on[:, 0] * on[:, 1], on[:, 2]))[:, None]

    plain, found = (explain_function(face, 12, 0, samples=513, adjust=way) for way in (False, True))
    assert (plain.adjusted, found.adjusted) == (False, True)
    assert (found.standard_errors < 0.1 * plain.standard_errors).all()
