"""LIME's rooms: segments, fills, predictions, quality, rounds."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from huggin.common.errors import BadValue, UserError
from huggin.lime.choices import FILLS, SEGMENTERS
from huggin.lime.explanation import Request
from huggin.lime.masks import random_perturbations
from huggin.lime.pictures.explaining import Round, deceive
from huggin.lime.pictures.reading import Picture
from huggin.lime.pictures.scene import Scene, filled, make_scene, segmented
from huggin.lime.predictor import Answers, Predictor, Target
from huggin.lime.quality import compare, curve_of, leave_one_out, stability
from huggin.lime.surrogate import Surrogate
from tests.lime.conftest import SHAPES

TRIANGLE = Target("triangle", 2)


@pytest.mark.slow
def test_the_demo_knows_its_picture(scene):
    assert scene.classifier.predict(scene.picture).argmax() == TRIANGLE.plus
    assert Path(f"{SHAPES}.keras").stat().st_size < 500_000


# Segments and fills


@pytest.mark.parametrize("segmenter", SEGMENTERS)
def test_segments_are_numbered_from_0_without_gaps(segmenter):
    from skimage.data import astronaut

    picture = astronaut()[::4, ::4].astype(np.float32) / 255
    segments = segmented(picture, segmenter, 20)
    assert segments.shape == picture.shape[:2]
    assert np.unique(segments).tolist() == list(range(segments.max() + 1))
    assert segments.max() > 3


@pytest.mark.parametrize("wanted", [1, 4, 36, 30])
def test_a_grid_has_about_as_many_cells_as_wanted(wanted):
    picture = np.zeros((60, 90, 3), np.float32)
    assert segmented(picture, "grid", wanted).max() + 1 == wanted


@pytest.mark.slow
def test_one_segment_is_refused(shapes):
    picture = np.zeros((96, 96, 3), np.float32)
    picture[0] = 1
    with pytest.raises(UserError, match="one segment only; ask for more segments"):
        make_scene(Picture("a.png", picture), shapes, "grid", 1, "grey")


def test_a_grid_is_taken_where_quickshift_finds_one_segment(capsys):
    small = SimpleNamespace(size=(28, 28), resampling="smooth", resize=None)
    picture = np.random.default_rng(0).random((28, 28, 3)).astype(np.float32) / 10
    scene = make_scene(Picture("a.png", picture), small, "quickshift", 36, "grey")
    assert (scene.count, scene.segmenter) == (36, "grid")
    told = "a.png: quickshift finds one segment only, so the picture is cut into a grid"
    assert told in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (40, 40)])
def test_a_single_colour_is_refused(shapes, size):
    picture = Picture("a.png", np.full((*size, 3), 0.3, np.float32))
    with pytest.raises(UserError, match="a.png: of a single colour"):
        make_scene(picture, shapes, "grid", 36, "grey")


@pytest.mark.slow
def test_fills_hide_only_what_is_hidden(shapes, scene):
    for fill in FILLS:
        one = replace(scene, fill=filled(scene.picture, scene.segments, fill))
        hidden = one.hide(np.array([7]))
        inside = scene.segments == 7
        assert (hidden[~inside] == scene.picture[~inside]).all()
        assert (hidden[inside] != scene.picture[inside]).any()
        if fill == "mean":
            assert np.allclose(hidden[inside], scene.picture[inside].mean(axis=0), atol=1e-5)
    assert np.ptp(scene.hide(np.array([7]))[scene.segments == 7]) == 0
    assert shapes.pixels(scene.fill).max() == 0  # grey is the middle of what the model takes


# Predictions


def predictor(scene: Scene, folder, *targets: Target) -> Predictor:
    return Predictor(scene, targets or [TRIANGLE], folder / "predictions.npz")


@pytest.mark.slow
def test_masking_in_the_graph_is_predicting_masked_pictures(scene, tmp_path):
    on = random_perturbations("binomial", scene.count, 70, seed=0).on
    seen = on[:, scene.segments][..., None]
    pictures = np.where(seen, scene.picture, scene.fill) * 2 - 1
    expected = np.asarray(scene.classifier.function(pictures.astype(np.float32)))
    found = predictor(scene, tmp_path, TRIANGLE, Target("c - n", 0, 4)).predictions(on)
    assert np.allclose(found.sure, expected[:, [2, 0, 4]], atol=1e-6)
    assert np.allclose(found.rest, 1 - expected[:, [2, 0, 4]], atol=1e-6)
    assert (found.best[:, 0] == expected.argmax(axis=1)).all()


def test_scores_of_targets_and_contrasts():
    first = np.array([[1]])
    values = np.array([[0.5, 0.25]]), np.array([[0.5, 0.75]])
    answers = Answers((1, 4), *values, first, in_logs=False)
    one, contrast = Target("one", 1), Target("contrast", 1, 4)
    assert answers.score(one, "probability") == 0.5
    assert answers.score(contrast, "probability") == 0.25
    assert answers.score(one, "logit") == 0
    assert answers.score(contrast, "logit") == pytest.approx(np.log(2))
    certain = Answers((1,), np.array([[1, 0]]).T, np.array([[0, 1]]).T, first, in_logs=False)
    assert certain.score(one, "probability").tolist() == [1, 0]
    with pytest.raises(BadValue, match="in 1 of 2 answers a probability rounds to 0 or 1"):
        certain.score(one, "logit")  # cut off at 87, they made 50 of a coefficient of 18
    logs = Answers((1, 4), *map(np.log, values), first, in_logs=True)
    for target in (one, contrast):
        for scale in ("logit", "probability"):
            assert logs.score(target, scale) == pytest.approx(answers.score(target, scale))


@pytest.mark.slow
def test_what_was_asked_is_not_asked_again(scene, tmp_path, monkeypatch):
    on = random_perturbations("binomial", scene.count, 40, seed=0).on
    first = predictor(scene, tmp_path).predictions(on)
    again = predictor(scene, tmp_path)
    monkeypatch.setattr(again, "_rows", None)  # it could not predict
    assert (again.predictions(on).sure == first.sure).all()


@pytest.mark.slow
def test_another_picture_fill_or_model_is_asked_anew(scene, tmp_path):
    on = random_perturbations("binomial", scene.count, 40, seed=0).on
    first = predictor(scene, tmp_path).predictions(on)
    for other in (
        replace(scene, picture=scene.picture[::-1].copy()),
        replace(scene, fill=scene.fill * 0),
    ):
        assert (predictor(other, tmp_path).predictions(on).sure != first.sure).any()
    assert (predictor(scene, tmp_path).predictions(on).sure == first.sure).all()


@pytest.mark.slow
def test_a_broken_file_of_predictions_is_said_and_made_anew(scene, tmp_path, capsys):
    (tmp_path / "predictions.npz").write_bytes(b"PK\x03\x04ravens")
    on = random_perturbations("binomial", scene.count, 40, seed=0).on
    predictor(scene, tmp_path).predictions(on)
    assert "predicting anew" in capsys.readouterr().err
    predictor(scene, tmp_path)
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_answered(scene, tmp_path, monkeypatch):
    on = random_perturbations("binomial", scene.count, 100, seed=0).on
    one = predictor(scene, tmp_path)
    real = one._rows
    asked = []

    def stop(batch):
        asked.append(1)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(batch)

    monkeypatch.setattr(one, "_rows", stop)
    with pytest.raises(KeyboardInterrupt):
        one.predictions(on)
    with np.load(tmp_path / "predictions.npz", allow_pickle=False) as kept:
        assert len(kept["answers"]) == 32


# Quality


def surrogate(*coefficients: float) -> Surrogate:
    values = np.array(coefficients)
    return Surrogate(0.0, values, np.zeros((len(values),) * 2), 1.0, 1.0, 100.0)


def test_stability_of_the_same_and_of_opposites():
    same = stability([surrogate(3, 2, -1)] * 3, top=2)
    assert same == {"repeats": 3, "jaccard": 1, "kendall_w": 1, "same_sign": 1}
    opposite = stability([surrogate(3, 2, -1), surrogate(-3, -2, 1)], top=2)
    assert opposite == {"repeats": 2, "jaccard": 0, "kendall_w": 0, "same_sign": 0.5}
    half = stability([surrogate(3, 2, -1, -1), surrogate(3, -1, 2, -1)], top=2)
    assert half["jaccard"] == pytest.approx(1 / 3)


def test_faithfulness_of_a_known_order():
    effects = np.array([0.1, 0.6, 0.3])

    def scores(on):
        return on @ effects

    assert np.allclose(leave_one_out(scores, 3), effects)
    curve = curve_of(np.array([1, 2, 0]), scores, points=None)
    assert np.allclose(curve.deletion, [1, 0.4, 0.1, 0])
    assert np.allclose(curve.insertion, [0, 0.6, 0.9, 1])
    assert curve.insertion_auc == pytest.approx((0.3 + 0.75 + 0.95) / 3)
    means = compare({"LIME": effects}, scores, 3, 0, random_orders=10, points=None).curves
    assert means["LIME"].deletion == curve.deletion
    assert curve.deletion_auc < means["random"].deletion_auc
    assert means["random"].gain == pytest.approx(np.mean(means["random"].gains))


# Rounds


class Planted:
    """Explains nothing: the segments to hide are given, and so are the classes."""

    def __init__(self, scene: Scene, top: list[int]) -> None:
        self.scene = scene
        self.top = np.array(top)
        self.surrogate = surrogate(0.1)


def explaining(monkeypatch, *tops):
    """Let the rounds find these top segments; the list of pictures that they explain."""
    seen: list[np.ndarray] = []

    def explain(predictor, *_):
        seen.append(predictor.scene.picture)
        return [Planted(predictor.scene, tops[len(seen) - 1])]

    monkeypatch.setattr("huggin.lime.steps.explain", explain)
    return seen


REQUEST = Request("hadamard", 65, 0, "probability", 4, "grid", "grey")


@pytest.mark.slow
def test_rounds_end_where_the_answer_stays(scene, tmp_path, monkeypatch):
    explaining(monkeypatch, [])
    assert len(list(deceive(scene, REQUEST, 5, tmp_path))) == 1


@pytest.mark.slow
def test_each_round_explains_what_the_one_before_has_left(scene, tmp_path, monkeypatch):
    shape = np.unique(scene.segments[20:50, 40:75])
    seen = explaining(monkeypatch, shape, [0])
    rounds = list(deceive(scene, REQUEST, 5, tmp_path))
    pairs = [(found.explanation.scene, found.left) for found in rounds]
    answers = [[scene.first_answer().name for scene in pair] for pair in pairs]
    assert answers == [["triangle", "nothing"], ["nothing", "nothing"]]
    assert (seen[0] == scene.picture).all()
    assert (seen[1] == scene.hide(shape)).all()
    assert (rounds[1].left.picture == scene.hide(np.append(shape, 0))).all()


def test_the_summary_says_in_words_what_was_hidden_and_where_the_new_answer_stood():
    names = ("circle", "square", "triangle", "cross", "nothing")
    pictures = [np.full((1, 1, 3), value, np.float32) for value in (0, 1)]
    said = (np.array([0.1, 0.2, 0.5, 0.15, 0.05]), np.array([0.6, 0.1, 0.1, 0.1, 0.1]))
    model = SimpleNamespace(names=names, predict=lambda picture: said[int(picture.max())])
    before, after = (Scene("a", model, one, np.zeros((1, 1), int), one) for one in pictures)
    lines = Round(1, Planted(before, [3, 1]), after).summary().splitlines()
    assert lines == [
        "",
        "Round 1: hidden: the segments that speak for triangle (3, 1)",
        "  before  0.5000  triangle (class 2)",
        "          0.2000  square (class 1)",
        "          0.1500  cross (class 3)",
        "  after   0.6000  circle (class 0)",
        "          0.1000  square (class 1)",
        "          0.1000  triangle (class 2)",
        "  the answer is circle now; it was number 4 before, with 0.1",
    ]
    stays = Round(1, Planted(before, []), before).summary()
    assert "nothing is hidden, as no segment speaks for triangle beyond chance" in stays
    assert "the answer stays the same: triangle" in stays
