"""Measured efficacy of runs -> EM and F1 by step, with 95 % intervals."""

from collections.abc import Sequence
from itertools import cycle, groupby
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.common.errors import UserError
from huggin.graphs.runs import COLOURS
from huggin.graphs.style import by_step, new_figure
from huggin.recording.results import Efficacy, read_efficacy, read_evaluations
from huggin.recording.run_folder import RunFolder

MARKERS = "osD^"  # one for each data
AT_LEAST = 2  # evaluations of a training that are worth a figure of their own
CURVE = 3  # points from which on a line joins them
UNITS = {"exact_match": "exact match in %", "f1": "F1 in %"}


def draw_efficacy(runs: Sequence[Path]) -> dict[str, Figure]:
    """`efficacy`: a panel for EM and one for F1.

    It shows what test-qa-efficacy.py measured and the evaluations during the training. Raises
    UserError for a run of which nothing was measured.
    """
    figure = new_figure(7, 6, "Efficacy by step, with 95 % intervals")
    panels = figure.subplots(2, 1, sharex=True)
    for run, colour in zip(runs, COLOURS):
        by_data = groupby(_measured(run), key=lambda entry: entry.data)
        for (data, entries), marker in zip(by_data, cycle(MARKERS)):
            _draw(panels, f"{run}, {data}", list(entries), color=colour, marker=marker)
    for axes, unit in zip(panels, UNITS.values(), strict=True):
        axes.set_ylim(-2, 102)
        by_step(axes, unit)
    panels[0].set_xlabel("")
    panels[0].set_xlim(left=0, right=1.05 * max(panels[0].get_xlim()[1], 1))
    panels[1].legend()
    return {"efficacy": figure}


def _measured(run: Path) -> list[Efficacy]:
    """All that was measured of a run."""
    folder = RunFolder(run)
    asked = read_efficacy(folder)
    evaluated = read_evaluations(folder)
    if not asked and len(evaluated) < AT_LEAST:
        advice = "run test-qa-efficacy.py CFG --checkpoints --all first"
        raise UserError(f"{run}: no efficacy measured; {advice}")
    return [*asked, *evaluated]


def _draw(panels: Sequence[Axes], name: str, entries: Sequence[Efficacy], **look: Any) -> None:
    """A marker for each measurement, with its interval; three or more are joined."""
    known = any(entry.trained_on for entry in entries)
    kind = "questions, from the training data" if known else "questions"
    look["linestyle"] = "-" if len(entries) >= CURVE else "none"
    look["label"] = f"{name}: {asked_in_words(entries)} {kind}"
    for axes, measure in zip(panels, UNITS, strict=True):
        draw_measured(axes, entries, measure, **look)


def draw_measured(axes: Axes, entries: Sequence[Efficacy], name: str, **look: Any) -> None:
    """EM or F1 by step, each with its interval. name: `exact_match` or `f1`."""
    values = np.array([getattr(entry, name) for entry in entries])
    intervals = np.array([getattr(entry, f"{name}_interval") for entry in entries])
    spread = np.clip([values - intervals[:, 0], intervals[:, 1] - values], 0, None)
    axes.errorbar([entry.step for entry in entries], values, spread, capsize=3, **look)


def asked_in_words(entries: Sequence[Efficacy]) -> str:
    """How many questions were asked, in words."""
    asked = sorted({entry.asked for entry in entries})
    return f"{asked[0]}" if len(asked) == 1 else f"{asked[0]} to {asked[-1]}"
