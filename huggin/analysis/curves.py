"""Long curves -> smoothed ones, and the few points that look the same on a screen."""

import numpy as np

MOST_BUCKETS = 900  # about the pixels of a wide curve


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
