"""How learning went: the loss smoothed and fitted, and when the tracked sample was answered right."""

from dataclasses import dataclass

import numpy as np

from huggin.analysis.nodes import rivals
from huggin.common.window import Window
from huggin.recording.reader import Probes, Recording

SHOWN = 60  # characters of a question in the table


@dataclass(frozen=True)
class Learned:
    """When a tracked sample was answered right, exactly; as fine as its probes are."""

    first_right: int | None  # the first probed step with the gold span, None where there is none
    flips: list[
        int
    ]  # the probed steps at which it was right and not before, or wrong and right before
    right_since: (
        int | None
    )  # the probed step from which it is right at every later one, None where it ends wrong


def when_learned(probes: Probes, window: Window) -> Learned:
    """When the predicted span was the gold one. A window without an answer is never right."""
    start_right = probes.predicted_start == window.gold_start
    end_right = probes.predicted_end == window.gold_end
    right = start_right & end_right & window.has_answer
    flips = probes.step[1:][right[1:] != right[:-1]].tolist()
    first = int(probes.step[right.argmax()]) if right.any() else None
    return Learned(first, flips, (flips[-1] if flips else first) if right[-1] else None)


def margins(probes: Probes, window: Window) -> np.ndarray:
    """How far the gold start and the gold end are above their best rivals at the last probe, (2,).

    Infinite if there is no rival (see `nodes.rivals`).
    """
    rows = (
        (probes.start_logits[-1], window.gold_start),
        (probes.end_logits[-1], window.gold_end),
    )
    best = [logits[rivals(gold, window.parts)].max(initial=-np.inf) for logits, gold in rows]
    return np.array([logits[gold] for logits, gold in rows]) - best


def flips_in_words(recording: Recording, sample: int = 0) -> str:
    """When a tracked sample was first answered right, each later step at which that changed, and how it ended."""
    learned = when_learned(recording.probes(sample), recording.tracked(sample))
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
    for number, window in enumerate(recording.facts.samples):
        probes = recording.probes(number)
        learned = when_learned(probes, window)
        start, end = margins(probes, window)
        lines.append(
            f"{number:6d} {window.index:8d} {_step(learned.first_right):>11} {len(learned.flips):5d}"
            f" {_step(learned.flips[-1] if learned.flips else None):>9}"
            f" {'wrong' if learned.right_since is None else 'right':>10}"
            f" {start:+12.2f} {end:+10.2f}  {' '.join(window.question.split())[:SHOWN]}"
        )
    return "\n".join(lines)


def _step(step: int | None) -> str:
    return "-" if step is None else str(step)
