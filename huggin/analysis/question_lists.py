"""Every window that was trained on -> each question's history, and the questions worth a look."""

from dataclasses import dataclass

import numpy as np

from huggin.analysis.questions import QuestionTexts, by_window, losses
from huggin.common.text import short
from huggin.recording.reader import TrainedWindows

NEVER = -1


@dataclass(frozen=True)
class Histories:
    """How each question did in the batches of a training, in train mode; first axis = questions."""

    index: np.ndarray  # (questions,) in the data
    loss: np.ndarray  # (questions,) mean over its windows the last time that each was seen, nats
    right: np.ndarray  # (questions,) how often one of its windows was right
    seen: np.ndarray  # (questions,) how often one of them was seen
    forgotten: np.ndarray  # (questions,) how often one was wrong after it had been right
    since: np.ndarray  # (questions,) the step from which on all its windows are right; NEVER if not


def histories(found: TrainedWindows) -> Histories:
    """The history of each question that was trained on, by index."""
    order, is_first = by_window(found)
    index = found.index[order]
    right = found.right[order]
    step = found.step[order]
    is_last = np.append(is_first[1:], True)
    was_right = np.append(False, right[:-1]) & ~is_first
    begins = right & ~was_right
    streak = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
    since = np.full(int(index.max()) + 1, NEVER)
    np.maximum.at(since, index[is_last], step[streak[is_last]])
    size = len(since)
    since[np.bincount(index[is_last & ~right], minlength=size) > 0] = NEVER
    seen = np.bincount(index, minlength=size)
    windows = np.bincount(index[is_last], minlength=size)
    total = np.bincount(index[is_last], losses(found)[order][is_last], minlength=size)
    known = np.flatnonzero(seen)
    return Histories(
        index=known,
        loss=total[known] / windows[known],
        right=np.bincount(index, right, minlength=size)[known].astype(int),
        seen=seen[known],
        forgotten=np.bincount(index, was_right & ~right, minlength=size)[known].astype(int),
        since=since[known],
    )


def hardest_first(found: Histories) -> np.ndarray:
    """The places of all questions, the one with the highest loss the last time first."""
    return np.argsort(-np.nan_to_num(found.loss, nan=np.inf), kind="stable")


def hardest(found: TrainedWindows, count: int = 20) -> list[tuple[int, float, int, int]]:
    """Index, loss, how often right, how often seen, of the `count` hardest, the hardest first."""
    known = histories(found)
    columns = (known.index, known.loss, known.right, known.seen)
    rows = zip(*(column[hardest_first(known)[:count]].tolist() for column in columns), strict=True)
    return list(rows)


def table_of_hardest(found: TrainedWindows, texts: QuestionTexts | None) -> str:
    """The 20 hardest questions: index, loss, how often right, text, answer."""
    lines = ["question   loss  right/seen  text"]
    for index, loss, right, seen in hardest(found):
        text = ""
        if texts:
            answer = short(texts.answer[index], 40) or "no answer"
            text = f"{short(texts.question[index], 90)} -> {answer}"
        lines.append(f"{index:8d} {loss:6.2f}  {f'{right}/{seen}':>10}  {text}".rstrip())
    return "\n".join(lines)


def learned_first(found: Histories) -> np.ndarray:
    """The places of those that were wrong, then right to the end; the earliest first."""
    learned = np.flatnonzero((found.since != NEVER) & (found.right < found.seen))
    return learned[np.argsort(found.since[learned], kind="stable")]


def most_forgotten_first(found: Histories) -> np.ndarray:
    """The places of the questions that were forgotten at least once, the most often first."""
    forgotten = np.flatnonzero(found.forgotten)
    return forgotten[np.argsort(-found.forgotten[forgotten], kind="stable")]
