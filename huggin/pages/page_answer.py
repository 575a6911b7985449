"""A run's newest kept answer -> what a page of one moment shows of it."""

import numpy as np

from huggin.analysis.lens import lens_of_answer, probabilities, right_spans, snapshot_of_answer
from huggin.common.errors import UserError
from huggin.pages.explained import words_of_answer
from huggin.pages.facts import answer_facts, title_line
from huggin.pages.page_run import page_of_module
from huggin.pages.page_sample import (
    Page,
    found_or_why,
    halves,
    page_of_lens,
    page_of_probes,
    page_of_shares,
    page_of_window,
    shown,
)
from huggin.recording.answer import AnswerInside, read_answer
from huggin.recording.reader import Probes, Recording

OLDER = "kept without its attention: an older version kept it, or the model gives no weights"
NOT_EXPLAINED = "huggin lime-answer was not run for this question and model"


def page_of_answer(recording: Recording) -> Page:
    """Everything that the page shows of the newest answer.

    Raises UserError if no answer is kept.
    """
    answer = read_answer(recording.run)
    facts = answer.facts
    page: Page = {
        "name": shown(facts.state),
        "title": shown(f"One answer of {title_line(recording)}"),
        "missing": {},
        "modules": [page_of_module(row) for row in recording.facts.modules],
        "layers": recording.facts.layers,
        "facts": [(label, shown(text)) for label, text in answer_facts(facts)],
        "scores": [],
        "answered": shown(facts.answered),
        "confidence": facts.confidence,
    }
    sample: Page = {**page_of_window(facts.window), "number": 0, "missing": {}, "learned": None}
    sample["probes"] = page_of_probes(_as_probes(answer), facts.window)
    for name, find in (
        ("lens", lambda: _lens(recording, answer)),
        ("shares", lambda: page_of_shares(snapshot_of_answer(recording, answer), facts.window)),
        ("attention", lambda: page_of_attention(answer)),
    ):
        sample[name] = found_or_why(sample, name, find)
    sample["words"] = words_of_answer(recording)
    if sample["words"] is None:
        sample["missing"]["words"] = NOT_EXPLAINED
    return {**page, "samples": [sample]}


def _as_probes(answer: AnswerInside) -> Probes:
    """The answer as the only probe."""
    facts = answer.facts
    logits = {"start_logits": answer.start_logits[None], "end_logits": answer.end_logits[None]}
    with np.errstate(divide="ignore"):
        start_loss = -np.log(probabilities(logits["start_logits"])[:, facts.window.gold_start])
        end_loss = -np.log(probabilities(logits["end_logits"])[:, facts.window.gold_end])
    return Probes(
        step=np.array([facts.step]),
        **logits,
        start_loss=start_loss,
        end_loss=end_loss,
        predicted_start=np.array([facts.start]),
        predicted_end=np.array([facts.end]),
    )


def _lens(recording: Recording, answer: AnswerInside) -> Page:
    lens = lens_of_answer(recording, answer)
    return page_of_lens(lens, right_spans(recording, lens, answer.facts.window), first=1)


def page_of_attention(answer: AnswerInside) -> Page:
    """From which tokens every attention head reads, packed. Raises UserError if it is not kept."""
    attention = answer.attention
    if attention is None:
        raise UserError(OLDER)
    layers, heads = attention.weights.shape[:2]
    return {
        "of": attention.of,
        "layers": layers,
        "heads": heads,
        "weights": halves(attention.weights.transpose(2, 0, 1, 3)),  # (of, layers, heads, tokens)
    }
