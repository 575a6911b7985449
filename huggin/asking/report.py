"""Questions that were asked -> text for the terminal."""

from collections.abc import Sequence

from huggin.asking.questions import Asked
from huggin.recording.results import Efficacy, trained_on_in_words


def report(state: str, asked: Sequence[Asked], efficacy: Efficacy) -> str:
    """The questions that were answered right, then the score over all questions."""
    right = [describe(one) + "\n" for one in asked if one.right]
    em_low, em_high = efficacy.exact_match_interval
    f1_low, f1_high = efficacy.f1_interval
    em = f"EM {efficacy.exact_match:.1f} % (95 %: {em_low:.1f} to {em_high:.1f})"
    f1 = f"F1 {efficacy.f1:.1f} % (95 %: {f1_low:.1f} to {f1_high:.1f})"
    score = f"{state}: {efficacy.correct}/{efficacy.asked} right"
    note = trained_on_in_words(efficacy.trained_on, efficacy.asked)
    return "\n".join([*right, score, f"{em}, {f1}{note}"])


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
