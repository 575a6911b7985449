"""Evaluations while a model was trained -> the best one, and whether the model overfits since."""

import math
from collections.abc import Sequence

from huggin.recording.results import Efficacy

FEWEST = 3  # evaluations of which one says that the loss has risen
QUANTILE = 1.959964  # the normal distribution's for 95 %


def with_loss(evaluations: Sequence[Efficacy]) -> list[tuple[Efficacy, float]]:
    """The evaluations whose loss was measured and is finite, with it."""
    pairs = [(entry, math.nan if entry.loss is None else entry.loss) for entry in evaluations]
    return [pair for pair in pairs if math.isfinite(pair[1])]


def validation_in_words(evaluations: Sequence[Efficacy]) -> str:
    """The step with the lowest validation loss, and whether the loss has risen since.

    evaluations: by step. It has risen if the difference is beyond 1.96 standard errors, taken as if
    other questions had been asked each time, which is rather too careful. "" for too few.
    """
    measured = with_loss(evaluations)
    if len(measured) < FEWEST:
        return ""
    best, lowest = min(measured, key=lambda pair: pair[1])
    last, loss = measured[-1]
    words = f"best at step {best.step:,}, validation loss {lowest:.3g}"
    if best is last:
        return f"{words}: the last evaluation, so a longer training may be better"
    error = math.hypot(best.loss_error, last.loss_error)
    if not loss - lowest > QUANTILE * error:  # as with a single question, whose error is NaN
        return f"{words}; no clear rise since ({loss:.3g} at step {last.step:,})"
    scores = f"EM {best.exact_match:.1f} % then, {last.exact_match:.1f} % at step {last.step:,}"
    return f"{words}; it has risen to {loss:.3g} since: overfitting ({scores})"
