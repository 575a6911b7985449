"""Logits -> answers; answers -> EM and F1.

Answers are found as in Hugging Face's question-answering example: in every window the
`n_best_size` best starts and ends are paired, and the best valid pair over all windows of a
question is its answer.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from huggin.common.text import is_zero_width
from huggin.qa.arguments import DataArguments
from huggin.qa.labels import Offsets, read_span

NO_ANSWER = 0  # the token that stands for it
PUNCTUATION = str.maketrans("", "", string.punctuation)
ARTICLES = re.compile(r"\b(a|an|the)\b")


@dataclass(frozen=True)
class Span:
    """A possible answer: first and last token of a window, and the sum of their logits."""

    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Answer:
    """An answer to one question."""

    text: str  # "" if there is none
    confidence: float  # its share in the softmax over the scores of the n best
    window: int  # of its context, 0 = the first
    start: int  # first token, 0 ([CLS]) if there is none
    end: int
    place: tuple[int, int] = (0, 0)  # its characters in the context


def best_spans(
    start_logits: np.ndarray, end_logits: np.ndarray, allowed: np.ndarray, data: DataArguments
) -> list[Span]:
    """The `n_best_size` best spans of a window, best first; none if no pair is valid.

    start_logits, end_logits: (tokens,). allowed: (tokens,) bool, tokens of the context. A pair is
    valid if both are in the context, in order, and at most `max_answer_length` tokens long.
    """
    starts = np.argsort(start_logits, kind="stable")[: -data.n_best_size - 1 : -1]
    ends = np.argsort(end_logits, kind="stable")[: -data.n_best_size - 1 : -1]
    lengths = ends[None, :] - starts[:, None] + 1  # (starts, ends)
    in_length = (lengths >= 1) & (lengths <= data.max_answer_length)
    in_context = allowed[starts][:, None] & allowed[ends][None, :]
    rows, columns = np.nonzero(in_length & in_context)
    scores = start_logits[starts[rows]] + end_logits[ends[columns]]
    order = np.argsort(-scores, kind="stable")[: data.n_best_size]
    firsts = starts[rows[order]].tolist()
    lasts = ends[columns[order]].tolist()
    return [Span(*span) for span in zip(firsts, lasts, scores[order].tolist())]


def ranked_answers(
    contexts: Sequence[str],
    windows: Mapping[str, Sequence[Any]],
    start_logits: np.ndarray,
    end_logits: np.ndarray,
    data: DataArguments,
    most: int | None = None,
) -> list[list[Answer]]:
    """The best answers in each context over all of its windows (`huggin.qa.features.windows`).

    start_logits, end_logits: (windows, tokens), padded on the right. With `version_2_with_negative`
    "" is one of them, and the best if [CLS] beats the best span by more than
    `null_score_diff_threshold`. most: how many; default: all that share the confidence.
    """
    offsets = list(windows["offset_mapping"])
    rows_of: list[list[int]] = [[] for _ in contexts]
    for row, record in enumerate(windows["record"]):
        rows_of[record].append(row)
    answers = []
    for context, rows in zip(contexts, rows_of, strict=True):
        places = [offsets[row] for row in rows]
        logits = [(start_logits[row], end_logits[row]) for row in rows]
        candidates = [_candidates(*pair, data) for pair in zip(places, logits, strict=True)]
        nulls = [float(start[0] + end[0]) for start, end in logits]
        ranked = _ranked(candidates, nulls, places, data)
        scores = [span.score for span, _ in ranked]
        answers.append(
            [
                _answer(span, window, context, places, _share(span.score, scores))
                for span, window in ranked[:most]
            ]
        )
    return answers


def no_answer_lead(ranked: Sequence[Answer]) -> tuple[float, Answer]:
    """By how much [CLS] beats the best span, in logits, and that span, "" if there is none.

    ranked: all answers in one context. NaN if one of the two is not among them.
    """
    spans = [answer for answer in ranked if answer.start != NO_ANSWER]
    nulls = [answer for answer in ranked if answer.start == NO_ANSWER]
    if not spans or not nulls or not spans[0].confidence * nulls[0].confidence:
        return math.nan, ranked[0]
    return math.log(nulls[0].confidence / spans[0].confidence), spans[0]


def _candidates(
    places: Offsets, logits: tuple[np.ndarray, np.ndarray], data: DataArguments
) -> list[Span]:
    """The best spans of one window."""
    allowed = np.array([place is not None for place in places])
    starts, ends = logits
    return best_spans(starts[: len(places)], ends[: len(places)], allowed, data)


def _ranked(
    candidates: list[list[Span]], nulls: list[float], windows: list[Offsets], data: DataArguments
) -> list[tuple[Span, int]]:
    """The best spans of one context with their windows, best first; [CLS] stands for no answer.

    candidates: the best spans of each window. nulls: the score of [CLS] in each window. windows:
    the offsets of each window. A span that two windows hold counts once, with the higher score.
    """
    spans = [(span, window) for window, spans in enumerate(candidates) for span in spans]
    distinct: dict[tuple[int, int], tuple[Span, int]] = {}
    for span, window in sorted(spans, key=lambda entry: -entry[0].score):
        places = windows[window]
        place = places[span.start][0], places[span.end][1]  # type: ignore[index]
        distinct.setdefault(place, (span, window))
    ranked = list(distinct.values())[: data.n_best_size]
    if data.version_2_with_negative or not ranked:
        null = min(nulls)
        leads = [null - span.score > data.null_score_diff_threshold for span, _ in ranked]
        at = leads.index(True) if True in leads else len(ranked)
        ranked.insert(at, (Span(NO_ANSWER, NO_ANSWER, null), nulls.index(null)))
    return ranked


def _answer(
    span: Span, window: int, context: str, windows: list[Offsets], confidence: float
) -> Answer:
    """A span of one context as an answer. windows: the offsets of each window."""
    if span.start == NO_ANSWER:
        return Answer("", confidence, window, span.start, span.end)
    place = read_span(context, windows, window, (span.start, span.end))
    return Answer(context[slice(*place)], confidence, window, span.start, span.end, place)


def _share(score: float, scores: list[float]) -> float:
    """A score's share in the softmax over all scores."""
    return 1 / sum(math.exp(min(other - score, 700.0)) for other in scores)


def mean_loss(
    features: Mapping[str, Any], start_logits: np.ndarray, end_logits: np.ndarray
) -> tuple[float, float]:
    """The mean loss of features in nats, and its standard error; NaN for a single feature.

    features: as of `evaluation_features`. start_logits, end_logits: (features, tokens). A feature's
    loss is the mean cross-entropy of its start and end, as in training, but without the padding, so
    that it does not depend on the batch.
    """
    lengths = np.array([len(tokens) for tokens in features["input_ids"]])
    is_padding = np.arange(start_logits.shape[1]) >= lengths[:, None]
    losses = np.zeros(len(lengths))
    for logits, labels in ((start_logits, "start_positions"), (end_logits, "end_positions")):
        losses += cross_entropy(np.where(is_padding, -np.inf, logits), features[labels]) / 2
    error = losses.std(ddof=1) / math.sqrt(len(losses)) if len(losses) > 1 else math.nan
    return float(losses.mean()), float(error)


def cross_entropy(logits: np.ndarray, places: Sequence[int]) -> np.ndarray:
    """The cross-entropy of each row in nats, (rows,). logits: (rows, tokens). places: (rows,)."""
    values = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):
        total = np.logaddexp.reduce(values, axis=1)
        return total - values[np.arange(len(values)), np.asarray(places)]


def normalised_text(text: str) -> str:
    """A text as SQuAD compares it: lower case, no punctuation, no articles, single blanks.

    Zero-width characters are left out, too: nobody could tell the two texts apart.
    """
    visible = "".join(character for character in text if not is_zero_width(character))
    return " ".join(ARTICLES.sub(" ", visible.lower().translate(PUNCTUATION)).split())


def score_answer(
    text: str, answers: Mapping[str, Sequence[Any]], squad2: bool = False
) -> tuple[float, float]:
    """Exact match and F1 of one answer in percent; the best of all expected answers counts.

    The arithmetic is that of SQuAD's scripts: evaluate-v1.1.py (arXiv:1606.05250), or with `squad2`
    evaluate-v2.0.py (arXiv:1806.03822), which leaves out expected answers of articles alone, and
    has F1 100 where no answer is right. A question without answers is scored by the second.
    """
    answered = normalised_text(text).split()
    expected = [normalised_text(answer).split() for answer in answers["text"]]
    if squad2 or not expected:
        expected = [words for words in expected if words] or [[]]
        if not answered or not expected[0]:
            return (100.0, 100.0) if answered in expected else (0.0, 0.0)
    best = 0.0  # the harmonic mean of precision and recall of the words
    for words in expected:
        shared = (Counter(answered) & Counter(words)).total()
        best = max(best, 200 * shared / max(1, len(answered) + len(words)))
    return 100.0 * (answered in expected), best


def mean_scores(
    scores: Sequence[tuple[float, float]], answers: Sequence[Mapping[str, Any]], squad2: bool
) -> dict[str, float]:
    """Means of `score_answer` over all questions, in percent: `exact_match` and `f1`.

    squad2: also over those with an answer (`HasAns_exact`, `HasAns_f1`, `HasAns_total`) and those
    without (`NoAns_...`), as evaluate-v2.0.py prints them, if there are any.
    """
    values = np.array(scores)
    exact_match, f1 = values.mean(axis=0).tolist()
    means = {"exact_match": exact_match, "f1": f1}
    with_answer = np.array([bool(expected["text"]) for expected in answers])
    for name, rows in (("HasAns", with_answer), ("NoAns", ~with_answer)):
        if squad2 and rows.any():
            exact, f1 = values[rows].mean(axis=0).tolist()
            part = {"exact": exact, "f1": f1, "total": int(rows.sum())}
            means |= {f"{name}_{what}": value for what, value in part.items()}
    return means
