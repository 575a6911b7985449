"""Pictures are explained from Python: of a path or an array, by a file or a function."""

import doctest
import html

import numpy as np
import pytest

import huggin
from huggin.common.errors import BadValue, UserError
from huggin.lime.classifiers.classifier import Classifier
from huggin.lime.pictures import explaining
from huggin.lime.pictures.reading import open_picture
from huggin.lime.pictures.scene import make_scene
from tests.conftest import command
from tests.lime.conftest import SHAPES

PICTURE = np.zeros((40, 40, 3), np.uint8)
PICTURE[:20, :20] = 255
FOUR = {"segmenter": "grid", "segments": 4}


def bright(pictures):
    """How bright the upper left corner is, and how dark: (n, 2)."""
    corner = pictures[:, :20, :20].mean(axis=(1, 2, 3))
    return np.stack([1 - corner, corner], axis=1)


def test_the_example_runs():
    found = doctest.testmod(explaining)
    assert (found.failed, found.attempted > 3) == (0, True)


def test_a_function_is_asked_about_at_most_16_pictures_and_its_answer_is_explained(tmp_path):
    asked = []

    def counted(pictures):
        asked.append(len(pictures))
        return bright(pictures)

    said: list[str] = []
    more = {"classes": ["1", "1 - 0"], "stability": 2, "faithfulness": True}
    found = huggin.explain_picture(PICTURE, counted, **FOUR, **more, say=said.append)
    assert max(asked) == 16
    assert "\n".join(said) == found.in_words()
    one, contrast = found.explanations
    assert np.allclose(one.surrogate.coefficients, [0.5, 0, 0, 0])
    assert np.allclose(contrast.surrogate.coefficients, [1, 0, 0, 0])
    numbers = found.as_json()
    assert [row["target"] for row in numbers] == ["class 1", "class 1 - class 0"]
    assert all(row["stability"]["jaccard"] == 1 for row in numbers)
    assert found._repr_html_().count("data:image/png;base64,") == 2
    assert html.escape(found.in_words()) in found._repr_html_()
    found.save(tmp_path)
    for folder in ("1-class-1", "1-0-class-1-class-0"):
        assert (tmp_path / folder / "faithfulness.png").is_file()
        assert (tmp_path / folder / "lime.png").is_file()


@pytest.mark.parametrize(("width", "said"), [(60, ""), (62, "SQUASHED 1.6 : 1"), (20, "2.0 : 1")])
def test_a_picture_that_loses_its_shape_is_said_from_half_as_wide_again(width, said):
    classifier = Classifier("corner", bright, (40, 40), ("bright", "dark"))
    picture = np.linspace(0, 1, 40 * width * 3).reshape(40, width, 3)
    scene = make_scene(open_picture(picture), classifier, "grid", 4, "grey")
    assert ("SQUASHED" in scene.facts[-1]) == bool(said)
    assert said in scene.facts[-1]


def test_answers_of_a_function_are_never_taken_for_those_of_another(tmp_path):
    first = huggin.explain_picture(PICTURE, bright, **FOUR, classes=["0"], out=tmp_path)
    other = huggin.explain_picture(
        PICTURE, lambda pictures: bright(pictures)[:, ::-1], **FOUR, classes=["0"], out=tmp_path
    )
    assert (tmp_path / "predictions.npz").is_file()
    assert first.explanations[0].scores[0] == 0
    assert other.explanations[0].scores[0] == 1


def test_a_function_that_answers_at_random_is_refused_or_its_mean_is_explained():
    rng = np.random.default_rng(0)

    def noisy(pictures):
        found = bright(pictures) * 0.5 + 0.25
        shift = rng.normal(0, 0.01, (len(found), 1))
        return np.concatenate([found[:, :1] + shift, found[:, 1:] - shift], axis=1)

    with pytest.raises(UserError, match="function: answers the same picture differently"):
        huggin.explain_picture(PICTURE, noisy, **FOUR)
    found = huggin.explain_picture(PICTURE, noisy, **FOUR, allow_random=True)
    assert "the mean of 16 answers, as they vary by 0.0" in found.in_words()
    assert found.explanations[0].scores[0] == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda pictures: bright(pictures)[:, 1], r"returned \(1,\); wanted"),
        (lambda pictures: bright(pictures) * 2, "its outputs are not from 0 to 1"),
        (lambda pictures: bright(pictures) / 2, "its outputs do not sum to 1"),
        (lambda pictures: bright(pictures) * np.nan, "it predicts NaN"),
    ],
)
def test_what_a_function_may_not_return(answer, message):
    with pytest.raises(UserError, match=message):
        huggin.explain_picture(PICTURE, answer, **FOUR)


@pytest.mark.parametrize("array", [np.zeros((9, 9)), np.full((9, 9, 3), 2.0), np.zeros((9, 9, 4))])
def test_arrays_that_are_no_pictures_are_refused(array):
    with pytest.raises(BadValue, match="give .height, width, 3. of uint8"):
        open_picture(array)


@pytest.mark.slow
def test_the_command_says_and_counts_what_the_function_does(tmp_path, shapes):
    done = command("lime.py", "--demo", "--samples", "129", "--json", "a.json", cwd=tmp_path)
    found = huggin.explain_picture(f"{SHAPES}.png", shapes, segmenter="slic", samples=129)
    model = {"model": f"{SHAPES}.keras", "labels": SHAPES.with_suffix(".txt"), "pixels": "signed"}
    same = huggin.explain_picture(f"{SHAPES}.png", model, segmenter="slic", samples=129)
    assert same.as_json() == found.as_json()
    paths = "\nexplanations/shapes/"
    assert done.stdout.replace(f"{SHAPES}", "").split(paths)[0] == found.in_words().replace(
        f"{SHAPES}", ""
    )
    lines = done.stdout.splitlines()
    assert len(lines) <= 9
    assert [line.split(":")[0] for line in lines[4:6]] == ["segments for it", "segments against it"]
    assert lines[-2].startswith("Verdict: ")
    assert lines[-1] == "explanations/shapes/lime.png"
