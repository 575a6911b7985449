"""Loss, learning rate, EM and F1 by step: of the training, and of the questions that were asked."""

from collections.abc import Sequence
from itertools import cycle, groupby
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.analysis.learning import running_mean, validation_in_words, with_loss
from huggin.analysis.losses import Spike, fit_exponential, schedule_changes
from huggin.graphs.palette import ASKED, INK, QUIET, RUNS, SERIES
from huggin.graphs.runs import Beside, figure_name, side_by_side
from huggin.graphs.style import by_step, dots, new_figure
from huggin.recording.reader import Recording, Steps
from huggin.recording.results import AT_LEAST, Efficacy, measured, read_evaluations
from huggin.recording.run_folder import RunFolder

NAMED = 5  # spikes with their step beside them
MEANS = 40  # non-overlapping windows of the running mean that a whole run has room for
TITLE = 84  # characters of a title's line
MARKERS = "osD^"  # one for each data
CURVE = 3  # points from which on a line joins them
UNITS = {"exact_match": "exact match in %", "f1": "F1 in %"}


def draw_losses(*runs: Recording, spikes: Sequence[Spike] = ()) -> dict[str, Figure]:
    """`losses`: loss and learning rate by step; of several runs the running means.

    If a run was evaluated on the way, the loss of the validation questions stands beside that of
    the training, and a panel between them has their EM and F1. spikes: of a single run, marked.
    """
    besides = side_by_side(runs)
    evaluations = [read_evaluations(run.recording.run) for run in besides]
    has_scores = max(map(len, evaluations)) >= AT_LEAST
    title = _title(runs[0].steps) if len(runs) == 1 else "Training loss by step"
    figure = new_figure(7, 6.5 if has_scores else 5, title)
    heights = [3, 1.4, 1] if has_scores else [3, 1]
    loss_axes, *score_axes, rate_axes = figure.subplots(
        len(heights), 1, sharex=True, height_ratios=heights
    )
    for run, scores in zip(besides, evaluations, strict=True):
        steps = run.recording.steps
        if score_axes and len(scores) >= AT_LEAST:
            _draw_validation(loss_axes, score_axes[0], run, scores)
        _draw_loss(loss_axes, run, steps)
        colour = run.colour
        rate_axes.plot(steps.step, steps.learning_rate, color=colour, linewidth=1.2)
        _mark_resumes([loss_axes, *score_axes, rate_axes], run)
        for step in schedule_changes(run.recording):
            label = f"{run.called}another schedule from step {step:,} on"
            for axes in (loss_axes, rate_axes):
                axes.axvline(step, color=colour, linestyle=":", label=label)
    if spikes:
        points = [(spike.step, spike.loss) for spike in spikes]
        look: Any = {"color": INK, "markersize": 5, "label": f"stands out ({len(spikes)})"}
        loss_axes.plot(*zip(*points, strict=True), "v", **look)
        for point in points[:NAMED]:
            look = {"textcoords": "offset points", "fontsize": 8}
            loss_axes.annotate(f"{point[0]:,}", point, (4, 2), **look)
    loss_axes.legend()
    loss_axes.set_ylabel("loss (cross-entropy, nats)")
    rate_axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    by_step(rate_axes, "learning rate")
    return {figure_name("losses", runs): figure}


def _title(steps: Steps) -> str:
    """From where to where the loss went."""
    known = np.flatnonzero(np.isfinite(steps.loss))
    if len(known) < 2:
        return "Training loss by step"
    mean = running_mean(steps.loss[known], window_of(len(steps.step)))
    return f"Training loss: {mean[0]:.3g} at the beginning, {mean[-1]:.3g} at the end"


def window_of(steps: int) -> int:
    """Steps of a running mean: odd, so that each mean has a middle."""
    return steps // (2 * MEANS) * 2 + 1


def _mark_resumes(panels: Sequence[Axes], run: Beside) -> None:
    """A dotted line at each step from which on a training was resumed."""
    steps = [step for step, _ in run.recording.run.segments("steps")][1:]
    label = f"{run.called}resumed at step {', '.join(f'{step:,}' for step in steps)}"
    for axes in panels:
        for step in steps:
            axes.axvline(step, color=QUIET, linestyle="-.", linewidth=1, label=label)
            label = "_"  # one entry in the legend


def _draw_validation(
    loss_axes: Axes, score_axes: Axes, run: Beside, evaluations: Sequence[Efficacy]
) -> None:
    """The validation questions' loss, EM and F1, each evaluation with its 95 % interval."""
    measured = with_loss(evaluations)
    look: Any = {"color": run.colour if run.name else ASKED, "marker": "o", "markersize": 4}
    look["label"] = f"{run.called}validation, {_asked_in_words(evaluations)} questions"
    loss_axes.errorbar(
        [entry.step for entry, _ in measured],
        [loss for _, loss in measured],
        [entry.loss_spread for entry, _ in measured],
        capsize=3,
        zorder=3,
        **look,
    )
    looks = {"exact_match": ("EM", "-"), "f1": ("F1", "--")}
    for kind, (name, line) in looks.items():
        look = {"color": run.colour if run.name else ASKED, "linestyle": line, "marker": "."}
        look["label"] = f"{run.called}{name} (validation)"
        _draw_measured(score_axes, evaluations, kind, **look)
    if not run.name:
        loss_axes.set_title(fill(validation_in_words(evaluations), TITLE))
    score_axes.set_ylim(-2, 102)
    score_axes.set_ylabel("EM, F1 in %")
    score_axes.legend()


def _draw_loss(axes: Axes, run: Beside, steps: Steps) -> None:
    """The running mean, with the loss of each batch behind it; of a single run also its fit."""
    window = window_of(len(steps.step))
    mean = running_mean(steps.loss, window)
    label = f"mean of {window} steps"
    if run.name:
        label = f"{run.name}, {label}" if window > 1 else run.name
        axes.plot(steps.step, steps.loss, color=run.colour, linewidth=0.5, alpha=0.25)
        axes.plot(steps.step, mean, color=run.colour, label=label)
        return
    like = " (windows of similar length)" * run.recording.facts.has_like_lengths
    look: Any = {"color": QUIET, "linewidth": 0.7, "alpha": 0.7, "marker": dots(len(steps.step))}
    axes.plot(steps.step, steps.loss, label=f"each batch{like}", **look)
    if window > 1:
        axes.plot(steps.step, mean, color=INK, label=label)
    if fit := fit_exponential(steps.step, steps.loss):
        formula = f"{fit.floor:.2f} + {fit.height:.2f} exp(-step / {fit.decay:.0f})"
        look = {"color": SERIES[0], "linestyle": "--", "linewidth": 1.5}
        label = f"{formula}, R² {fit.explained:.2f}"
        axes.plot(steps.step, fit.at(steps.step), label=label, **look)
    broken = steps.step[1:][~np.isfinite(steps.loss[1:])]
    if len(broken):
        label = f"{len(broken)} steps not finite"
        axes.plot(broken, np.zeros(len(broken)), "x", color=INK, label=label)


def draw_efficacy(runs: Sequence[Path]) -> dict[str, Figure]:
    """`efficacy`: a panel for EM and one for F1.

    It shows what test-qa-efficacy.py measured and the evaluations during the training, three or
    more of them joined. Raises UserError for a run of which nothing was measured.
    """
    figure = new_figure(7, 6, "Efficacy by step, with 95 % intervals")
    panels = figure.subplots(2, 1, sharex=True)
    for run, colour in zip(runs, RUNS):
        by_data = groupby(measured(RunFolder(run)), key=lambda entry: entry.data)
        for (data, some), marker in zip(by_data, cycle(MARKERS)):
            entries = list(some)
            known = any(entry.trained_on for entry in entries)
            kind = "questions, from the training data" if known else "questions"
            label = f"{run}, {data}: {_asked_in_words(entries)} {kind}"
            line = "-" if len(entries) >= CURVE else "none"
            look: Any = {"color": colour, "marker": marker, "linestyle": line, "label": label}
            for axes, measure in zip(panels, UNITS, strict=True):
                _draw_measured(axes, entries, measure, **look)
    for axes, unit in zip(panels, UNITS.values(), strict=True):
        axes.set_ylim(-2, 102)
        by_step(axes, unit)
    panels[0].set_xlabel("")
    panels[0].set_xlim(left=0, right=1.05 * max(panels[0].get_xlim()[1], 1))
    panels[1].legend()
    return {"efficacy": figure}


def _draw_measured(axes: Axes, entries: Sequence[Efficacy], name: str, **look: Any) -> None:
    """EM or F1 by step, each with its interval. name: `exact_match` or `f1`."""
    values = np.array([getattr(entry, name) for entry in entries])
    intervals = np.array([getattr(entry, f"{name}_interval") for entry in entries])
    spread = np.clip([values - intervals[:, 0], intervals[:, 1] - values], 0, None)
    axes.errorbar([entry.step for entry in entries], values, spread, capsize=3, **look)


def _asked_in_words(entries: Sequence[Efficacy]) -> str:
    """How many questions were asked, in words."""
    asked = sorted({entry.asked for entry in entries})
    return f"{asked[0]}" if len(asked) == 1 else f"{asked[0]} to {asked[-1]}"
