"""A tracked sample -> the texts that the page shows: its tokens in the words of the question."""

from huggin.common.text import printable
from huggin.common.window import Window

LONGEST = 20_000  # characters of a text that the page shows
LONGEST_TOKEN = 200
CUT = " … (cut)"
GOES_ON = "##"

Piece = tuple[str, str]  # what stands before a token, and the token's own text


def shown(text: str, most: int = LONGEST) -> str:
    """A text that can be shown: without control characters, and cut if it is very long."""
    text = printable(text)
    return text if len(text) <= most else text[:most] + CUT


def pieces_of(window: Window) -> list[Piece]:
    """Each token as it is written in the question or the context, and what stands before it.

    A recording that has no places of its tokens gets the tokens' own names, with spaces.
    """
    if len(window.offsets) != len(window.tokens):
        return [_named(at, name) for at, name in enumerate(window.tokens)]
    sources = {"question": window.question, "context": window.context}
    reached = dict.fromkeys(sources)
    return [_piece(window, at, sources, reached) for at in range(len(window.tokens))]


def _named(at: int, name: str) -> Piece:
    """A token by its own name; WordPiece marks those that go on with a word."""
    if name.startswith(GOES_ON) and name != GOES_ON:
        return "", shown(name.removeprefix(GOES_ON), LONGEST_TOKEN)
    return " " if at else "", shown(name, LONGEST_TOKEN)


def _piece(
    window: Window, at: int, sources: dict[str, str], reached: dict[str, int | None]
) -> Piece:
    """A token's piece; `reached`: up to which character each text has been shown."""
    part = window.parts[at]
    begin, end = window.offsets[at]
    if part not in sources or end <= begin:
        return " ", shown(window.tokens[at], LONGEST_TOKEN)
    text = sources[part]
    before = begin if reached[part] is None else reached[part]
    gap = text[before:begin] if at and window.parts[at - 1] == part else " "
    reached[part] = max(end, before or 0)
    own = text[max(begin, before or 0) : end] or window.tokens[at]
    return shown(gap, LONGEST_TOKEN), shown(own, LONGEST_TOKEN)
