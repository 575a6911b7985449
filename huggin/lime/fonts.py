"""Fonts for names of classes that Matplotlib's own font cannot write, such as Chinese ones."""

from collections.abc import Iterable
from contextlib import suppress
from functools import cache

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

OWN = "DejaVu Sans"  # comes with Matplotlib
BOXES = "Last Resort"  # begins the name of fonts that draw a box for every letter


def families_for(text: str) -> tuple[list[str], str]:
    """Font families that together write a text, and the characters that no font here has."""
    families = [OWN]
    own = _letters(str(font_manager.findfont(OWN)))
    missing = {letter for letter in text if letter.isprintable()} - own
    missing = _without_those_of_fonts(missing, families)
    if missing and _add_new_fonts():
        missing = _without_those_of_fonts(missing, families)
    return families, "".join(sorted(missing))


def _without_those_of_fonts(missing: set[str], families: list[str]) -> set[str]:
    """The letters that no installed font has; the fonts of the others are added to `families`."""
    for name, file in _installed().items():
        if not missing:
            break
        found = missing & _letters(file)
        if found:
            families.append(name)
            missing = missing - found
    return missing


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
    entries = sorted(
        font_manager.fontManager.ttflist, key=lambda one: (one.name, one.weight != 400)
    )
    files: dict[str, str] = {}
    for entry in entries:
        if not entry.name.startswith(BOXES):
            files.setdefault(entry.name, entry.fname)
    return files


@cache
def _letters(file: str) -> frozenset[str]:
    try:
        return frozenset(map(chr, FT2Font(file).get_charmap()))
    except (OSError, RuntimeError):  # a font that FreeType cannot read
        return frozenset()
