"""Running means, without scipy, which takes as long to load as a figure to draw."""

import numpy as np


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of the `window` values around each value, (steps,).

    NaN and infinite values are left out; the mean is NaN where all of them are.
    """
    known = np.isfinite(values)
    kernel = np.ones(window)
    total = np.convolve(np.where(known, values, 0.0), kernel, mode="same")
    count = np.convolve(known.astype(float), kernel, mode="same")
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
