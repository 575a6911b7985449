"""The training loss, fitted; where its schedule of learning rates changes."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit

from huggin.recording.reader import Recording

LEAST_EXPLAINED = 0.2  # the smallest R² of a fit that is worth drawing


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
