"""Pushes on one question's loss -> the training questions that taught it, and those against it.

The field calls them proponents and opponents. A push is by how many nats a window of a question
lowered the loss in a step, to first order; those of a question are added up.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from huggin.analysis.question_texts import STEM, spans_of, terms_of
from huggin.analysis.questions import Record, answer_of
from huggin.common.errors import UserError
from huggin.common.text import in_columns, sentence_around, short
from huggin.recording.reader import Recording

RARE = 0.1  # share of the questions that have a word at most if it counts as shared
SHOWN = 10
POINTS = 200  # of a curve


@dataclass(frozen=True)
class Pushes:
    """What single windows did to one question's loss; first axis = windows in their order."""

    step: np.ndarray  # (windows,) int64
    index: np.ndarray  # (windows,) of the question in the training data
    push: np.ndarray  # (windows,) nats by which the loss was lowered

    @cached_property
    def curves(self) -> tuple[np.ndarray, np.ndarray]:
        """(points,) steps, and what each question has pushed until then, (questions, points)."""
        points = np.unique(np.linspace(0, self.step.max(), POINTS).round())
        sums = np.zeros((int(self.index.max()) + 1, len(points)), np.float32)
        np.add.at(sums, (self.index, np.searchsorted(points, self.step)), self.push)
        return points, sums.cumsum(axis=1, out=sums)


@dataclass(frozen=True)
class Teacher:
    """A training question, and what it did to another question's loss."""

    index: int  # in the training data
    id: str
    question: str
    answer: str  # "" if it has none
    sentence: str  # of the context, around the answer
    push: float  # nats by which it lowered the loss, all its windows together
    seen: int  # how often one of its windows was trained on
    step: int  # at which it pushed most, in the direction of its sum
    same: list[str]  # what it shares: "question", "context", "answer"
    words: list[str]  # rare words of the question that both have
    exact: float | None = None  # as `push`, by the gradient of all weights

    @property
    def value(self) -> float:
        """The better of the two estimates that is known."""
        return self.push if self.exact is None else self.exact

    @property
    def shares(self) -> str:
        """What it shares with the question, in words."""
        tells = self.words and "question" not in self.same
        words = [f"words {', '.join(self.words)}"] if tells else []
        return "; ".join([*(f"same {what}" for what in self.same), *words])


@dataclass(frozen=True)
class Taught:
    """A question, and who taught it."""

    question: str
    answer: str
    pushes: Pushes
    teachers: list[Teacher]  # the one that lowered its loss most first
    losses: tuple[np.ndarray, np.ndarray] | None  # (probes,) steps and its loss there, in nats

    def proponents(self, count: int = SHOWN) -> list[Teacher]:
        """Those that lowered its loss most."""
        return [each for each in self.teachers[:count] if each.value > 0]

    def opponents(self, count: int = SHOWN) -> list[Teacher]:
        """Those that raised it most, the worst first."""
        return [each for each in self.teachers[: -count - 1 : -1] if each.value < 0]


def taught_by(recording: Recording, records: Sequence[Record], sample: int) -> Taught:
    """Who taught a tracked sample, by what was recorded. records: the training data."""
    tracked = recording.tracked(sample)
    pushes = recorded_pushes(recording, sample)
    texts = {"text": [tracked.answer] * bool(tracked.answer), "answer_start": []}
    asked = {"question": tracked.question, "context": tracked.context, "answers": texts}
    probes = recording.probes(sample)
    losses = (probes.step, (probes.start_loss + probes.end_loss) / 2)
    ranked = rank_teachers(pushes, records, asked)
    return Taught(tracked.question, tracked.answer, pushes, ranked, losses)


def recorded_pushes(recording: Recording, sample: int) -> Pushes:
    """What each window that was trained on did to a tracked sample's loss through the head.

    Raises UserError if nothing is recorded.
    """
    recording.tracked(sample)  # raises if there is no such sample
    push = recording.pointers[:, 1 + sample]
    known = np.isfinite(push)
    if not known.any():
        raise UserError(f"{recording.run.recording}: pointers: none is finite")
    asked = recording.questions
    return Pushes(asked.step[known], asked.index[known], push[known])


def rank_teachers(pushes: Pushes, records: Sequence[Record], asked: Record) -> list[Teacher]:
    """The questions that pushed, the one that lowered the loss most first.

    records: the training data. asked: the question whose loss they pushed. The question itself is
    not among them.
    """
    known = Counter(word for record in records for word in _words(record["question"]))
    rare = {word for word, count in known.items() if count <= max(1, RARE * len(records))}
    wanted = {word: text for word, text in _words(asked["question"]).items() if word in rare}
    sums = np.bincount(pushes.index, pushes.push)
    order = np.lexsort((pushes.push, pushes.index))  # of each question, the lowest push first
    index, first, seen = np.unique(pushes.index[order], return_index=True, return_counts=True)
    lowest, highest = order[first], order[first + seen - 1]
    teachers = []
    for place in np.argsort(-sums[index], kind="stable"):
        record = records[index[place]]
        strongest = highest[place] if sums[index[place]] > 0 else lowest[place]
        if (record["question"], record["context"]) == (asked["question"], asked["context"]):
            continue
        teachers.append(
            Teacher(
                index=int(index[place]),
                id=record["id"],
                question=record["question"],
                answer=answer_of(record),
                sentence=_sentence(record),
                push=float(sums[index[place]]),
                seen=int(seen[place]),
                step=int(pushes.step[strongest]),
                same=_same(record, asked),
                words=[wanted[word] for word in wanted.keys() & _words(record["question"])],
            )
        )
    return teachers


def _sentence(record: Record) -> str:
    begin, end = next(iter(spans_of(record)), (0, 0))
    first, last = sentence_around(record["context"], (begin, end))
    return record["context"][first:last]


def _words(text: str) -> dict[str, str]:
    """The words of a question, by what is compared of them."""
    return {word[:STEM]: word for word, _ in terms_of(text)}


def _same(record: Record, asked: Record) -> list[str]:
    texts = [answer_of(each).casefold().split() for each in (record, asked)]
    is_same = {
        "question": record["question"] == asked["question"],
        "context": record["context"] == asked["context"],
        "answer": bool(texts[0]) and texts[0] == texts[1],
    }
    return [what for what, same in is_same.items() if same]


def table_of_teachers(teachers: Sequence[Teacher], head: str) -> list[str]:
    """A head, and two lines for each teacher: numbers and question; its text, what it shares."""
    rows = []
    for each in teachers:
        exact = "" if each.exact is None else f"{each.exact:+.4f}"
        text = f"{short(each.question, 70)} -> {short(each.answer, 30) or '(none)'}"
        rows.append((f"{each.push:+.4f}", exact, f"step {each.step}", str(each.index), text))
    heads = ("push", "exact" if any(row[1] for row in rows) else "", "most at", "question", "")
    first, *lines = in_columns([heads, *rows], left=(4,))
    told = [head, first]
    for each, line in zip(teachers, lines, strict=True):
        told += [
            line,
            f"{'':8}{each.shares or 'no rare word in common'}: {short(each.sentence, 90)}",
        ]
    return told
