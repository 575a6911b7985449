"""Recording -> the training loss by step with an exponential fit, and the learning rate."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.analysis.learning import running_mean, validation_in_words, with_loss
from huggin.analysis.losses import Spike, fit_exponential, schedule_changes
from huggin.common.statistics import Z
from huggin.graphs.efficacy import AT_LEAST, asked_in_words, draw_measured
from huggin.graphs.runs import Beside, figure_name, side_by_side
from huggin.graphs.style import ACCENT, END, GOLD, QUIET, START, by_step, dots, new_figure
from huggin.recording.reader import Recording, Steps
from huggin.recording.results import Efficacy, read_evaluations

NAMED = 5  # spikes with their step beside them
MEANS = 40  # non-overlapping windows of the running mean that a whole run has room for
TITLE = 84  # characters of a title's line


def draw_losses(*runs: Recording, spikes: Sequence[Spike] = ()) -> dict[str, Figure]:
    """`losses`: loss and learning rate by step; of several runs the running means.

    If a run was evaluated on the way, the loss of the validation questions stands beside that of
    the training, and a panel between them has their EM and F1. spikes: of a single run, marked.
    """
    besides = side_by_side(runs)
    evaluations = [read_evaluations(run.recording.run) for run in besides]
    has_scores = max(map(len, evaluations)) >= AT_LEAST
    figure = new_figure(7, 6.5 if has_scores else 5, "Training loss by step")
    heights = [3, 1.4, 1] if has_scores else [3, 1]
    loss_axes, *score_axes, rate_axes = figure.subplots(
        len(heights), 1, sharex=True, height_ratios=heights
    )
    for run, scores in zip(besides, evaluations, strict=True):
        steps = run.recording.steps
        if score_axes and len(scores) >= AT_LEAST:
            _draw_validation(loss_axes, score_axes[0], run, scores)
        if run.name:
            _draw_mean(loss_axes, run, steps)
        else:
            like = " (windows of similar length)" * run.recording.facts.has_like_lengths
            _draw_loss(loss_axes, steps, f"each batch{like}")
        colour = run.colour if run.name else GOLD
        rate_axes.plot(steps.step, steps.learning_rate, color=colour, linewidth=1.2)
        _mark_schedules((loss_axes, rate_axes), run, colour)
    if spikes:
        _mark_spikes(loss_axes, spikes)
    loss_axes.legend()
    loss_axes.set_ylabel("loss (cross-entropy, nats)")
    rate_axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    by_step(rate_axes, "learning rate")
    return {figure_name("losses", runs): figure}


def _mark_spikes(axes: Axes, spikes: Sequence[Spike]) -> None:
    """A triangle at each loss that stands out, the step beside the first ones."""
    points = [(spike.step, spike.loss) for spike in spikes]
    label = f"stands out ({len(spikes)})"
    axes.plot(*zip(*points, strict=True), "v", color="black", markersize=5, label=label)
    for step, loss in points[:NAMED]:
        axes.annotate(str(step), (step, loss), (4, 2), textcoords="offset points", fontsize=8)


def _mark_schedules(panels: Sequence[Axes], run: Beside, colour: str) -> None:
    """Mark where a training went on for another number of steps than it was begun for."""
    for step in schedule_changes(run.recording):
        label = f"{run.name}, " * bool(run.name) + f"another schedule from step {step} on"
        for axes in panels:
            axes.axvline(step, color=colour, linestyle=":", label=label)


def _draw_validation(
    loss_axes: Axes, score_axes: Axes, run: Beside, evaluations: Sequence[Efficacy]
) -> None:
    """The validation questions' loss, EM and F1, each evaluation with its 95 % interval."""
    name = f"{run.name}, " * bool(run.name)
    measured = with_loss(evaluations)
    loss_axes.errorbar(
        [entry.step for entry, _ in measured],
        [loss for _, loss in measured],
        [Z * entry.loss_error for entry, _ in measured],
        color=run.colour if run.name else ACCENT,
        marker="o",
        markersize=4,
        capsize=3,
        label=f"{name}validation, {asked_in_words(evaluations)} questions",
        zorder=3,
    )
    looks = {"exact_match": ("EM", GOLD, "-"), "f1": ("F1", START, "--")}
    for kind, (label, colour, line) in looks.items():
        look = {"color": run.colour if run.name else colour, "linestyle": line}
        draw_measured(
            score_axes, evaluations, kind, marker=".", label=f"{name}{label} (validation)", **look
        )
    if not run.name:
        loss_axes.set_title(fill(validation_in_words(evaluations), TITLE))
    score_axes.set_ylim(-2, 102)
    score_axes.set_ylabel("EM, F1 in %")
    score_axes.legend()


def _window(steps: Steps) -> int:
    """Over how many steps the running mean is: an odd number, so that each mean has a middle."""
    return len(steps.step) // (2 * MEANS) * 2 + 1


def _draw_mean(axes: Axes, run: Beside, steps: Steps) -> None:
    """The running mean of one of several runs; the loss of each batch stands behind it, faint."""
    window = _window(steps)
    label = f"{run.name}, mean of {window} steps" if window > 1 else run.name
    axes.plot(steps.step, steps.loss, color=run.colour, linewidth=0.5, alpha=0.25)
    axes.plot(steps.step, running_mean(steps.loss, window), color=run.colour, label=label)


def _draw_loss(axes: Axes, steps: Steps, batch: str) -> None:
    """The loss of each batch of a single run, its running mean and its fit."""
    window = _window(steps)
    axes.plot(
        steps.step,
        steps.loss,
        color=QUIET,
        linewidth=0.7,
        alpha=0.7,
        marker=dots(len(steps.step)),
        label=batch,
    )
    if window > 1:
        mean = running_mean(steps.loss, window)
        axes.plot(steps.step, mean, color=START, label=f"mean of {window} steps")
    _draw_fit(axes, steps)
    broken = steps.step[1:][~np.isfinite(steps.loss[1:])]
    if len(broken):
        label = f"{len(broken)} steps not finite"
        axes.plot(broken, np.zeros(len(broken)), "x", color=END, label=label)


def _draw_fit(axes: Axes, steps: Steps) -> None:
    """The exponential that fits the loss, if one does."""
    fit = fit_exponential(steps.step, steps.loss)
    if fit is None:
        return
    formula = f"{fit.floor:.2f} + {fit.height:.2f} exp(-step / {fit.decay:.0f})"
    label = f"{formula}, R² {fit.explained:.2f}"
    curve = fit.at(steps.step)
    axes.plot(steps.step, curve, color=END, linestyle="--", linewidth=1.5, label=label)
