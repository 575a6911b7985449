"""One colour, one meaning: figures and page use the table in huggin/graphs/palette.py alone."""

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.collections import Collection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from skimage.color import deltaE_ciede2000, rgb2lab

import huggin
from huggin.graphs import palette, style
from huggin.graphs.questions import PASSES
from huggin.lime.drawing import METHODS
from huggin.pages.dot import FACTS_BLUE, LEGEND_GREEN

SERIES = (palette.RUNS, palette.SERIES, palette.LAYERS)
ROLES = {
    getattr(palette, name)
    for name in (
        *("INK", "QUIET", "NOTHING", "START", "END", "GOLD", "MODEL", "FOR", "AGAINST", "ASKED"),
        *("LOWERED", "RAISED", "NET"),
    )
}
GRID = style.LOOK["grid.color"]
CSS = Path(style.__file__).parents[1] / "pages" / "page" / "style.css"
# linear red, green and blue as seen without one kind of cones: Machado et al. 2009, severity 1
BLIND = {
    "red": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "green": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "blue": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
BESIDE = (  # what stands beside each other in a figure
    (palette.FOR, palette.AGAINST),
    (palette.START, palette.END),
    (palette.START, palette.GOLD),
    (palette.END, palette.GOLD),
    (palette.START, palette.MODEL),
    (palette.GOLD, palette.MODEL),
    (palette.INK, palette.ASKED),
    *combinations([colour for _, colour, _ in PASSES], 2),
    *combinations(METHODS.values(), 2),
)


def linear(colour: str) -> np.ndarray:
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Of WCAG 2."""
    light, dark = sorted(linear(each) @ (0.2126, 0.7152, 0.0722) for each in (one, other))[::-1]
    return (light + 0.05) / (dark + 0.05)


def named_in(figure: Figure) -> Iterator[str]:
    """The colours of lines, texts, areas and dots that are seen."""
    for artist in figure.findobj(lambda each: each.get_visible()):
        if isinstance(artist, Line2D):
            is_line = artist.get_linestyle() != "None"
            yield to_hex(artist.get_color() if is_line else artist.get_markeredgecolor())
        elif isinstance(artist, Text) and artist.get_text():
            yield to_hex(artist.get_color())
        elif isinstance(artist, Patch) and artist.get_fill() and artist.get_facecolor()[3]:
            yield to_hex(artist.get_facecolor())
        elif isinstance(artist, Collection) and artist.get_array() is None:
            yield from map(to_hex, artist.get_facecolor())


def test_roles_and_series_have_different_colours():
    colours = [*ROLES, *(colour for some in SERIES for colour in some)]
    assert len(set(colours)) == len(colours)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["losses", "weights", "logits", "layers", "questions"])
def test_figures_name_no_other_colour(tiny_run, kind):
    known = {*ROLES, palette.PAPER, GRID, *(colour for some in SERIES for colour in some)}
    known |= {to_hex(colormaps[palette.CREDITS](end)) for end in (0.0, 1.0)}  # beyond the scale
    for over_time in ({}, {"over_time": True})[: 2 if kind in ("weights", "logits") else 1]:
        for name, figure in huggin.figures(tiny_run, kind, **over_time).figures.items():
            assert set(named_in(figure)) <= known, name


@pytest.mark.slow
def test_figures_of_nodes_name_no_other_colour(tiny_run):
    known = {*ROLES, palette.PAPER, GRID, *palette.LAYERS}
    for choices in ({"share": True}, {"sample": 0}):
        for name, figure in huggin.figures(tiny_run, "node-logits", **choices).figures.items():
            assert set(named_in(figure)) <= known, name


def test_texts_have_contrast_enough():
    for text in (palette.INK, palette.QUIET):
        for paper in (palette.PAPER, FACTS_BLUE, LEGEND_GREEN):
            assert contrast(text, paper) >= 4.5


@pytest.mark.parametrize("kind", BLIND)
def test_colours_that_meet_stay_apart_for_the_colour_blind(kind):
    for one, other in BESIDE:
        seen = [np.clip(BLIND[kind] @ linear(each), 0, 1) ** (1 / 2.2) for each in (one, other)]
        assert deltaE_ciede2000(*map(rgb2lab, seen)) > 10, (one, other)


def test_the_page_has_the_same_colours():
    light = CSS.read_text().partition("@media")[0]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    names = ("ink", "quiet", "start", "end", "gold", "model", "for", "against", "asked")
    assert {name: found[name] for name in names} == {
        name: getattr(palette, name.upper()) for name in names
    }
    for name in ("ink", "quiet", "start-ink", "end-ink", "gold-ink", "attention"):
        assert contrast(found[name], found["panel"]) >= 4.5
