"""A recording and the texts of its questions -> those whose given answer is probably wrong.

Each detector gives evidence between 0 and 1 against each given answer; WEIGHTS says what each
counts. Errors that a model has memorised look like right answers, so the loss is taken from passes
before that, and never counts in data where it cannot tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from huggin.analysis.edges import EdgeEvidence, edge_evidence
from huggin.analysis.learning import with_loss
from huggin.analysis.question_texts import NOBODY, TextEvidence, spans_of, text_evidence
from huggin.analysis.questions import Record, answer_of, kind_of, visits_of
from huggin.common.text import short
from huggin.recording.reader import TrainedWindows
from huggin.recording.results import Efficacy

WEIGHTS = {
    "loss": 1.0,  # its loss in late passes is high beside that of questions of its kind
    "elsewhere": 0.3,  # the trained model's answer is another one
    "edge": 0.3,  # the trained model's answer begins or ends at another word
    "swap": 1.2,  # two answers of a context fit better if they are swapped
    "far": 0.5,  # the words of the question stand elsewhere in the context
    "moved": 0.9,  # it looks more like the other answers if an edge is moved
    "unusual": 0.7,  # its edges do not look like those of the other answers
    "contradiction": 1.0,  # the same question has another answer
    "copy": 0.3,  # a question of another kind has the same answer
}
LATE = 2  # passes whose losses are averaged
TOLD = 0.1  # weighted evidence from which on it is told
WHOLE = 0.9  # share of the questions that a pass has seen if it counts as one
MEMORISED = 0.9  # share of right windows in a pass from which on errors may be memorised, too
HIGH = 6.0  # spreads above the middle from which on a loss is full evidence
FULL_SWAP = 0.8  # gain in closeness from which on a swap is full evidence
FULL_MOVED = 4.0  # log odds from which on another edge is full evidence
FULL_UNUSUAL = 6.0  # log odds from which on unusual edges are full evidence
SHARING = 0.3  # share of questions with another question's answer from which on loss cannot tell
OF_A_KIND = 8  # questions of a kind that weigh as much as all questions together


@dataclass(frozen=True)
class PassLosses:
    """Each question's loss, pass by pass; NaN where it was not seen."""

    index: np.ndarray  # (questions,) in the data
    loss: np.ndarray  # (questions, passes) of start and end together, mean over its windows, nats
    right: np.ndarray  # (passes,) share of windows that were right
    last_step: np.ndarray  # (passes,) of each pass


@dataclass(frozen=True)
class ModelAnswer:
    """What a trained model answers to a question, dropout off."""

    text: str
    span: tuple[int, int]  # in characters of the context
    probability: float  # of its own answer
    given: float  # probability of the given answer


@dataclass(frozen=True)
class Suspect:
    """A question, and what speaks against its given answer."""

    rank: int  # 1 = most suspicious
    id: str
    index: int  # in the data
    question: str
    given: str  # "" if it has no answer
    place: int  # where the given answer begins, in characters of the context; -1 without one
    model_answer: str | None  # None if no model was asked
    probability: float | None  # of the given answer: the model's now, else in the late passes
    score: float
    reason: str


def losses_by_pass(found: TrainedWindows) -> PassLosses:
    """The loss of each question that was trained on, in each pass through the data."""
    visits = visits_of(found)
    passes = visits.number
    index, row = np.unique(visits.index, return_inverse=True)
    shape = (len(index), int(passes.max()) + 1)
    total = np.zeros(shape)
    np.add.at(total, (row, passes), 2 * visits.loss)
    count = np.zeros(shape)
    np.add.at(count, (row, passes), 1)
    loss = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
    right = np.bincount(passes, visits.right) / np.bincount(passes)
    last = np.zeros(shape[1], int)
    np.maximum.at(last, passes, visits.step)
    return PassLosses(index, loss, right, last)


def late_passes(losses: PassLosses, evaluations: Sequence[Efficacy]) -> tuple[list[int], list[str]]:
    """The passes whose losses tell most, counted from 0, and what is to be said of them.

    evaluations: on validation data while the run was trained. The pass behind the best of them is
    the last one, because a question's loss is taken before the model learns from it again.
    """
    count = max(1, int((np.isfinite(losses.loss).mean(axis=0) > WHOLE).sum()))
    end = count
    notes = []
    best = min(with_loss(evaluations), key=lambda pair: pair[1], default=None)
    if best and best[0].step < losses.last_step[-1]:
        end = int(np.searchsorted(losses.last_step, best[0].step, side="right"))
        end = min(end + 1, count)
        notes.append(f"the validation loss was lowest at step {best[0].step}")
    elif losses.right[count - 1] > MEMORISED:
        end = max(1, int(np.argmax(losses.right > MEMORISED)))
        right = f"{losses.right[count - 1]:.0%} of the questions were right"
        notes.append(f"in pass {count}, {right}; memorised wrong answers may be among them")
    chosen = list(range(max(0, end - LATE), end))
    names = " and ".join(str(number + 1) for number in chosen)
    if notes:
        notes[0] += f"; so the losses are those of pass {names} of {count}"
    lost = int((~np.isfinite(losses.loss)).all(axis=0).sum())
    if lost:
        notes.append(
            f"{lost} of {losses.loss.shape[1]} passes have no finite loss and do not count"
        )
    elif count < LATE:
        notes.append("a single pass tells little: train for 2 or more to see more")
    return chosen, notes


def beside_its_kind(loss: np.ndarray, kinds: Sequence[str]) -> np.ndarray:
    """How many spreads a loss lies above the middle of its kind, (questions,).

    0 for a loss that is not known. The middle of a kind with few questions is drawn to that of all.
    The spread is 1.48 times the median absolute deviation, which is the standard deviation of a
    normal distribution.
    """
    known = np.isfinite(loss)
    if not known.any():
        return np.zeros(len(loss))
    middle = np.full(len(loss), np.median(loss[known]))
    kind = np.array(kinds)
    for name in set(kind[known]):
        own = known & (kind == name)
        share = own.sum() / (own.sum() + OF_A_KIND)
        middle[own] += share * (np.median(loss[own]) - middle[own])
    above = loss - middle
    spread = 1.4826 * np.median(np.abs(above[known]))
    return np.where(known, above / max(spread, 1e-9), 0)


def evidence_of(
    records: Sequence[Record],
    texts: TextEvidence,
    edges: EdgeEvidence,
    loss: np.ndarray | None,
    asked: Sequence[ModelAnswer],
    overlap: np.ndarray,
    trust: float,
) -> dict[str, np.ndarray]:
    """Each detector's evidence against each given answer, (records,), between 0 and 1.

    loss: (records,) of late passes, NaN if unknown. asked: about all records, or empty; overlap:
    what `_overlaps` says of them. trust: what the model's word counts.
    """
    found = {
        "swap": np.clip(texts.swap / FULL_SWAP, 0, 1),
        "far": texts.far,
        "moved": np.clip(edges.moved / FULL_MOVED, 0, 1),
        "unusual": np.clip(edges.unusual / FULL_UNUSUAL, 0, 1),
        "contradiction": (texts.contradicted_by != NOBODY).astype(float),
        "copy": (texts.copied_from != NOBODY).astype(float),
    }
    if loss is not None:
        above = beside_its_kind(loss, [kind_of(record["question"]) for record in records])
        found["loss"] = np.clip(above / HIGH, 0, 1)
    if asked:
        own = np.array([answer.probability for answer in asked])
        given = np.array([answer.given for answer in asked])
        preferred = trust * own / np.maximum(own + given, 1e-9)
        found["elsewhere"] = np.where(overlap == 0, preferred, 0)
        found["edge"] = np.where((overlap > 0) & (overlap < 1), preferred, 0)
    return found


def _overlaps(records: Sequence[Record], asked: Sequence[ModelAnswer]) -> np.ndarray:
    """The characters in both the given answer and the model's, by those of both together.

    Returns (records,): 1 = the same. Of several given answers the one that shares most counts.
    """
    overlaps = []
    for record, answer in zip(records, asked, strict=True):
        begin, end = answer.span
        shares = [0.0 if record["answers"]["text"] else float(begin == end)]
        for first, behind in spans_of(record):
            if (shared := min(behind, end) - max(first, begin)) > 0:
                shares.append(shared / (max(behind, end) - min(first, begin)))
        overlaps.append(max(shares))
    return np.array(overlaps)


def rank_suspects(
    records: Sequence[Record],
    losses: PassLosses | None = None,
    late: Sequence[int] = (),
    asked: Sequence[ModelAnswer] = (),
    unseen: float | None = None,
) -> tuple[list[Suspect], list[str]]:
    """All questions, the one with the most suspicious answer first, and what cannot be known.

    records: id, question, context, answers of each question in the data's order. losses: None for
    data that was not trained on. late: the passes to use. unseen: the share that the
    model gets right of questions that it was not trained on; default: of these.
    """
    texts = text_evidence(records)
    edges = edge_evidence(records)
    notes = []
    loss = None
    if losses is not None:
        loss = np.full(len(records), np.nan)
        loss[losses.index] = losses.loss[:, list(late)].mean(axis=1)
        if texts.shared.mean() > SHARING:
            notes.append(
                f"{texts.shared.sum()} of {len(records)} questions share their answer with another "
                "one: such questions teach each other, so the loss cannot tell here and counts 0"
            )
    overlap = _overlaps(records, asked) if asked else np.array([])
    trust = float((overlap == 1).mean()) if asked and unseen is None else unseen or 0.0
    found = evidence_of(records, texts, edges, None if notes else loss, asked, overlap, trust)
    if asked:
        of = "given answers" if unseen is None else "answers of the validation data"
        notes.append(f"the model gives {trust:.0%} of the {of}; its word counts so much")
    weighted = {name: WEIGHTS[name] * values for name, values in found.items()}
    score = np.sum(list(weighted.values()), axis=0)
    order = np.argsort(-score, kind="stable")
    suspects = []
    for rank, place in enumerate(order.tolist(), start=1):
        record = records[place]
        mine = {name: float(values[place]) for name, values in weighted.items()}
        known = None if loss is None or np.isnan(loss[place]) else float(np.exp(-loss[place]))
        answer = asked[place] if asked else None
        suspects.append(
            Suspect(
                rank=rank,
                id=str(record["id"]),
                index=place,
                question=record["question"],
                given=answer_of(record),
                place=next(iter(record["answers"]["answer_start"]), -1),
                model_answer=answer.text if answer else None,
                probability=answer.given if answer else known,
                score=float(score[place]),
                reason=_reason(place, mine, texts, edges.better[place], known, answer),
            )
        )
    return suspects, notes


def _reason(
    place: int,
    weighted: Mapping[str, float],
    texts: TextEvidence,
    better: str,
    late: float | None,
    answer: ModelAnswer | None,
) -> str:
    """What speaks against a given answer, the strongest evidence first; at most three."""
    partner = texts.contradicted_by[place]
    words = {
        "loss": f"hard beside questions of its kind (p {late or 0:.1g} in training)",
        "swap": f"it and question {texts.swapped_with[place]} fit better with each other's answer",
        "far": "the question's words stand elsewhere in the context",
        "moved": f'"{short(better, 40)}" would look more like the other answers',
        "unusual": "it begins or ends unlike the other answers",
        "contradiction": f"question {partner} has the same text and another answer",
        "copy": f"question {texts.copied_from[place]}, of another kind, has the same answer",
    }
    if answer:
        says = f'"{short(answer.text, 40)}" (p {answer.probability:.2f})'
        words["elsewhere"] = f"the model answers {says}"
        words["edge"] = f"the model's answer begins or ends at another word: {says}"
    strongest = sorted(weighted, key=lambda name: -weighted[name])[:3]
    return "; ".join(words[name] for name in strongest if weighted[name] > TOLD) or "little"
