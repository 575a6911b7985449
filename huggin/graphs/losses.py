"""Recording -> figure of the training loss by step, with an exponential fit and the learning rate beneath."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.graphs.output import END, GOLD, QUIET, START, by_step, new_figure, tidy
from huggin.learning import fit_exponential, running_mean
from huggin.recording import Recording, Steps


def draw_losses(recording: Recording) -> dict[str, Figure]:
    """`losses`: loss and learning rate by step."""
    steps = recording.steps
    figure = new_figure(7, 5, "Training loss by step")
    loss_axes, rate_axes = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    _draw_loss(loss_axes, steps)
    rate_axes.plot(steps.step, steps.learning_rate, color=GOLD, linewidth=1.2)
    rate_axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    by_step(rate_axes, "learning rate")
    return {"losses": figure}


def _draw_loss(axes: Axes, steps: Steps) -> None:
    window = len(steps.step) // 80 * 2 + 1  # odd, so that the mean stands in its middle
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
