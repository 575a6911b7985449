"""Long curves, smoothed and thinned; the gradient's norm in each part of a model, averaged."""

from dataclasses import dataclass

import numpy as np

from huggin.common.errors import BadValue
from huggin.recording.reader import PartNorms

TENTH = 10
MOST_COLUMNS = 400  # of a heat map; more could not be told apart
MOST_BUCKETS = 900  # about the pixels of a wide curve


@dataclass(frozen=True)
class NormsOverTime:
    """Geometric means of the norms over equally long stretches of the training."""

    edges: np.ndarray  # (stretches + 1,) in steps
    norms: np.ndarray  # (stretches, parts); NaN if all of a stretch's are 0 or unknown


def over_time(found: PartNorms) -> NormsOverTime:
    """The norms in at most MOST_COLUMNS stretches; 0 and NaN are left out of the means."""
    count = min(len(found.step), MOST_COLUMNS)
    stretches = np.array_split(np.arange(len(found.step)), count)
    with np.errstate(divide="ignore"):
        logs = np.log10(found.norms.astype(float))
    logs[~np.isfinite(logs)] = np.nan
    means = np.array([10 ** mean_known(logs[stretch]) for stretch in stretches])
    begins = [found.step[stretch[0]] - 0.5 for stretch in stretches]
    return NormsOverTime(np.array([*begins, found.step[-1] + 0.5]), means)


def mean_known(values: np.ndarray) -> np.ndarray:
    """The mean over the first axis without NaN; NaN if there is nothing else."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def frozen(found: PartNorms) -> np.ndarray:
    """Which parts have no gradient at any step where it is known, (parts,) bool."""
    known = np.isfinite(found.norms)
    return known.any(axis=0) & ~(known & (found.norms != 0)).any(axis=0)


def unknown_steps(found: PartNorms) -> int:
    """At how many steps the norms are not known."""
    return int(np.isnan(found.norms).any(axis=1).sum())


def chosen_parts(found: PartNorms, names: list[str] | None = None) -> list[int]:
    """The places of parts by name; without names the ends, and the first, middle and last layer.

    Raises UserError for a part that the model does not have.
    """
    if names:
        for name in names:
            if name not in found.parts:
                raise BadValue("part", name, f"choose from {', '.join(found.parts)}")
        return [found.parts.index(name) for name in dict.fromkeys(names)]
    layers = [at for at, name in enumerate(found.parts) if name.startswith("layer")]
    some = [layers[0], layers[len(layers) // 2], layers[-1]] if layers else []
    return sorted({0, *some, len(found.parts) - 1})


def table_of_parts(found: PartNorms) -> str:
    """A row per part: mean norm in the first and last tenth of the steps, and the part's share.

    The squares of the norms add up to the square of the whole gradient's norm.
    """
    few = max(1, len(found.step) // TENTH)
    first = mean_known(found.norms[:few])
    last = mean_known(found.norms[-few:])
    squares = mean_known(np.square(found.norms.astype(float)))
    shares = squares / np.nansum(squares) if np.nansum(squares) > 0 else squares
    width = max(len(name) for name in [*found.parts, "part"])
    head = "gradient's norm: first tenth of the steps"
    lines = [f"{'part':{width}}  {head}  last tenth  share of the square"]
    for name, begin, end, share, still in zip(found.parts, first, last, shares, frozen(found)):
        numbers = f"{begin:41.4g}  {end:10.4g}  {share:18.1%}"
        lines.append(f"{name:{width}}  {'frozen' if still else numbers:>41}")
    return "\n".join(lines)


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
