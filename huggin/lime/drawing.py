"""What figures of pictures and of words share: colours, curves, and fonts for all letters.

Matplotlib's own font cannot write every name of a class and every text, such as Chinese ones.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from huggin.graphs.palette import AGAINST, FOR, NOTHING, QUIET, SERIES
from huggin.graphs.style import legend_above
from huggin.lime.quality import LEAVE_ONE_OUT, LIME, RANDOM, Curve

METHODS = dict(zip((LIME, LEAVE_ONE_OUT, "integrated gradients"), SERIES)) | {RANDOM: QUIET}
OWN = "DejaVu Sans"  # comes with Matplotlib
BOXES = "Last Resort"  # begins the name of fonts that draw a box for every letter


def draw_curves(panels: Iterable[Axes], curves: Mapping[str, Curve], what: str, score: str) -> None:
    """The score while segments are hidden one by one, and while they are shown, in some orders.

    what: the segments, in the plural.
    """
    ways = (("deletion", "hidden", "lower"), ("insertion", "shown", "higher"))
    for axes, (way, done, better) in zip(panels, ways):
        for name, curve in curves.items():
            label = f"{name}: area {getattr(curve, f'{way}_auc'):.3f}"
            values = getattr(curve, way)
            axes.plot(curve.shown, values, color=METHODS[name], label=label, marker=".")
        axes.set(xlabel=f"{what} {done}", ylabel=score)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(f"{way} ({better} is better)\n\n\n")
        legend_above(axes, rows=2)


def speaking(coefficients: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """The colour of each coefficient's bar. clear: which of them are more than chance."""
    return np.where(clear, np.where(coefficients > 0, FOR, AGAINST), NOTHING)


def explain_bars(axes: Axes) -> None:
    """A legend of the colours of `speaking`."""
    meanings = {"for it": FOR, "against it": AGAINST, "may be chance, or no effect": NOTHING}
    bars = [Patch(color=colour, label=meaning) for meaning, colour in meanings.items()]
    axes.legend(handles=bars, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)


def families_for(text: str) -> tuple[list[str], str]:
    """Font families that together write a text, and the characters that no font here has."""
    families = [OWN]
    missing = {letter for letter in text if letter.isprintable()}
    missing -= _letters(str(font_manager.findfont(OWN)))
    for again in (False, True):
        if missing and (not again or _add_new_fonts()):
            for name, file in _installed().items():
                if found := missing & _letters(file):
                    families.append(name)
                    missing -= found
    return families, "".join(sorted(missing))


@cache
def _add_new_fonts() -> bool:
    """Let Matplotlib know fonts that were installed after it made its list, which it keeps.

    Returns whether there are any.
    """
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    new = [file for file in font_manager.findSystemFonts() if file not in known]
    for file in new:
        with suppress(OSError, RuntimeError):  # a font that FreeType cannot read
            font_manager.fontManager.addfont(file)
    return bool(new)


def use_fonts(figure: Figure, families: list[str]) -> None:
    """Let all texts of a figure fall back on these families, letter by letter."""
    if len(families) > 1:
        for text in figure.findobj(Text):
            text.set_fontfamily(families)


def missing_in(names: Iterable[str]) -> str:
    """A line about the letters that no font here has, or ''."""
    _, missing = families_for("".join(names))
    if not missing:
        return ""
    shown = missing if len(missing) <= 20 else f"{missing[:20]}…"
    advice = "install one, such as Noto Sans CJK (fonts-noto-cjk)"
    return f"no font here has {shown}: the figures show boxes instead; {advice}"


def _installed() -> dict[str, str]:
    """The file of each family, the plain style if there is one."""
    files: dict[str, str] = {}
    plain_first = sorted(font_manager.fontManager.ttflist, key=lambda entry: entry.weight != 400)
    for entry in plain_first:
        if not entry.name.startswith(BOXES):
            files.setdefault(entry.name, entry.fname)
    return dict(sorted(files.items()))


@cache
def _letters(file: str) -> frozenset[str]:
    try:
        return frozenset(map(chr, FT2Font(file).get_charmap()))
    except (OSError, RuntimeError):  # a font that FreeType cannot read
        return frozenset()
