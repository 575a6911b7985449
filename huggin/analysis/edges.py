"""Questions and given answers -> whether each answer begins and ends where answers do.

The given answers are the examples. The same answers with an edge moved by one or two words are the
counter-examples. A logistic regression learns from the words at the edges to tell them apart, and
judges each answer by those of other contexts. So it needs no model, and works in any language.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from huggin.analysis.question_texts import EAST_ASIAN, STEM, THAI_TO_KHMER, spans_of
from huggin.analysis.questions import kind_of

CHARACTERS = f"{THAI_TO_KHMER}{EAST_ASIAN}"  # of these each is a word
WORD = re.compile(f"[{CHARACTERS}]|[^\\W{CHARACTERS}]+(?:[-'’.,][^\\W{CHARACTERS}]+)*")
MOVES = (1, 2)  # words by which an edge is moved
AROUND = (("start", range(-2, 1)), ("end", range(3)))  # words that are looked at, from each edge on
FOLDS = 5
FEWEST = 100  # answers from which on their edges are learned
MOST = 50_000  # examples and counter-examples to learn from
WEAKNESS = 0.1  # of the regression: the inverse of its penalty
RARE = 3  # a feature with fewer examples is left out


@dataclass(frozen=True)
class EdgeEvidence:
    """What an answer's edges say against it; first axis = records, 0 if nothing is known."""

    unusual: np.ndarray  # (records,) log odds against an answer with these edges
    moved: np.ndarray  # (records,) log odds that are gained if an edge is moved
    better: list[str]  # the answer that gains most


@dataclass(frozen=True)
class _Words:
    """A context as words, and what is known of each."""

    text: str
    spans: list[tuple[int, int]]  # characters
    traits: list[list[str]]
    stems: list[str]

    @classmethod
    def of(cls, text: str, frequency: Mapping[str, int]) -> "_Words":
        spans = [match.span() for match in WORD.finditer(text)]
        words = [text[begin:end] for begin, end in spans]
        behind = [end for _, end in spans]
        gaps = [text[end:begin] for end, (begin, _) in zip(behind, spans[1:], strict=False)]
        around = zip(words, ["", *gaps], [*gaps, ""], strict=False)  # there may be no words
        traits = [_traits(*each, frequency) for each in around]
        return cls(text, spans, traits, [word.casefold()[:STEM] for word in words])

    def around(self, span: tuple[int, int]) -> tuple[int, int] | None:
        """The first and the last word that a span of characters touches."""
        begin, end = span
        inside = [at for at, word in enumerate(self.spans) if word[0] < end and word[1] > begin]
        return (inside[0], inside[-1]) if inside else None

    def answer(self, first: int, last: int) -> str:
        """The text from a word to another one."""
        return self.text[self.spans[first][0] : self.spans[last][1]]

    def features(self, first: int, last: int, question: set[str], kind: str) -> list[str]:
        """What an answer from a word to another one looks like at its edges."""
        length = f"{min(last - first, 5)} more"
        found = [length, f"{kind} {length}"]
        for (edge, reach), at in zip(AROUND, (first, last), strict=True):
            for by in reach:
                if not 0 <= at + by < len(self.spans):
                    found.append(f"{edge} {by} nothing")
                    continue
                found += [f"{edge} {by} {trait}" for trait in self.traits[at + by]]
                found += [f"{edge} {by} asked"] * (self.stems[at + by] in question)
            found.append(f"{edge} {kind} {self.traits[at][0]}")
        gaps = (self.text[self.spans[at][1] : self.spans[at + 1][0]] for at in range(first, last))
        return [*found, *(f"inside {gap.strip()}" for gap in gaps)]


def _traits(word: str, before: str, behind: str, frequency: Mapping[str, int]) -> list[str]:
    """What is known of a word, apart from its place. before, behind: up to the next words."""
    lower = word.casefold()
    looks = f"{word[:1].isupper():d}{any(map(str.isdigit, word)):d}{len(word) < 4:d}"
    gaps = [f"before {before.strip()}", f"behind {behind.strip()}"]
    return [looks, lower, f"-{lower[-3:]}", f"often {frequency[lower].bit_length()}", *gaps]


def edge_evidence(records: Sequence[Mapping[str, Any]]) -> EdgeEvidence:
    """What the edges of the given answers say. records: question, context, answers.

    Several given answers of a question are all examples, and the best of them counts.
    """
    rows = list(_candidates(records))
    count = len(records)
    own = np.full(count, -np.inf)
    best = np.full(count, -np.inf)
    better = [""] * count
    if sum(row.given for row in rows) < FEWEST or len({row.context for row in rows}) < FOLDS:
        return EdgeEvidence(np.zeros(count), np.zeros(count), better)
    for row, odds in zip(rows, _out_of_fold(rows), strict=True):
        if row.given:
            own[row.record] = max(own[row.record], odds)
        elif odds > best[row.record]:
            best[row.record], better[row.record] = odds, row.text
    known = np.isfinite(own) & np.isfinite(best)
    unusual, moved = np.zeros((2, count))
    unusual[known], moved[known] = -own[known], best[known] - own[known]
    return EdgeEvidence(unusual, moved, better)


@dataclass(frozen=True)
class _Candidate:
    """An answer to a record, given or with an edge moved."""

    record: int
    context: int
    given: bool
    text: str
    features: list[str]


def _candidates(records: Sequence[Mapping[str, Any]]) -> Iterator[_Candidate]:
    """The given answers of each record, and these with an edge moved."""
    texts = list(dict.fromkeys(record["context"] for record in records))
    frequency = Counter(word.casefold() for text in texts for word in WORD.findall(text))
    number = {text: at for at, text in enumerate(texts)}
    words = [_Words.of(text, frequency) for text in texts]
    for at, record in enumerate(records):
        context = words[number[record["context"]]]
        asked = {word.casefold()[:STEM] for word in WORD.findall(record["question"])}
        kind = kind_of(record["question"])
        given = {span for each in spans_of(record) if (span := context.around(each))}
        moved = {each for span in given for each in _moved(*span, len(context.spans))}
        for span in sorted(given | moved):
            features = context.features(*span, asked, kind)
            text = context.answer(*span)
            yield _Candidate(at, number[record["context"]], span in given, text, features)


def _moved(first: int, last: int, count: int) -> Iterator[tuple[int, int]]:
    """An answer's first and last word with one of them moved. count: words of the context."""
    for by, sign in product(MOVES, (1, -1)):
        for begin, end in ((first + sign * by, last), (first, last + sign * by)):
            if 0 <= begin <= end < count:
                yield begin, end


def _out_of_fold(rows: Sequence[_Candidate]) -> np.ndarray:
    """The log odds that each is a given answer, (rows,), by those of other contexts."""
    from sklearn.feature_extraction.text import CountVectorizer  # importing it takes a second
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    counted = CountVectorizer(analyzer=list, min_df=RARE, dtype=float)
    features = counted.fit_transform([row.features for row in rows])
    given = np.array([row.given for row in rows])
    odds = np.zeros(len(rows))
    folds = GroupKFold(FOLDS).split(rows, groups=[row.context for row in rows])
    for others, own in folds:
        some = others[:: -(-len(others) // MOST)]
        model = LogisticRegression(C=WEAKNESS, solver="liblinear")
        odds[own] = model.fit(features[some], given[some]).decision_function(features[own])
    return odds
