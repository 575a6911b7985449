"""The training loss: fitted, where its schedule of learning rates changes, and its spikes.

A spike is a step whose loss stands out; it is told with the questions of its batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import curve_fit

from huggin.analysis.questions import losses
from huggin.common.errors import UserError
from huggin.common.text import short
from huggin.recording.reader import Recording

LEAST_EXPLAINED = 0.2  # the smallest R² of a fit that is worth drawing
AROUND = 15  # steps before and after a step that are its neighbours
BEFORE = 3  # steps without which nothing is expected: at its beginning a loss may fall steeply
LEAST = 20  # steps without which no spread is known
STANDS_OUT = 5.0  # spreads above its neighbours
LEAST_SPREAD = 0.02  # nats: beside losses of 0.000 one of 0.05 is no spike
SHOWN = 10  # spikes that are told of
OF_A_BATCH = 5  # questions of a batch that are named
WORSE = 0.1  # nats from which on a tracked question counts as worse


@dataclass(frozen=True)
class ExponentialFit:
    """loss = floor + height exp(-step / decay)."""

    floor: float
    height: float
    decay: float  # steps after which the loss above the floor has fallen to 1/e
    explained: float  # R²

    def at(self, step: np.ndarray) -> np.ndarray:
        """The fitted loss at each step."""
        return _curve(step, self.floor, self.height, self.decay)


def _curve(step: np.ndarray, floor: float, height: float, decay: float) -> np.ndarray:
    return floor + height * np.exp(-step / decay)


def fit_exponential(step: np.ndarray, loss: np.ndarray) -> ExponentialFit | None:
    """The exponential that fits the loss by least squares, or None if none does.

    step, loss: (steps,); NaN and infinite losses are left out. None for fewer than five steps, for
    a loss that does not fall, and if the curve explains less than a fifth of the loss's variance.
    """
    finite = np.isfinite(loss)
    step = step[finite]
    loss = loss[finite]
    if len(loss) < 5 or np.ptp(loss) == 0:
        return None
    length = float(np.ptp(step))
    guess = (loss[-len(loss) // 4 :].mean(), np.ptp(loss), length / 4)
    bounds = ([0, 0, length / 1000], [np.inf, np.inf, length])  # no cross-entropy is below 0
    try:
        (floor, height, decay), _ = curve_fit(_curve, step, loss, p0=guess, bounds=bounds)
    except RuntimeError:  # did not converge
        return None
    left = np.square(loss - _curve(step, floor, height, decay)).sum()
    explained = 1 - left / np.square(loss - loss.mean()).sum()
    if explained < LEAST_EXPLAINED or height == 0:
        return None
    return ExponentialFit(float(floor), float(height), float(decay), float(explained))


def schedule_changes(recording: Recording) -> list[int]:
    """The first steps of starts that went on with the learning rates of another schedule.

    There the rate jumps: it changes by more than twice as much as one step before and after.
    """
    steps = recording.steps
    moves = dict(zip(steps.step[1:].tolist(), np.abs(np.diff(steps.learning_rate)).tolist()))
    starts = [first for first, _ in recording.run.segments("steps")]
    return [
        step
        for step in starts
        if moves.get(step, 0.0) > 2 * max(moves.get(at, 0.0) for at in (step - 1, step + 1))
    ]


@dataclass(frozen=True)
class Spike:
    """A step whose batch had a loss far above what its neighbours let expect."""

    step: int
    loss: float  # of the batch that led to the step, nats
    expected: float  # by its neighbours, and by the length of its windows if that is known
    spreads: float  # how many spreads it lies above that
    questions: list[tuple[int, float]]  # index and loss of the batch's windows, the highest first
    worse: list[tuple[int, float, float]]  # tracked sample, its loss before and after the step


def find_spikes(run: Recording, lengths: Sequence[int] | None = None) -> list[Spike]:
    """The steps whose loss stands out, the furthest first.

    A loss is compared with the median of its neighbours, and with the lengths of its questions
    (`lengths`, of each question of the data in characters): longer windows have higher losses. The
    spread is 1.48 times the median absolute deviation, so that spikes do not hide each other, and
    at least LEAST_SPREAD.
    Losses that are not finite are left out. Raises UserError if fewer than LEAST are left.
    """
    steps = run.steps
    known = (steps.step > 0) & np.isfinite(steps.loss)
    step = steps.step[known]
    loss = steps.loss[known]
    if len(step) < LEAST:
        what = f"{len(step)} steps with a finite loss"
        raise UserError(f"{run.run.path}: {what}; spikes need {LEAST} or more")
    around = _around(loss)
    middle = np.nanmedian(around, axis=1)
    expected = middle
    if lengths is not None and run.has("questions"):
        expected = expected + _effect_of_length(run, step, loss - expected, lengths)
    left = loss - expected
    deviation = np.nanmedian(_around(np.abs(left)), axis=1)
    spread = np.maximum(1.4826 * deviation, LEAST_SPREAD)
    sides = np.full((2, len(loss)), -np.inf)  # the medians of the neighbours before and after
    sides[0, 1:] = np.nanmedian(around[1:, :AROUND], axis=1)
    sides[1, :-1] = np.nanmedian(around[:-1, AROUND:], axis=1)
    falls = np.maximum(sides.max(axis=0) - middle, 0)  # a steep fall is no spike
    above = (left - falls) / spread
    above[:BEFORE] = 0
    highest = [at for at in np.argsort(-above, kind="stable") if above[at] > STANDS_OUT]
    return [
        Spike(
            step=int(step[at]),
            loss=float(loss[at]),
            expected=float(expected[at]),
            spreads=float(above[at]),
            questions=_batch(run, int(step[at])),
            worse=_worse_after(run, int(step[at])),
        )
        for at in highest[:SHOWN]
    ]


def _around(values: np.ndarray) -> np.ndarray:
    """Each value's neighbours, itself left out, (steps, 2 x AROUND); NaN beyond the ends."""
    padded = np.pad(values.astype(float), AROUND, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1)
    return np.delete(windows, AROUND, axis=1)


def _effect_of_length(
    run: Recording, step: np.ndarray, left: np.ndarray, lengths: Sequence[int]
) -> np.ndarray:
    """What the lengths of a batch's questions add to its loss, (steps,): a straight line.

    Its slope is the weighted median of all batches' slopes, which a spike does not tilt.
    """
    found = run.questions
    kept = np.isin(found.step, step)
    row = np.searchsorted(step, found.step[kept])
    count = np.bincount(row, minlength=len(step))
    total = np.bincount(row, np.asarray(lengths, float)[found.index[kept]], minlength=len(step))
    length = np.divide(total, count, out=np.full(len(step), np.nan), where=count > 0)
    longer = np.nan_to_num(length - np.nanmedian(_around(length), axis=1))
    known = np.flatnonzero((longer != 0) & np.isfinite(left))
    if not len(known):
        return np.zeros(len(step))
    slopes = left[known] / longer[known]
    order = np.argsort(slopes)
    share = np.cumsum(np.abs(longer[known][order]))
    return longer * slopes[order][np.searchsorted(share, share[-1] / 2)]


def _batch(run: Recording, step: int) -> list[tuple[int, float]]:
    """Index and loss of the windows of the batch that led to a step, the highest loss first."""
    if not run.has("questions"):
        return []
    found = run.questions
    rows = np.flatnonzero(found.step == step)
    loss = losses(found)[rows]
    order = np.argsort(-loss, kind="stable")
    return [(int(found.index[rows[at]]), float(loss[at])) for at in order]


def _worse_after(run: Recording, step: int) -> list[tuple[int, float, float]]:
    """Tracked samples whose loss rose from the snapshot pass before a step to the one after it."""
    worse: list[tuple[int, float, float]] = []
    for sample in range(len(run.facts.samples) if run.has("probes") else 0):
        probes = run.probes(sample)
        after = int(np.searchsorted(probes.step, step))
        if 0 < after < len(probes.step):
            loss = (probes.start_loss + probes.end_loss)[after - 1 : after + 1] / 2
            if loss[1] - loss[0] > WORSE:
                worse.append((sample, float(loss[0]), float(loss[1])))
    return sorted(worse, key=lambda entry: entry[1] - entry[2])


def spikes_in_words(spikes: Sequence[Spike], records: Sequence[Mapping[str, Any]] = ()) -> str:
    """Each spike with the questions of its batch and the tracked questions that got worse."""
    if not spikes:
        return f"no loss stands out by {STANDS_OUT:g} spreads or more"
    lines = []
    for spike in spikes:
        beside = f"{spike.expected:.2f} expected, {spike.spreads:.1f} spreads above it"
        lines.append(f"step {spike.step}: loss {spike.loss:.2f}, {beside}")
        for index, loss in spike.questions[:OF_A_BATCH]:
            text = short(records[index]["question"], 80) if index < len(records) else ""
            lines.append(f"  question {index:6d}  loss {loss:5.2f}  {text}".rstrip())
        if len(spike.questions) > OF_A_BATCH:
            lines.append(f"  and {len(spike.questions) - OF_A_BATCH} more windows")
        for sample, before, after in spike.worse:
            lines.append(f"  tracked sample {sample} got worse: {before:.2f} -> {after:.2f}")
    return "\n".join(lines)
