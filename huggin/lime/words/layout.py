"""Words of a text -> where each stands on the lines of a figure, also from right to left."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from huggin.lime.words.cutting import is_right_to_left
from huggin.lime.words.found import Piece

Width = Callable[[str], float]  # of a text, in the unit of the figure


@dataclass(frozen=True)
class Placed:
    """A piece on a line."""

    piece: Piece
    line: int
    left: float
    right: float


def laid_out(pieces: Sequence[Piece], width_of: Width, room: float, blank: float) -> list[Placed]:
    """Place pieces on lines of a width of `room`, in the direction of the text.

    The direction is that of its first letter. On a line, words of the other direction that follow
    each other stand in their own order, as in the Unicode bidirectional algorithm
    (https://unicode.org/reports/tr9/), of which this is the part that whole words need.
    """
    backwards = is_right_to_left(" ".join(piece.text for piece in pieces))
    placed: list[Placed] = []
    for number, line in enumerate(_lines(pieces, width_of, room, blank)):
        placed += _on_line(number, line, width_of, room, blank, backwards)
    return placed


def _lines(
    pieces: Sequence[Piece], width_of: Width, room: float, blank: float
) -> list[list[Piece]]:
    lines: list[list[Piece]] = []
    used = 0.0
    for piece in pieces:
        width = width_of(piece.text)
        gap = blank if piece.after_blank else 0.0
        if lines and used + gap + width <= room:
            lines[-1].append(piece)
            used += gap + width
        else:
            lines.append([piece])
            used = width
    return lines


def _on_line(
    number: int,
    line: Sequence[Piece],
    width_of: Width,
    room: float,
    blank: float,
    backwards: bool,
) -> list[Placed]:
    order = visual_order(line, backwards)
    gaps = [0.0, *(_gap(line, *pair, blank) for pair in zip(order, order[1:]))]
    widths = [width_of(line[at].text) for at in order]
    left = room - sum(widths) - sum(gaps) if backwards else 0.0
    placed = []
    for at, gap, width in zip(order, gaps, widths):
        left += gap
        placed.append(Placed(line[at], number, left, left + width))
        left += width
    return placed


def _gap(line: Sequence[Piece], one: int, other: int, blank: float) -> float:
    """The room between two words that stand beside each other; their places in the text."""
    are_joined = abs(one - other) == 1 and not line[max(one, other)].after_blank
    return 0.0 if are_joined else blank


def visual_order(line: Sequence[Piece], backwards: bool) -> list[int]:
    """The numbers of a line's words from left to right."""
    runs: list[tuple[bool, list[int]]] = []
    for at, piece in enumerate(line):
        direction = is_right_to_left(piece.text) if _has_direction(piece.text) else None
        own = runs[-1][0] if direction is None and runs else direction
        if runs and runs[-1][0] == own:
            runs[-1][1].append(at)
        else:
            runs.append((backwards if own is None else own, [at]))
    ordered = [numbers[::-1] if direction else numbers for direction, numbers in runs]
    return [at for numbers in (ordered[::-1] if backwards else ordered) for at in numbers]


def _has_direction(text: str) -> bool:
    return any(character.isalpha() for character in text)
