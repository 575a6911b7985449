"""How learning went: the loss smoothed and fitted, and when the tracked sample was answered right."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from huggin.nodes import rivals
from huggin.recording import Probes, Recording

SHOWN = 60  # characters of a question in the table
LEAST_EXPLAINED = 0.2  # R^2 under which a fitted curve says nothing about the loss


@dataclass(frozen=True)
class ExponentialFit:
    """loss = floor + height exp(-step / decay)."""

    floor: float
    height: float
    decay: float  # steps in which the loss above the floor falls to 1/e
    explained: float  # R^2

    def at(self, step: np.ndarray) -> np.ndarray:
        """The fitted loss at each step."""
        return _curve(step, self.floor, self.height, self.decay)


def _curve(step: np.ndarray, floor: float, height: float, decay: float) -> np.ndarray:
    return floor + height * np.exp(-step / decay)


def fit_exponential(step: np.ndarray, loss: np.ndarray) -> ExponentialFit | None:
    """The exponential that fits the loss (least squares), or None where none does.

    step, loss: (steps,); NaN and infinite losses are left out. None for fewer than five steps, for a loss that
    does not fall, and where the curve explains less than a fifth of the loss's variance.
    """
    from scipy.optimize import curve_fit

    finite = np.isfinite(loss)
    step, loss = step[finite], loss[finite]
    if len(loss) < 5 or np.ptp(loss) == 0:
        return None
    length = float(np.ptp(step))
    guess = (loss[-len(loss) // 4 :].mean(), np.ptp(loss), length / 4)
    bounds = ([-np.inf, 0, length / 1000], [np.inf, np.inf, length])
    try:
        (floor, height, decay), _ = curve_fit(_curve, step, loss, p0=guess, bounds=bounds)
    except RuntimeError:  # did not converge
        return None
    left = np.square(loss - _curve(step, floor, height, decay)).sum()
    explained = 1 - left / np.square(loss - loss.mean()).sum()
    if explained < LEAST_EXPLAINED or height == 0:
        return None
    return ExponentialFit(float(floor), float(height), float(decay), float(explained))


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """The mean over `window` steps around each, NaN left out, (steps,); NaN where all of them are."""
    known = np.isfinite(values)
    kernel = np.ones(window)
    total = np.convolve(np.where(known, values, 0.0), kernel, mode="same")
    count = np.convolve(known.astype(float), kernel, mode="same")
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


@dataclass(frozen=True)
class Learned:
    """When a tracked sample was answered right, exactly; as fine as its probes are."""

    first_right: int | None  # the first probed step with the gold span, None where there is none
    flips: list[int]  # the probed steps at which it was right and not before, or wrong and right before
    right_since: int | None  # the probed step from which it is right at every later one, None where it ends wrong


def when_learned(probes: Probes, gold_start: int, gold_end: int) -> Learned:
    """When the predicted span was the gold one. A gold end of 0 is no answer in the window: never right."""
    right = (probes.predicted_start == gold_start) & (probes.predicted_end == gold_end) & (gold_end > 0)
    flips = probes.step[1:][right[1:] != right[:-1]].tolist()
    first = int(probes.step[right.argmax()]) if right.any() else None
    return Learned(first, flips, (flips[-1] if flips else first) if right[-1] else None)


def margins(probes: Probes, facts: dict[str, Any]) -> np.ndarray:
    """How far the gold start and the gold end are above their best rivals at the last probe, (2,).

    facts: gold_start, gold_end and parts, as `nodes.rivals` wants them; infinite where there is no rival.
    """
    rows = ((probes.start_logits[-1], facts["gold_start"]), (probes.end_logits[-1], facts["gold_end"]))
    best = [logits[rivals(gold, facts["parts"])].max(initial=-np.inf) for logits, gold in rows]
    return np.array([logits[gold] for logits, gold in rows]) - best


def flips_in_words(recording: Recording, sample: int = 0) -> str:
    """When a tracked sample was first answered right, each later step at which that changed, and how it ended."""
    facts = recording.tracked(sample)
    learned = when_learned(recording.probes(sample), facts["gold_start"], facts["gold_end"])
    if learned.first_right is None:
        return f"sample {sample}: never answered right"
    later = ", ".join(str(step) for step in learned.flips if step != learned.first_right)
    turned = f", turned wrong or right again at {later}" if later else ""
    end = "wrong" if learned.right_since is None else "right"
    return f"sample {sample}: first right at step {learned.first_right}{turned}, {end} at the end"


def table_of_samples(recording: Recording) -> str:
    """All tracked samples as text: when each was learned, and by how much its answer leads at the last probe."""
    lines = [
        f"{'sample':>6} {'question':>8} {'first right':>11} {'flips':>5} {'last flip':>9} {'at the end':>10}"
        f" {'start margin':>12} {'end margin':>10}  question"
    ]
    for number, facts in enumerate(recording.facts["samples"]):
        probes = recording.probes(number)
        learned = when_learned(probes, facts["gold_start"], facts["gold_end"])
        start, end = margins(probes, facts)
        lines.append(
            f"{number:6d} {facts['index']:8d} {_step(learned.first_right):>11} {len(learned.flips):5d}"
            f" {_step(learned.flips[-1] if learned.flips else None):>9}"
            f" {'wrong' if learned.right_since is None else 'right':>10}"
            f" {start:+12.2f} {end:+10.2f}  {' '.join(facts['question'].split())[:SHOWN]}"
        )
    return "\n".join(lines)


def _step(step: int | None) -> str:
    return "-" if step is None else str(step)
