"""Questions that were asked -> text for the terminal."""

from collections.abc import Sequence

from huggin.asking.questions import Asked
from huggin.recording.results import Efficacy, parts_in_words, trained_on_in_words


def report(state: str, asked: Sequence[Asked], efficacy: Efficacy, until_right: bool) -> str:
    """The questions that were answered right, then the score over all questions.

    until_right: the first right answer ended the asking. Then EM would be one by the number asked
    for any model, so there is none.
    """
    right = [describe(one) + "\n" for one in asked if one.right]
    score = f"{state}: {efficacy.correct}/{efficacy.asked} right"
    if until_right:
        return "\n".join([*right, score])
    em_low, em_high = efficacy.exact_match_interval
    f1_low, f1_high = efficacy.f1_interval
    em = f"EM {efficacy.exact_match:.1f} % (95 %: {em_low:.1f} to {em_high:.1f})"
    f1 = f"F1 {efficacy.f1:.1f} % (95 %: {f1_low:.1f} to {f1_high:.1f})"
    note = trained_on_in_words(efficacy.trained_on, efficacy.asked)
    return "\n".join([*right, score, f"{em}, {f1}{note}", *parts_in_words(efficacy.parts)])


def describe(one: Asked) -> str:
    """A question, its context, the expected and the actual answer, in words and tokens."""
    answer = one.answer
    rows = (
        ("context", one.record["context"]),
        ("expected", " | ".join(one.record["answers"]["text"]) or "(no answer)"),
        ("answered", answer.text or "(no answer)"),
        ("tokens", f"{answer.start} to {answer.end}, confidence {answer.confidence:.2f}"),
    )
    lines = [f"  {name + ':':9} {text}" for name, text in rows]
    return "\n".join([f"question {one.index}: {one.record['question']}", *lines])
