"""What is printed and recorded is right, on models whose explanation is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from huggin.common.errors import UserError
from huggin.lime.adjusted import adjusted
from huggin.lime.choices import LEAST
from huggin.lime.classifiers.labels import class_of
from huggin.lime.explanation import Explanation, Request, verdict
from huggin.lime.masks import distance_weights, random_perturbations
from huggin.lime.pictures.scene import Scene
from huggin.lime.predictor import Target
from huggin.lime.surrogate import is_stable, linear_regression_coefficients
from tests.conftest import command
from tests.lime.conftest import saved

NAMES = ("cat", "dog")


class Planted:
    """A classifier whose name, facts and answer are given."""

    name = "planted"
    size = (8, 8)
    ending = "softmax"
    names = NAMES
    facts = ("pixels: 0 to 1, as chosen",)
    fingerprint = "a"

    def __init__(self, *answer: float) -> None:
        self.answer = np.array(answer)

    def predict(self, _: np.ndarray) -> np.ndarray:
        return self.answer


def explained(
    score, segments: int, samples: int, sampler: str = "binomial", scale: str = "probability"
) -> Explanation:
    """The explanation of a score: masks (n, segments) -> (n,)."""
    masks = random_perturbations(sampler, segments, samples, seed=0)
    scores = score(masks.on.astype(float))
    weights = distance_weights(masks)
    surrogate = linear_regression_coefficients(masks, scores, weights, LEAST[scale])
    cells = np.arange(segments, dtype=np.int32)[None]
    picture = np.zeros((1, segments, 3), np.float32)
    scene = Scene("a.png", Planted(0.25, 0.75), picture, cells, picture)
    request = Request(sampler, samples, 0, scale, 4, "grid", "grey")
    return Explanation(scene, Target("dog", 1), request, masks, scores, 0.5, surrogate)


# Segments without effect


def test_segments_without_effect_are_never_top_segments():
    """Rounding alone gives the other segments 1e-17, and standard errors as small."""
    one = explained(lambda on: 0.1 + 0.6 * on[:, 2] + 0.2 * on[:, 5], 6, 100)
    assert one.top.tolist() == [2, 5]
    assert one.against.tolist() == []
    assert is_stable(one.surrogate, 4)


def test_float32_rounding_is_no_effect_either():
    noise = np.random.default_rng(0).normal(size=8) * 2e-8

    def score(on):
        return (0.1 + 0.6 * on[:, 2] + on @ noise).astype(np.float32).astype(float)

    assert explained(score, 8, 300).top.tolist() == [2]


@pytest.mark.parametrize(("scale", "size"), [("probability", 4e-4), ("logit", 4e-3)])
def test_an_effect_too_small_to_matter_is_none(scale, size):
    """Its standard error is smaller still, so chance does not explain it."""

    def score(on):
        return 0.1 + on @ np.array([size, 100 * size, -size, 0])

    one = explained(score, 4, 100, scale=scale)
    assert (one.top.tolist(), one.against.tolist()) == ([1], [])
    alone = explained(lambda on: score(on) - 100 * size * on[:, 1], 4, 100, scale=scale)
    assert (alone.top.tolist(), alone.against.tolist()) == ([], [])
    [line] = alone.in_words()
    assert line == (
        f"dog: nothing to explain, its {scale} is 0.1, within {2 * size:.2g}, whatever is hidden"
    )


def test_segments_against_are_found():
    one = explained(lambda on: 0.5 + 0.3 * on[:, 1] - 0.4 * on[:, 0] - 0.1 * on[:, 3], 6, 200)
    assert one.top.tolist() == [1]
    assert one.against.tolist() == [0, 3]
    assert one.as_json()["segments_against"] == [0, 3]


# Too few masks, or segments that interact


def noisy_line(on):
    """Mostly a line; the rest is an interaction of each mask's own."""
    return on @ np.linspace(-1, 1, on.shape[1]) + 2.5 * np.sin(37 * (on @ np.arange(on.shape[1])))


def parity(on):
    return 0.5 + 0.4 * np.prod(2 * on[:, :3] - 1, axis=1)


def test_too_few_masks_are_told_from_segments_that_interact():
    few = explained(noisy_line, 54, 150)
    assert few.surrogate.held_out_r2 < 0.5 < few.surrogate.r2
    [line] = [line for line in few.in_words() if line.startswith("LOW")]
    assert "150 masks are too few for 54 segments; give about --samples" in line
    enough = explained(noisy_line, 54, int(line.split()[-1]))
    assert enough.surrogate.held_out_r2 > 0.5
    assert not any(line.startswith("LOW") for line in enough.in_words())


def test_segments_that_interact_are_said_to():
    one = explained(parity, 8, 2000)
    [line] = [line for line in one.in_words() if line.startswith("LOW")]
    assert "segments interact" in line


@pytest.mark.parametrize("masks", [100, 200, 600, 1500])
def test_an_in_sample_r2_below_half_is_a_ceiling(masks):
    """However few masks there are, more of them are not advised if they cannot help."""
    one = explained(lambda on: parity(on) + 0.2 * on[:, 3], 30, masks)
    if masks > 150:
        assert one.surrogate.r2 < 0.5
    [line] = [line for line in one.in_words() if line.startswith("LOW")]
    assert "segments interact, more masks would bring the held-out R² to about" in line
    assert "--samples" not in line


# One verdict, from all warnings


def test_a_small_probability_is_said_before_its_logit():
    one = explained(lambda on: on @ np.full(6, 0.5) - 8.8, 6, 100, scale="logit")
    one = replace(one, probability=0.003)
    assert one.score_in_words().startswith("dog: probability 0.003 (logit -5.8) in the full")
    assert one.doubts() == ["the model itself gives it a probability of 0.003"]


def test_the_verdict_is_from_all_warnings():
    one = explained(lambda on: parity(on) + 0.2 * on[:, 3], 30, 600)
    said = verdict("", one.doubts())
    assert said.startswith("Verdict: take the top segments with care: the held-out R² is ")
    clear = explained(lambda on: 0.2 * on[:, 3], 30, 600)
    assert clear.doubts() == []
    assert verdict("why", []) == "Verdict: rely on the top segments: why."


# Nothing to explain, and ties


def test_a_constant_score_is_nothing_to_explain():
    one = explained(lambda on: np.full(len(on), 0.75), 8, 100)
    assert one.in_words() == [
        "dog: nothing to explain, its probability is 0.75 whatever is hidden",
    ]


def test_a_tie_is_said_and_the_first_class_is_explained():
    one = explained(lambda on: on[:, 0], 8, 100)
    tied = Scene("a.png", Planted(0.5, 0.5), one.scene.picture, one.scene.segments, one.scene.fill)
    lines = tied.introduction()
    assert lines[0] == "a.png: cat (class 0) 0.5000; dog (class 1) 0.5000"
    assert lines[2] == "  planted: pixels: 0 to 1, as chosen"
    assert lines[-1] == "  TIE: 2 classes have this probability; cat is explained"


@pytest.fixture(scope="module")
def constant(tmp_path_factory):
    """A folder with a model whose answer never changes, and a picture."""
    from huggin.lime.classifiers.keras_quietly import keras

    folder = tmp_path_factory.mktemp("constant")
    inputs = keras.Input((16, 16, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    dense = keras.layers.Dense(3, activation="softmax", kernel_initializer="zeros")
    saved(keras.Model(inputs, dense(features)), folder)
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "a.png")
    return folder


OPTIONS = ("--segmenter", "grid", "--segments", "9", "--samples", "40", "--json", "a.json")


@pytest.mark.slow
@pytest.mark.parametrize("script", ["lime.py", "inDeCeptionV3.py"])
def test_both_commands_say_the_same_of_a_constant_model(script, constant):
    done = command(script, "a.png", "--model", "model.keras", *OPTIONS, cwd=constant)
    assert done.returncode == 0, done.stderr
    assert "TIE: 3 classes have this probability; class 0 is explained" in done.stdout
    assert "class 0: nothing to explain, its probability is 0.3333" in done.stdout
    [found] = json.loads((constant / "a.json").read_text())
    assert (found["class"], found["top_segments"]) == (0, [])
    assert found["model_facts"][0].startswith("pixels: 0 to 255, read from its first operations")


# A class named by a number

SORTED = ("0", "1", "10", "11", "2")


@pytest.mark.parametrize(
    ("words", "index"),
    [("0", 0), ("1", 1), ("10", 2), ("name:2", 4), ("index:2", 2), ("name:10", 2), ("3", 3)],
)
def test_numbers_that_are_clear(words, index):
    assert class_of(words, SORTED) == index


def test_a_number_that_is_one_classs_index_and_another_ones_name_is_refused():
    with pytest.raises(UserError) as caught:
        class_of("2", SORTED)
    text = "index 2 is called 10, but the class that is called 2 has index 4"
    assert f"{text}; give index:2 or name:2" in str(caught.value)
    shifted = tuple("1234567890")
    for number in "0123456789":
        with pytest.raises(UserError, match=f"give index:{number} or name:{number}"):
            class_of(number, shifted)


def test_an_exact_name_is_not_ambiguous():
    names = ("cat", "Cat", "dog")
    assert [class_of(words, names) for words in ("cat", "Cat", "DOG")] == [0, 1, 2]
    with pytest.raises(UserError, match="several classes"):
        class_of("CAT", names)


# Interactions


def test_what_segments_add_together_is_said():
    one = explained(lambda on: 0.5 * on[:, 1] * on[:, 4] + 0.2 * on[:, 0], 10, 400)
    weights = distance_weights(one.masks)
    known = replace(one, surrogate=adjusted(one.masks, one.scores, weights, one.surrogate))
    share, pairs = known.details()[-2:]
    assert share.startswith("interactions explain at least ")
    assert share.endswith(
        " % more of the variance, as a proxy has learned them; coefficients adjusted by it"
    )
    assert pairs == "count together, beyond their sum: 1 and 4 (+0.5)"
    hardly = replace(known.surrogate, proxy_r2=known.surrogate.held_out_r2 + 0.009)
    assert replace(known, surrogate=hardly).details()[-1] == pairs
    assert known.as_json()["pairs"] == [
        {"first": 1, "second": 4, "beyond": pytest.approx(0.5, abs=1e-3)}
    ]
    assert one.as_json()["pairs"] == []


def test_all_masks_are_said_to_be_exact():
    one = explained(parity, 5, 32, "hadamard")
    assert one.details()[-1] == "exact: these are all 32 masks"
