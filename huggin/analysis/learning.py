"""How a training went: when a tracked sample was learned, when overfitting began, long curves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from huggin.analysis.nodes import rivals
from huggin.common.text import in_columns
from huggin.common.window import Window
from huggin.recording.reader import Probes, Recording
from huggin.recording.results import Efficacy

SHOWN = 60  # characters of a question in the table
MOST_BUCKETS = 900  # about the pixels of a wide curve
FEWEST = 3  # evaluations of which one says that the loss has risen
NO_ANSWER = "its window holds no answer, so nothing tells when it was right"


@dataclass(frozen=True)
class Learned:
    """When a tracked sample was answered right, exactly. The steps are those of probes."""

    first_right: int | None  # the first step with the true span; None if there is none
    flips: list[int]  # the steps at which a right answer became wrong, or a wrong one right
    right_since: int | None  # the step from which on it is always right; None if it ends wrong


def when_learned(probes: Probes, window: Window) -> Learned:
    """When the predicted span was the true one. A window without an answer is never right."""
    right = is_right(probes.predicted_start, probes.predicted_end, window)
    flips = probes.step[1:][right[1:] != right[:-1]].tolist()
    first = int(probes.step[right.argmax()]) if right.any() else None
    since = [first, *flips][-1] if right[-1] else None
    return Learned(first, flips, since)


def is_right(starts: np.ndarray, ends: np.ndarray, window: Window) -> np.ndarray:
    """Which predicted spans are the true answer, of the shape of their first and last tokens."""
    return (starts == window.gold_start) & (ends == window.gold_end) & window.has_answer


def margins_over_time(probes: Probes, window: Window) -> np.ndarray:
    """The logits of the true start and end minus those of their best rivals, (probes, 2).

    Infinite if there is no rival (see `nodes.rivals`).
    """
    found = []
    golds = (window.gold_start, window.gold_end)
    for logits, gold in zip((probes.start_logits, probes.end_logits), golds, strict=True):
        best = logits[:, rivals(gold, window.parts)].max(axis=1, initial=-np.inf)
        found.append(logits[:, gold] - best)
    return np.stack(found, axis=1)


def flips_in_words(recording: Recording, sample: int = 0) -> str:
    """When a tracked sample was first answered right, when that changed, and how it ended."""
    window = recording.tracked(sample)
    if not window.has_answer:
        return f"sample {sample}: {NO_ANSWER}"
    learned = when_learned(recording.probes(sample), window)
    if learned.first_right is None:
        return f"sample {sample}: never answered right"
    later = "; ".join(f"{step:,}" for step in learned.flips if step != learned.first_right)
    turned = f", turned wrong or right again at {later}" if later else ""
    end = "wrong" if learned.right_since is None else "right"
    return f"sample {sample}: first right at step {learned.first_right:,}{turned}, {end} at the end"


def table_of_samples(recording: Recording) -> str:
    """All tracked samples as text: when each was learned, and its margins at the last probe."""
    steps = ("first right", "flips", "last flip", "at the end", "start margin", "end margin")
    rows = [("sample", "question", *steps, "question")]
    for sample, window in enumerate(recording.facts.samples):
        probes = recording.probes(sample)
        learned = when_learned(probes, window)
        first = "-" if learned.first_right is None else str(learned.first_right)
        last = str(learned.flips[-1]) if learned.flips else "-"
        end = ("wrong" if learned.right_since is None else "right") if window.has_answer else "-"
        shown = [f"{margin:+.2f}" for margin in margins_over_time(probes, window)[-1]]
        text = " ".join(window.question.split())[:SHOWN]
        numbers = (str(sample), str(window.index), first, str(len(learned.flips)), last, end)
        rows.append((*numbers, shown[0], shown[1], text))
    return "\n".join(in_columns(rows, left=(8,)))


def with_loss(evaluations: Sequence[Efficacy]) -> list[tuple[Efficacy, float]]:
    """The evaluations whose loss was measured and is finite, with it."""
    pairs = [(entry, math.nan if entry.loss is None else entry.loss) for entry in evaluations]
    return [pair for pair in pairs if math.isfinite(pair[1])]


def validation_in_words(evaluations: Sequence[Efficacy]) -> str:
    """The step with the lowest validation loss, and whether the loss has risen since.

    evaluations: by step. It has risen if the difference is beyond its 95 % interval, taken as if
    other questions had been asked each time, which is rather too careful. "" for too few.
    """
    measured = with_loss(evaluations)
    if len(measured) < FEWEST:
        return ""
    best, lowest = min(measured, key=lambda pair: pair[1])
    last, loss = measured[-1]
    words = f"best at step {best.step:,}, validation loss {lowest:.3g}"
    if best is last:
        better = "" if best.exact_match == 100 else "; a longer training may be better"
        return f"{words}, at the last evaluation{better}"
    chance = math.hypot(best.loss_spread, last.loss_spread)
    if not loss - lowest > chance:  # as with a single question, whose error is NaN
        return f"{words}; no clear rise since ({loss:.3g} at step {last.step:,})"
    scores = f"EM {best.exact_match:.1f} % then, {last.exact_match:.1f} % at step {last.step:,}"
    return f"{words}; it has risen to {loss:.3g} since: overfitting ({scores})"


def thinned(values: np.ndarray, buckets: int = MOST_BUCKETS) -> np.ndarray:
    """The places of the points to keep, in order: each bucket's lowest and highest, and both ends.

    values: (points,). Of points that are not finite, the first of each bucket is kept, so that the
    gap stays. All places are kept if there are no more than two points a bucket.
    """
    count = len(values)
    if count <= 2 * buckets:
        return np.arange(count)
    kept = {0, count - 1}
    edges = np.linspace(0, count, buckets + 1).astype(int)
    for begin, end in zip(edges[:-1], edges[1:], strict=True):
        part = values[begin:end]
        known = np.isfinite(part)
        if known.any():
            kept.add(int(begin + np.where(known, part, np.inf).argmin()))
            kept.add(int(begin + np.where(known, part, -np.inf).argmax()))
        if not known.all():
            kept.add(int(begin + known.argmin()))
    return np.array(sorted(kept))


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of the `window` values around each value, (steps,).

    NaN and infinite values are left out; the mean is NaN where all of them are.
    """
    known = np.isfinite(values)
    kernel = np.ones(window)
    total = np.convolve(np.where(known, values, 0.0), kernel, mode="same")
    count = np.convolve(known.astype(float), kernel, mode="same")
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
