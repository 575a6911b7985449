"""An answer in characters <-> its label in tokens.

Tokenizers drop characters (accents, vowel signs, marks of direction) and cut others into several
tokens, so the two do not always agree. A label is the first and the last token that overlap the
answer. Reading a label back gives the characters of its tokens and those that were dropped at its
edges, without blanks and zero-width characters around them.

The offsets of a window are a list with an entry for each token: (first character, character behind
the last) for a token of the context, None for any other token.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from huggin.common.text import edges

Offsets = Sequence[tuple[int, int] | None]


def plain_question(question: str) -> str:
    """A question as it is tokenized: blanks in front would be tokens of some tokenizers."""
    return question.lstrip()


def answer_characters(answers: Mapping[str, Sequence[Any]]) -> tuple[int, int] | None:
    """The first answer's first character, and the one behind its last.

    Blanks and zero-width characters around it are left out. Returns None if there is no answer.
    """
    if not answers["text"]:
        return None
    start = answers["answer_start"][0]
    first, last = edges(answers["text"][0])
    return start + first, start + last


def answer_spans(
    windows: Sequence[Offsets], characters: tuple[int, int] | None, stride: int
) -> list[tuple[int, int] | None]:
    """First and last token of an answer in each window of its context.

    windows: all windows of one context, in order. stride: tokens that neighbours share. The span is
    None for a window that does not hold every token of the answer.
    """
    if characters is None:
        return [None] * len(windows)
    step = sum(place is not None for place in windows[0]) - stride
    by_window = [_overlapping(offsets, *characters) for offsets in windows]
    spans = [(at * step, span) for at, span in enumerate(by_window) if span]
    if not spans:
        return by_window
    # A token is counted from the first window on, so that all windows count it alike.
    first = min(shift + start for shift, (start, _) in spans)
    last = max(shift + end for shift, (_, end) in spans)
    return [
        span if span and (at * step + span[0], at * step + span[1]) == (first, last) else None
        for at, span in enumerate(by_window)
    ]


def _overlapping(offsets: Offsets, first: int, last: int) -> tuple[int, int] | None:
    """The first and the last token that hold a character of `first` to `last`."""
    tokens = [
        token
        for token, place in enumerate(offsets)
        if place is not None and place[0] < last and place[1] > first
    ]
    return (tokens[0], tokens[-1]) if tokens else None


def read_span(
    context: str, windows: Sequence[Offsets], window: int, span: tuple[int, int]
) -> tuple[int, int]:
    """The characters of a span of tokens: the first, and the one behind the last.

    windows: all windows of the context. span: first and last token, in `windows[window]`.

    Dropped characters belong to the token before them, as an accent does. Behind a blank or at the
    beginning of the context they belong to the token after them. Blanks and zero-width characters
    around the span are left out.
    """
    start, end = span
    places = windows[window]
    first, last = places[start][0], places[end][1]  # type: ignore[index]
    begin = _end_of_token_before(windows, places[:start], first)
    stop = _start_of_token_after(windows, places[end + 1 :], last, len(context))
    before = context[begin:first]
    after = context[last:stop]
    if begin == 0 or any(character.isspace() for character in before):
        first -= _run(before[::-1])
    last += _run(after)
    begins, ends = edges(context[first:last])
    return first + begins, first + ends


def _run(text: str) -> int:
    """How many characters stand before the first blank."""
    return next((at for at, character in enumerate(text) if character.isspace()), len(text))


def _end_of_token_before(windows: Sequence[Offsets], before: Offsets, first: int) -> int:
    """Where the nearest token before a character ends; 0 if there is none.

    before: the tokens before the span in its own window. Only where they say nothing, all windows
    are searched.
    """
    for place in reversed(before):
        if place is None:
            break
        if place[1] <= first:
            return place[1]
    ends = (place[1] for offsets in windows for place in offsets if place and place[1] <= first)
    return max(ends, default=0)


def _start_of_token_after(
    windows: Sequence[Offsets], after: Offsets, last: int, length: int
) -> int:
    """Where the nearest token after a character starts; the context's length if there is none."""
    for place in after:
        if place is None:
            break
        if place[0] >= last:
            return place[0]
    starts = (place[0] for offsets in windows for place in offsets if place and place[0] >= last)
    return min(starts, default=length)
