"""Figures of explanations: one numbering, colours that show sizes, numbers that can be read."""

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from huggin.graphs.palette import AGAINST, FOR, NOTHING
from huggin.lime import drawing
from huggin.lime.explanation import Explanation, Request
from huggin.lime.masks import distance_weights, random_perturbations
from huggin.lime.pictures.figures import SEGMENT, TINT, draw_explanation, seen_in
from huggin.lime.pictures.scene import Scene, segmented
from huggin.lime.predictor import Target
from huggin.lime.surrogate import Pair, linear_regression_coefficients


class Named:
    """A classifier with names and nothing else."""

    name = "planted"
    facts = ()
    ending = "softmax"
    fingerprint = "a"

    def __init__(self, *names: str) -> None:
        self.names = names


def explained(shape: tuple[int, int], cells: int, names=("cat", "dog")) -> Explanation:
    """Segments 0 and 1 speak for the class, the last one against it."""
    picture = np.random.default_rng(0).random((*shape, 3)).astype(np.float32)
    segments = segmented(picture, "grid", cells)
    scene = Scene("a.png", Named(*names), picture, segments, picture * 0)
    masks = random_perturbations("hadamard", scene.count, 2 * scene.count + 40, seed=0)
    effects = np.zeros(scene.count)
    effects[[0, 1, -1]] = (0.5, 0.3, -0.4)
    scores = 0.2 + masks.on @ effects
    surrogate = linear_regression_coefficients(masks, scores, distance_weights(masks))
    request = Request("hadamard", len(scores), 0, "probability", 4, "grid", "grey")
    return Explanation(scene, Target(names[1], 1), request, masks, scores, 0.5, surrogate)


def numbers_on(figure) -> list:
    return [text for axes in figure.axes for text in axes.texts if text.get_gid() == SEGMENT]


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "cells"), [((256, 32), 40), ((32, 256), 40), ((96, 96), 306)])
def test_numbers_never_cover_each_other_and_what_is_left_out_is_said(shape, cells):
    figures = draw_explanation(explained(shape, cells))
    for name in ("numbered_segments", "top_segments"):
        figure = figures[name]
        figure.draw_without_rendering()
        boxes = [text.get_bbox_patch().get_window_extent() for text in numbers_on(figure)]
        assert boxes
        pairs = itertools.combinations(boxes, 2)
        assert not any(one.overlaps(other) for one, other in pairs)
    count = explained(shape, cells).scene.count
    shown = len(numbers_on(figures["numbered_segments"]))
    notes = [text.get_text() for text in figures["numbered_segments"].axes[0].texts]
    assert (f"{shown} of {count} numbers fit" in notes) == (shown < count)


@pytest.mark.slow
def test_colours_are_as_strong_as_the_coefficients_and_no_effect_has_none():
    one = explained((96, 96), 9)
    assert (one.top.tolist(), one.against.tolist()) == ([0, 1], [8])
    one = replace(one, surrogate=replace(one.surrogate, least=0.35))  # 0.3 is no effect any more
    figures = draw_explanation(one)
    assert {text.get_text() for text in numbers_on(figures["top_segments"])} == {"0", "8"}
    bars = [bar.get_facecolor()[:3] for bar in figures["segment_coeffs"].axes[0].patches]
    assert [bars[0], bars[1], bars[8]] == [to_rgb(FOR), to_rgb(NOTHING), to_rgb(AGAINST)]
    picture, scale = figures["top_segments"].axes
    shown = np.asarray(picture.images[0].get_array())
    for segment, colour, size in ((0, FOR, 1), (8, AGAINST, 0.4 / 0.5), (1, FOR, 0), (4, FOR, 0)):
        inside = shown[one.scene.segments == segment]
        grey = (inside - TINT * size * np.array(to_rgb(colour))) / (1 - TINT * size)
        assert np.allclose(grey, grey[:, :1], atol=1e-5)  # red, green and blue alike
    assert scale.get_ylim() == pytest.approx((-0.4, 0.5), abs=1e-6)


@pytest.mark.slow
def test_only_the_top_segments_are_seen_and_one_sentence_is_below_the_sheet():
    one = replace(explained((96, 96), 9), believe="Verdict: rely on them.")
    figures = draw_explanation(one)
    (shown,) = figures["only_segments"].axes[0].images
    top = np.isin(one.scene.segments, one.top)
    assert np.array_equal(shown.get_array()[top], one.scene.picture[top])
    assert np.array_equal(shown.get_array()[~top], one.scene.fill[~top])
    sentence = f"{one.score_in_words()}. Verdict: rely on them."
    assert figures["lime"].get_supxlabel().replace("\n", " ") == sentence


def test_the_title_names_what_no_chance_sets_apart():
    one = explained((96, 96), 9)
    assert seen_in(one) == "Segment 0 speaks most for dog"
    unsure = replace(one.surrogate, covariance=np.eye(9) * 0.08**2)
    assert seen_in(replace(one, surrogate=unsure)) == "Segments 0 and 1 speak most for dog"
    nothing = replace(one.surrogate, covariance=np.eye(9))
    assert seen_in(replace(one, surrogate=nothing)) == "No segment speaks for dog beyond chance"


@pytest.mark.slow
def test_a_line_joins_the_segments_that_count_together():
    one = explained((96, 96), 9)
    pairs = (Pair(0, 8, -0.2), Pair(3, 5, 0.1))
    figures = draw_explanation(replace(one, surrogate=replace(one.surrogate, pairs=pairs)))
    axes = figures["numbered_segments"].axes[0]
    scale = axes.images[0].get_array().shape[0] / 96
    looks = ((AGAINST, ":"), (FOR, "-"))
    for line, pair, look in zip(axes.lines, pairs, looks, strict=True):
        assert (line.get_color(), line.get_linestyle()) == look
        columns, rows = (line.get_data()[axis] / scale for axis in (0, 1))
        ends = one.scene.segments[rows.astype(int), columns.astype(int)]
        assert ends.tolist() == [pair.first, pair.second]


@pytest.mark.slow
def test_letters_that_no_font_has_are_said(monkeypatch):
    monkeypatch.setattr(drawing, "_installed", dict)
    assert drawing.missing_in(["dog", "köln"]) == ""
    line = drawing.missing_in(["dog", "猫"])
    assert line.startswith("no font here has 猫: the figures show boxes instead; install one")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_explanation(explained((96, 96), 9, names=("dog", "猫")))


@pytest.mark.slow
def test_a_font_that_has_the_letters_is_used(monkeypatch):
    monkeypatch.setattr(drawing, "_installed", lambda: {"Ravens": "ravens.ttf"})
    own = drawing._letters
    monkeypatch.setattr(
        drawing, "_letters", lambda file: frozenset("猫") if file == "ravens.ttf" else own(file)
    )
    assert drawing.families_for("dog 猫") == ([drawing.OWN, "Ravens"], "")
    figure = draw_explanation(explained((96, 96), 9, names=("dog", "猫")))["segment_coeffs"]
    assert figure.axes[0].xaxis.label.get_fontfamily() == [drawing.OWN, "Ravens"]
