"""Measured efficacy of runs -> figure of EM and F1 by step, with 95 % intervals."""

from collections.abc import Sequence
from itertools import cycle, groupby
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.common.errors import UserError
from huggin.graphs.runs import COLOURS
from huggin.graphs.style import by_step, new_figure
from huggin.recording.efficacy import Efficacy, read_efficacy
from huggin.recording.run_folder import RunFolder

MARKERS = "osD^"  # one for each data


def draw_efficacy(runs: Sequence[Path]) -> dict[str, Figure]:
    """`efficacy`: a panel for EM and one for F1. Raises UserError for a run of which nothing was measured."""
    figure = new_figure(7, 6, "Efficacy by step, with 95 % intervals")
    panels = figure.subplots(2, 1, sharex=True)
    for run, colour in zip(runs, cycle(COLOURS)):
        entries = read_efficacy(RunFolder(run))
        if not entries:
            raise UserError(
                f"{run}: no efficacy measured; run test-qa-efficacy.py CFG --checkpoints --all first"
            )
        for (data, group), marker in zip(
            groupby(entries, key=lambda entry: entry.data), cycle(MARKERS)
        ):
            _draw_run(panels, f"{run}, {data}", list(group), colour, marker)
    for axes, unit in zip(panels, ("exact match in %", "F1 in %")):
        axes.set_ylim(-2, 102)
        by_step(axes, unit)
    panels[0].set_xlabel("")
    panels[1].legend()
    return {"efficacy": figure}


def _draw_run(
    panels: Sequence[Axes], label: str, entries: list[Efficacy], colour: str, marker: str
) -> None:
    steps = [entry.step for entry in entries]
    asked = sorted({entry.asked for entry in entries})
    count = f"{asked[0]}" if len(asked) == 1 else f"{asked[0]} to {asked[-1]}"
    known = any(entry.trained_on for entry in entries)
    kind = "questions, from the training data" if known else "questions"
    for axes, name in zip(panels, ("exact_match", "f1")):
        values = np.array([getattr(entry, name) for entry in entries])
        low, high = np.array([getattr(entry, f"{name}_interval") for entry in entries]).T
        spread = np.clip([values - low, high - values], 0, None)
        axes.errorbar(
            steps,
            values,
            spread,
            color=colour,
            marker=marker,
            capsize=3,
            label=f"{label}: {count} {kind}",
        )
