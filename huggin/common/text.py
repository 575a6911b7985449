"""Text that is safe to print and to store."""

import html
import re
import textwrap
import unicodedata
from collections.abc import Collection, Sequence

MEGABYTE = 1e6
GIGABYTE = 1e9
LONGEST = 300  # characters of another library's message
BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
TAGS = "\U000e0000"  # from here on: the tags that make a flag of an emoji


class InWords:
    """A result that says itself in words, which a notebook shows."""

    def in_words(self) -> str:
        """The result in words."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.in_words())}</pre>"


def printable(text: str) -> str:
    """Text that can be printed: U+FFFD for what acts on a terminal, or that UTF-8 cannot hold.

    Line feeds and tabs stay; other control characters and lone surrogates are replaced.
    """
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)


def one_line(error: BaseException) -> str:
    """What an exception says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = " ".join(str(error).split())
    return textwrap.shorten(text, LONGEST) if text else type(error).__name__


def storable(text: str) -> str:
    """Text with lone surrogates, which UTF-8 cannot hold, replaced by U+FFFD."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def is_zero_width(character: str) -> bool:
    """Whether it is a format character that nobody sees: U+FEFF, a joiner, a mark of direction."""
    is_format = unicodedata.category(character) == "Cf" and character < TAGS
    return is_format and unicodedata.bidirectional(character) != "AN"  # Arabic signs of numbers


def edges(text: str) -> tuple[int, int]:
    """Where a text begins and ends without the blanks and zero-width characters around it.

    Both are its length if there is nothing else.
    """
    hidden = [character.isspace() or is_zero_width(character) for character in text]
    if all(hidden):
        return len(text), len(text)
    return hidden.index(False), len(text) - hidden[::-1].index(False)


def sentence_around(text: str, place: tuple[int, int]) -> tuple[int, int]:
    """Where the sentence, or the sentences, begin and end that hold the characters of a place."""
    breaks = list(BETWEEN_SENTENCES.finditer(text))
    begin = max((gap.end() for gap in breaks if gap.end() <= place[0]), default=0)
    end = min((gap.start() for gap in breaks if gap.start() >= place[1]), default=len(text))
    return begin, end


def short(text: str, length: int = 55) -> str:
    """A text on one line, with an ellipsis where it is cut."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def first_few(words: Sequence[str], count: int = 5) -> str:
    """The first words of a list, and how many more there are: `a, b and 3 more`."""
    more = f" and {len(words) - count} more" if len(words) > count else ""
    return ", ".join(words[:count]) + more


def size(bytes_: float) -> str:
    """Bytes as people read them: 12 MB, 3.4 GB."""
    if bytes_ < GIGABYTE:
        return f"{max(1, round(bytes_ / MEGABYTE)):,} MB"
    return f"{bytes_ / GIGABYTE:.1f} GB"


def in_columns(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """The rows of a table, a line each; the columns `left` begin on one line, others end on one."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = ["<" if column in left else ">" for column in range(len(widths))]
    return [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths)).rstrip()
        for row in rows
    ]
