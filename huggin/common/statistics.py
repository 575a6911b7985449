"""95 % intervals of shares and of means."""

import math
from typing import Any

Z = 1.959964  # 95 % of a normal distribution lies within so many standard errors


def wilson_interval(correct: float, asked: int) -> tuple[float, float]:
    """The 95 % interval of a share, in percent (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    correct: may be a sum of scores between 0 and 1. asked: more than 0.
    """
    share = correct / asked
    spread = Z * Z / asked
    centre = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / asked + spread / (4 * asked))
    return 100 * max(0.0, centre - half), 100 * min(1.0, centre + half)


def half_interval(error: Any, count: Any) -> Any:
    """Half of the 95 % interval of a mean, from its standard error (Student 1908, t distribution).

    error, count: numbers or arrays. count: how many values the mean is of. NaN for a single one.
    """
    from scipy.special import stdtrit  # 0.1 s, which commands without such a mean do not wait

    return stdtrit(count - 1, 0.975) * error
