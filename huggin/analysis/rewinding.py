"""What rewinding a run found -> how much each part is worth, and how far its weights moved."""

from dataclasses import dataclass

import numpy as np

from huggin.common.statistics import half_interval, wilson_interval
from huggin.common.text import in_columns
from huggin.recording.results import Answers, PartRewound, Rewound

DISAGREE = (
    "The two can disagree: a distance counts every weight that changed, also those that no answer "
    "depends on; rewinding counts only what the other parts have come to rely on."
)


@dataclass(frozen=True)
class Mean:
    """A mean over the questions with its 95 % interval."""

    value: float
    low: float
    high: float


def mean_loss(answers: Answers, base: Answers) -> Mean:
    """The mean loss in nats; the interval is that of its difference from `base`.

    Both answered the same questions, so that how hard a question is cancels out. The interval is
    cut at 0, as no loss is lower. It is NaN for a single question.
    """
    loss = np.array(answers.loss)
    difference = loss - np.array(base.loss)
    error = float("nan")
    if len(difference) > 1:
        standard = float(difference.std(ddof=1)) / len(difference) ** 0.5
        error = half_interval(standard, len(difference))
    value = float(loss.mean())
    low = value - error
    return Mean(value, 0.0 if low < 0 else low, value + error)


def share_right(answers: Answers) -> Mean:
    """The share of right answers in percent, with Wilson's interval."""
    right = sum(answers.right)
    asked = len(answers.right)
    return Mean(100 * right / asked, *wilson_interval(right, asked))


def worth_most(found: Rewound) -> PartRewound:
    """The part whose rewinding raises the loss most."""
    return max(found.parts, key=lambda part: np.mean(part.put_back.loss))


def moved_most(found: Rewound) -> PartRewound:
    """The part whose weights changed most, by the root mean square."""
    return max(found.parts, key=lambda part: part.moved)


def rank_correlation(found: Rewound) -> float:
    """Spearman's correlation, over the parts, of the loss after rewinding with the change.

    NaN if all parts are alike. Ties have their mean rank.
    """
    worth = _ranks([float(np.mean(part.put_back.loss)) for part in found.parts])
    moved = _ranks([part.moved for part in found.parts])
    if worth.std() == 0 or moved.std() == 0:
        return float("nan")
    return float(np.corrcoef(worth, moved)[0, 1])


def _ranks(values: list[float]) -> np.ndarray:
    found = np.array(values)
    below = (found[None, :] < found[:, None]).sum(axis=1)
    equal = (found[None, :] == found[:, None]).sum(axis=1)
    return below + (equal - 1) / 2


def named(part: str) -> str:
    """`the head`, but `layer 3`."""
    return part if part.startswith("layer") else f"the {part}"


def in_words(found: Rewound) -> str:
    """Which part is worth most, which one moved most, and how well the two agree."""
    worth = worth_most(found)
    moved = moved_most(found)
    trained = np.mean(found.trained.loss)
    without = np.mean(worth.put_back.loss)
    if without <= trained:
        what = "No part alone hurts when it is put back"
        return f"{what}; the weights of {named(moved.part)} moved most"
    first = f"Putting back {named(worth.part)} hurts most (loss {trained:.2f} -> {without:.2f})"
    first += _answers_lost(found, worth)
    if moved.part == worth.part:
        second = "its weights also moved most"
    else:
        second = f"the weights of {named(moved.part)} moved most"
    correlation = rank_correlation(found)
    if np.isnan(correlation):
        return f"{first}; {second}"
    return f"{first}; {second}; rank correlation of the two orders of the parts {correlation:+.2f}"


def _answers_lost(found: Rewound, worth: PartRewound) -> str:
    """Which other part costs the most answers, in words; "" if it is the one that hurts most."""
    costly = min(found.parts, key=lambda part: sum(part.put_back.right))
    before = share_right(found.trained).value
    after = share_right(costly.put_back).value
    if after >= min(before, share_right(worth.put_back).value):
        return ""
    return f", {named(costly.part)} costs most answers ({before:.0f} % -> {after:.0f} % right)"


def table_of_parts(found: Rewound) -> str:
    """A row per part: loss and right answers when it is put back, when it alone is trained, change.

    In brackets: 95 % intervals. The first two rows are the trained and the untrained model.
    """
    rows = [
        ("", "put back alone: loss, right", "alone trained: loss, right", "change of a weight"),
        ("all trained", _cell(found.trained, found.trained), "", ""),
        ("none trained", _cell(found.untrained, found.untrained), "", ""),
    ]
    for part in found.parts:
        put_back = _cell(part.put_back, found.trained)
        alone = _cell(part.alone, found.untrained)
        rows.append((part.part, put_back, alone, f"{part.moved:.2e}"))
    return "\n".join(in_columns(rows, left=range(4)))


def _cell(answers: Answers, base: Answers) -> str:
    loss = mean_loss(answers, base)
    right = share_right(answers)
    known = answers is not base and np.isfinite(loss.high)
    interval = f" ({loss.low:.2f} to {loss.high:.2f})" if known else ""
    return f"{loss.value:.2f}{interval}, {right.value:.0f} % ({right.low:.0f} to {right.high:.0f})"
