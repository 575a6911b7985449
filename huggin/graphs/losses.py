"""Recording -> figure of the training loss by step, with an exponential fit and the learning rate beneath."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.graphs.output import END, GOLD, QUIET, START, by_step, new_figure, tidy
from huggin.graphs.runs import Beside, figure_name, side_by_side
from huggin.learning import fit_exponential, running_mean
from huggin.recording import Recording, Steps


def draw_losses(*runs: Recording) -> dict[str, Figure]:
    """`losses`: loss and learning rate by step; of several runs the running means."""
    figure = new_figure(7, 5, "Training loss by step")
    loss_axes, rate_axes = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    beside = side_by_side(runs)
    if len(beside) == 1:
        _draw_loss(loss_axes, runs[0].steps)
    else:
        _draw_means(loss_axes, beside)
    for run in beside:
        colour = run.colour if run.name else GOLD
        rate_axes.plot(run.recording.steps.step, run.recording.steps.learning_rate, color=colour, linewidth=1.2)
    rate_axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    by_step(rate_axes, "learning rate")
    return {figure_name("losses", runs): figure}


def _draw_means(axes: Axes, beside: Sequence[Beside]) -> None:
    """Each run's running mean over its batches, which stand behind it as a haze."""
    for run in beside:
        steps, window = run.recording.steps, mean_window(run.recording.steps)
        axes.plot(steps.step, steps.loss, color=run.colour, linewidth=0.5, alpha=0.25)
        label = f"{run.name}, mean of {window} steps"
        axes.plot(steps.step, running_mean(steps.loss, window), color=run.colour, label=label)
    axes.legend(fontsize=8, frameon=False)
    tidy(axes, "", "loss (cross-entropy, nats)")


def mean_window(steps: Steps) -> int:
    """How many steps the running mean is over: odd, so that it stands in their middle."""
    return len(steps.step) // 80 * 2 + 1


def _draw_loss(axes: Axes, steps: Steps) -> None:
    window = mean_window(steps)
    marker = "." if len(steps.step) < 60 else ""
    axes.plot(steps.step, steps.loss, color=QUIET, linewidth=0.7, alpha=0.7, marker=marker, label="each batch")
    if window > 1:
        axes.plot(steps.step, running_mean(steps.loss, window), color=START, label=f"mean of {window} steps")
    fit = fit_exponential(steps.step, steps.loss)
    if fit:
        label = f"{fit.floor:.2f} + {fit.height:.2f} exp(-step / {fit.decay:.0f}), R² {fit.explained:.2f}"
        axes.plot(steps.step, fit.at(steps.step), color=END, linestyle="--", linewidth=1.5, label=label)
    broken = steps.step[1:][~np.isfinite(steps.loss[1:])]
    if len(broken):
        axes.plot(broken, np.zeros(len(broken)), "x", color=END, label=f"{len(broken)} steps not finite")
    axes.legend(fontsize=8, frameon=False)
    tidy(axes, "", "loss (cross-entropy, nats)")
