"""Logits -> answers; answers -> EM, F1 and what they are worth.

Extraction as in Hugging Face's question-answering example: the `n_best_size` best starts and ends of every window are
paired, and the best valid pair over all windows of a question is its answer.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset
from torchmetrics.functional.text import squad

from huggin.qa.arguments import DataArguments


@dataclass(frozen=True)
class Span:
    """A possible answer: first and last token of a window, and the sum of their logits."""

    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Answer:
    """The best answer to one question."""

    text: str  # "" where there is none
    confidence: float  # its share in the softmax over the scores of the n best
    window: int  # of its context, 0 = the first
    start: int  # first token, 0 ([CLS]) where there is none
    end: int


def best_spans(
    start_logits: np.ndarray, end_logits: np.ndarray, allowed: np.ndarray, data: DataArguments
) -> list[Span]:
    """The `n_best_size` best spans of a window, best first; none where no pair is valid.

    start_logits, end_logits: (tokens,). allowed: (tokens,) bool, tokens of the context. A valid pair is in the
    context, in order, and at most `max_answer_length` tokens long.
    """
    starts = np.argsort(start_logits, kind="stable")[: -data.n_best_size - 1 : -1]
    ends = np.argsort(end_logits, kind="stable")[: -data.n_best_size - 1 : -1]
    lengths = ends[None, :] - starts[:, None] + 1  # (starts, ends)
    valid = (
        (lengths >= 1)
        & (lengths <= data.max_answer_length)
        & allowed[starts][:, None]
        & allowed[ends][None, :]
    )
    rows, columns = np.nonzero(valid)
    scores = start_logits[starts[rows]] + end_logits[ends[columns]]
    order = np.argsort(-scores, kind="stable")[: data.n_best_size]
    pairs = zip(starts[rows[order]].tolist(), ends[columns[order]].tolist(), scores[order].tolist())
    return [Span(*pair) for pair in pairs]


def best_answers(
    contexts: Sequence[str],
    windows: Mapping[str, Sequence[Any]],
    start_logits: np.ndarray,
    end_logits: np.ndarray,
    data: DataArguments,
) -> list[Answer]:
    """The best answer in each context over all of its windows (`squad.windows`).

    start_logits, end_logits: (windows, tokens), padded on the right. With `version_2_with_negative` the answer is ""
    where [CLS] scores higher than the best span by more than `null_score_diff_threshold`.
    """
    offsets = list(windows["offset_mapping"])
    rows_of: list[list[int]] = [[] for _ in contexts]
    for row, record in enumerate(windows["record"]):
        rows_of[record].append(row)
    answers = []
    for context, rows in zip(contexts, rows_of, strict=True):
        found = [
            _candidates(offsets[row], start_logits[row], end_logits[row], data) for row in rows
        ]
        nulls = [float(start_logits[row, 0] + end_logits[row, 0]) for row in rows]
        answers.append(_answer(found, nulls, context, [offsets[row] for row in rows], data))
    return answers


def _candidates(
    places: Sequence[Any], starts: np.ndarray, ends: np.ndarray, data: DataArguments
) -> list[Span]:
    allowed = np.array([place is not None for place in places])
    return best_spans(starts[: len(places)], ends[: len(places)], allowed, data)


def _answer(
    found: list[list[Span]],
    nulls: list[float],
    context: str,
    offsets: list[Any],
    data: DataArguments,
) -> Answer:
    """The best of a question's spans, a list per window, as text, or no answer; nulls: [CLS]'s score per window."""
    null_score = min(nulls)
    spans = [(span, window) for window, spans in enumerate(found) for span in spans]
    ranked = sorted(spans, key=lambda entry: -entry[0].score)[: data.n_best_size]
    scores = [span.score for span, _ in ranked]
    if data.version_2_with_negative or not ranked:
        scores.append(null_score)
    lead = null_score - ranked[0][0].score if ranked else math.inf
    if not ranked or (data.version_2_with_negative and lead > data.null_score_diff_threshold):
        return Answer("", _share(null_score, scores), nulls.index(null_score), 0, 0)
    best, window = ranked[0]
    first, last = offsets[window][best.start][0], offsets[window][best.end][1]
    confidence = _share(best.score, scores)
    text = context[
        first:last
    ].strip()  # tokens of some tokenizers begin with the blank before the word
    return Answer(text, confidence, window, best.start, best.end)


def _share(score: float, scores: list[float]) -> float:
    """A score's share in the softmax over all."""
    return 1 / sum(math.exp(min(other - score, 700.0)) for other in scores)


def score_answer(text: str, answers: dict[str, list[Any]]) -> tuple[float, float]:
    """Exact match and F1 of one answer in percent, as SQuAD's official script has them (arXiv:1606.05250)."""

    gold = {"text": answers["text"] or [""], "answer_start": answers["answer_start"] or [0]}
    scores = squad({"prediction_text": text, "id": "0"}, {"answers": gold, "id": "0"})
    return float(scores["exact_match"]), float(scores["f1"])


def score_answers(texts: Sequence[str], records: Dataset) -> dict[str, float]:
    """Mean exact match and F1 over all records, in percent."""
    scores = [
        score_answer(text, answers) for text, answers in zip(texts, records["answers"], strict=True)
    ]
    exact_match, f1 = np.mean(scores, axis=0)
    return {"exact_match": float(exact_match), "f1": float(f1)}
