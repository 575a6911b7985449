"""Figures of words: an outlier does not bleach the others, strips stand where errors are large."""

from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from huggin.graphs.palette import QUIET
from huggin.lime.words.figures import draw_text, shade
from huggin.lime.words.found import Asked, Finding

ASKED = Asked("question 1", "Who?", "one two", "one", "one", True, "m", 8, "a")


def finding(sizes: list[float], errors: list[float]) -> Finding:
    """A finding about a word of the context for each size."""
    segments = [
        {"segment": at, "part": "context", "first": 0, "last": 1, "text": f"w{at}", "rank": 1}
        | {"coefficient": size, "standard_error": error, "area": 0.1}
        for at, (size, error) in enumerate(zip(sizes, errors, strict=True))
    ]
    look = {"part": "context", "after_blank": True, "is_answer": False, "is_expected": False}
    pieces = [look | {"text": f"w{at}", "segment": at} for at in range(len(sizes))]
    how = {"kind": "words", "hide": "mask", "target": "one", "scale": "logit", "samples": 65}
    tops = {"held_out_r2": 0.9, "kept": 0.5, "top_segments": [0], "segments_against": []}
    return Finding.model_validate(how | tops | {"segments": segments, "pieces": pieces})


def boxes_of(found: Finding) -> list[tuple[float, ...]]:
    (axes,) = draw_text(found, ASKED).axes
    return [box.get_facecolor()[:3] for box in axes.patches if isinstance(box, Rectangle)]


def texts_of(found: Finding) -> str:
    return " ".join(text.get_text() for text in draw_text(found, ASKED).axes[0].texts)


def test_an_outlier_does_not_bleach_the_others():
    one = finding([1.0] * 39 + [9.0], [0.1] * 40)
    assert (one.largest, one.beyond) == (1.0, 1)
    assert boxes_of(one).count(shade(1.0)) >= 40
    assert "1 beyond the scale" in texts_of(one)
    alike = finding([1.0] * 39 + [1.9], [0.1] * 40)
    assert (alike.largest, alike.beyond) == (1.9, 0)
    assert "beyond the scale" not in texts_of(alike)


def test_strips_stand_beneath_words_that_are_less_certain_than_the_others():
    errors = [0.1] * 9 + [0.4]
    assert boxes_of(finding([1.0] * 10, errors)).count(to_rgb(QUIET)) == 1
    assert boxes_of(finding([1.0] * 10, [0.4] * 10)).count(to_rgb(QUIET)) == 0
