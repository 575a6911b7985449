"""What --explain says -> the span of tokens whose score is explained."""

from collections.abc import Mapping, Sequence
from typing import Any

from huggin.common.errors import BadValue
from huggin.common.text import short
from huggin.common.window import Window
from huggin.lime.words.predictions import SpanTarget, answer_text
from huggin.lime.words.scores import TokenSpan
from huggin.qa.labels import answer_characters, answer_spans

OVER = " over "


def span_target(
    wanted: str, window: Window, answer: TokenSpan, answers: Mapping[str, Sequence[Any]]
) -> SpanTarget:
    """`answer`, `gold`, a text of the context, or one of these over another: `answer over gold`.

    window: the one that is explained. answer: the model's. answers: those expected, as in SQuAD.
    Raises BadValue if there is no such span in the window.
    """
    plus, over, minus = wanted.partition(OVER)
    if not over or wanted in window.context:
        span = _span_of(wanted, wanted, window, answer, answers)
        return SpanTarget(answer_text(window, span), span)
    spans = [_span_of(text.strip(), wanted, window, answer, answers) for text in (plus, minus)]
    if spans[0] == spans[1]:
        raise BadValue("explain", wanted, "twice the same span; give two that differ")
    names = [answer_text(window, span) for span in spans]
    return SpanTarget(OVER.join(names), spans[0], spans[1])


def _span_of(
    text: str,
    wanted: str,
    window: Window,
    answer: TokenSpan,
    answers: Mapping[str, Sequence[Any]],
) -> TokenSpan:
    if text == "answer":
        return answer
    if text == "gold":
        expected = answer_characters(answers)
        if expected is None:
            raise BadValue("explain", wanted, "this question has no expected answer; give a text")
        return _tokens_of(*expected, "the expected answer", wanted, window)
    starts = [
        at for at in range(len(window.context)) if text and window.context.startswith(text, at)
    ]
    if not starts:
        known = "give answer, gold, or a text that the context holds"
        raise BadValue("explain", wanted, f"no {short(text)!r} in the context; {known}")
    if len(starts) > 1:
        problem = f"{short(text)!r} is there {len(starts)} times; give more of the words around it"
        raise BadValue("explain", wanted, problem)
    return _tokens_of(starts[0], starts[0] + len(text), repr(short(text)), wanted, window)


def _tokens_of(first: int, last: int, name: str, wanted: str, window: Window) -> TokenSpan:
    places = [
        place if part == "context" else None
        for place, part in zip(window.offsets, window.parts, strict=True)
    ]
    (span,) = answer_spans([places], (first, last), 0)
    if span is None:
        what = "is not in the part of the context that the model's answer is from"
        raise BadValue("explain", wanted, f"{name} {what}; give a span of that part")
    return span
