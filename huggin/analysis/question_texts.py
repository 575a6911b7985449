"""Questions, contexts and given answers -> what speaks against an answer without any model.

Questions repeat words of the sentence that answers them. So an answer is close to its question if
the question's words stand around it, rare words more than frequent ones. Two questions of one
context may have each other's answers: then both come closer if they are swapped.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from huggin.analysis.questions import kind_of
from huggin.common.errors import UserError
from huggin.common.progress import progress
from huggin.common.text import edges
from huggin.recording.reader import Recording
from huggin.recording.run_facts import TEXTS, hash_of_texts

REACH = 14  # words: a question's word counts for 1/e at this distance from it
STEM = 7  # first letters of a word that are compared: directed = directed, direction = directio
THAI_TO_KHMER = "\u0e00-\u109f\u1780-\u17ff"  # written without blanks: runs of 4 characters
EAST_ASIAN = "\u3040-\u30ff\u3400-\u9fff"  # pairs of characters
TERM = re.compile(
    f"(?=([{THAI_TO_KHMER}]{{4}}))|(?=([{EAST_ASIAN}]{{2}}))|[^\\W{THAI_TO_KHMER}{EAST_ASIAN}]+"
)
SENTENCE_END = re.compile(r"[.!?;。！？；]")
NOBODY = -1


@dataclass(frozen=True)
class TextEvidence:
    """What the texts say against each given answer; first axis = records."""

    far: np.ndarray  # (records,) 0: at the question's words, 1: nowhere near them
    swap: np.ndarray  # (records,) how much closer two answers come if they are swapped, 0 if not
    swapped_with: np.ndarray  # (records,) the place of the other record; NOBODY
    contradicted_by: np.ndarray  # (records,) the same question with another answer; NOBODY
    copied_from: np.ndarray  # (records,) a question of another kind with this answer; NOBODY
    shared: np.ndarray  # (records,) bool: another question of the context has this answer


@dataclass(frozen=True)
class _Context:
    """A context as terms, and the words that its questions have in common with it."""

    terms: list[str]
    first: np.ndarray  # (terms,) character
    behind: np.ndarray  # (terms,) the character behind it
    sentence: np.ndarray  # (terms,) number of its sentence

    @classmethod
    def of(cls, text: str) -> "_Context":
        found = terms_of(text)
        first = np.array([at for _, at in found] or [0])
        ends = [match.start() for match in SENTENCE_END.finditer(text)]
        terms = [term for term, _ in found] or [""]
        behind = first + [len(term) for term in terms]
        return cls([term[:STEM] for term in terms], first, behind, np.searchsorted(ends, first))

    def tokens(self, span: tuple[int, int]) -> np.ndarray:
        """The places of the terms that overlap a span of characters; the first if there is none."""
        inside = np.flatnonzero((self.first < span[1]) & (self.behind > span[0]))
        return inside if len(inside) else np.array([0])

    def closeness(self, question: str, weight: Mapping[str, float]) -> np.ndarray:
        """How close each term is to the question's words, 1 at most, (terms,).

        A word of the question itself is no answer, so that its place counts against it.
        """
        near = np.zeros(len(self.terms))
        own = np.zeros(len(self.terms))
        places = np.arange(len(self.terms))
        for stem in {term[:STEM] for term, _ in terms_of(question)}:
            there = np.array([at for at, term in enumerate(self.terms) if term == stem], int)
            if len(there) and weight[stem] > 0:
                apart = np.abs(places[:, None] - there[None])
                apart = apart + (self.sentence[:, None] != self.sentence[there]) * REACH / 2
                near += weight[stem] * np.exp(-apart.min(axis=1) / REACH)
                own[there] += weight[stem]
        return (near - 2 * own) / max(near.max(), 1e-9)


def terms_of(text: str) -> list[tuple[str, int]]:
    """Words in lower case with their first characters; pieces where words are not apart."""
    return [
        ((match[1] or match[2] or match[0]).casefold(), match.start())
        for match in TERM.finditer(text)
    ]


def text_evidence(records: Sequence[Mapping[str, Any]]) -> TextEvidence:
    """What the texts alone say against the first given answer of each record.

    records: question, context, answers. Questions without an answer have no evidence against them.
    """
    count = len(records)
    found = TextEvidence(
        far=np.zeros(count),
        swap=np.zeros(count),
        swapped_with=np.full(count, NOBODY),
        contradicted_by=np.full(count, NOBODY),
        copied_from=np.full(count, NOBODY),
        shared=np.zeros(count, bool),
    )
    by_context = defaultdict(list)
    for place, record in enumerate(records):
        if record["answers"]["text"]:
            by_context[record["context"]].append(place)
    contexts = {text: _Context.of(text) for text in by_context}
    known_in = Counter(term for context in contexts.values() for term in set(context.terms))
    weight = defaultdict(
        float, {term: math.log((len(contexts) + 1) / (n + 0.5)) for term, n in known_in.items()}
    )
    for text, places in progress(by_context.items(), label="comparing texts", unit="contexts"):
        _compare(found, contexts[text], records, places, weight)
    return found


def _compare(
    found: TextEvidence,
    context: _Context,
    records: Sequence[Mapping[str, Any]],
    places: list[int],
    weight: Mapping[str, float],
) -> None:
    """Fill in what the questions of one context say. places: of its records."""
    spans = [spans_of(records[place])[0] for place in places]
    tokens = [context.tokens(span) for span in spans]
    fits = np.zeros((len(places), len(places)))  # how well each question takes each answer
    for row, place in enumerate(places):
        near = context.closeness(records[place]["question"], weight)
        fits[row] = [near[inside].mean() for inside in tokens]
        found.far[place] = np.clip(1 - fits[row, row] / max(near.max(), 1e-9), 0, 1)
    own = np.diag(fits)
    begins, ends = np.array(spans).T
    apart = (ends[:, None] <= begins) | (begins[:, None] >= ends)
    gain = np.where(apart, fits + fits.T - (own[:, None] + own), 0)
    found.swap[places] = gain.max(axis=1, initial=0)
    partners = np.array(places)[gain.argmax(axis=1)]
    found.swapped_with[places] = np.where(found.swap[places] > 0, partners, NOBODY)
    questions = [records[place]["question"].casefold().split() for place in places]
    given = [records[place]["answers"]["text"] for place in places]
    answers = [{" ".join(text.casefold().split()) for text in texts} for texts in given]
    kinds = [kind_of(records[place]["question"]) for place in places]
    for row, column in permutations(range(len(places)), 2):
        place, other = places[row], places[column]
        if questions[row] == questions[column] and answers[row].isdisjoint(answers[column]):
            found.contradicted_by[place] = other
        if spans[row] == spans[column]:
            found.shared[place] = True
            if kinds[row] != kinds[column]:
                found.copied_from[place] = other


def spans_of(record: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The characters of each given answer: the first, and the one behind the last.

    Blanks and zero-width characters around it are left out, as they are in its label.
    """
    pairs = zip(record["answers"]["answer_start"], record["answers"]["text"], strict=True)
    return [(start + first, start + last) for start, text in pairs for first, last in [edges(text)]]


def refuse_changed(recording: Recording, records: Sequence[Mapping[str, Any]]) -> None:
    """Raise UserError if questions are not those that a run was trained on, in their order.

    An older recording has no hash of them, only its tracked questions and how many there were.
    """
    if texts := recording.facts.fixed.get(TEXTS):
        is_other = texts != hash_of_texts(records)
    else:
        samples = recording.facts.trained_samples
        last = max([int(recording.questions.index.max()), *(each.index for each in samples)])
        is_other = last >= len(records) or any(
            records[each.index]["question"] != each.question for each in samples
        )
    if is_other:
        where = f"{recording.facts.data_name} has changed"
        raise UserError(f"{where} since {recording.run.path} was trained")
