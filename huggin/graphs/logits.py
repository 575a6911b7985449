"""Recording -> figures of a tracked sample: its logits by token at three probes, its losses by step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.analysis.learning import when_learned
from huggin.common.text import short
from huggin.common.window import Window
from huggin.graphs.runs import Beside, figure_name, same_sample, side_by_side
from huggin.graphs.style import (
    ACCENT,
    END,
    START,
    by_step,
    dots,
    legend_above,
    new_figure,
    say_not_finite,
)
from huggin.graphs.tokens import Shown, same_scale, token_figure
from huggin.recording.reader import Probes, Recording


def draw_logits(*runs: Recording, sample: int = 0) -> dict[str, Figure]:
    """`logits` and `sample-losses` of one tracked sample. Raises UserError where the runs track another question."""
    windows = same_sample(runs, sample)
    beside = side_by_side(runs)
    probes = [run.probes(sample) for run in runs]
    figures = {
        "logits": _logits(beside, windows, probes),
        "sample-losses": _losses(beside, windows, probes),
    }
    return {figure_name(name, runs, sample): figure for name, figure in figures.items()}


def _logits(
    beside: Sequence[Beside], windows: Sequence[Window], probes: Sequence[Probes]
) -> Figure:
    figure, parts = token_figure(
        "Logits of the tracked sample by token",
        [Shown(window) for window in windows],
        beside,
        rows=2,
        height=6,
    )
    for views, seen in zip(parts, probes, strict=True):
        for view, panels in views:
            _draw_probes(panels[0], seen.step, seen.start_logits, START, view)
            _draw_probes(panels[1], seen.step, seen.end_logits, END, view)
        for row, name in enumerate(("start", "end")):
            views[0][1][row].set_ylabel(f"{name} logit")
            legend_above(views[-1][1][row])
    same_scale(parts)
    return figure


def _draw_probes(
    axes: Axes, step: np.ndarray, logits: np.ndarray, colour: str, view: range
) -> None:
    """A line for the first, the middle and the last probe over the tokens of `view`."""
    places = sorted({0, len(logits) // 2, len(logits) - 1})
    for place, alpha in zip(places, np.linspace(0.3, 1, len(places)), strict=True):
        look: dict[str, Any] = {
            "color": colour,
            "alpha": alpha,
            "linewidth": 0.6 + alpha,
            "marker": dots(len(view)),
        }
        axes.plot(view, logits[place, view.start : view.stop], label=f"step {step[place]}", **look)
    say_not_finite(axes, logits[places, view.start : view.stop])


def _losses(
    beside: Sequence[Beside], windows: Sequence[Window], probes: Sequence[Probes]
) -> Figure:
    figure = new_figure(7, 5, "Loss of the tracked sample by step")
    axes = figure.subplots()
    axes.set_title(short(windows[0].question))
    for run, window, seen in zip(beside, windows, probes, strict=True):
        _draw_run(axes, run, seen, when_learned(seen, window).right_since)
    axes.set_ylim(bottom=0)
    axes.legend()
    say_not_finite(
        axes,
        np.concatenate([values for seen in probes for values in (seen.start_loss, seen.end_loss)]),
    )
    by_step(axes, "loss (cross-entropy, nats)")
    if len(beside) > 1:
        axes.set_xlabel(
            "step (solid: start loss; dashed: end loss; dotted: answered right from there on)"
        )
    return figure


def _draw_run(axes: Axes, run: Beside, probes: Probes, since: int | None) -> None:
    """The start's and the end's loss, told apart by colour in one run, by the line's style among several."""
    marker = dots(len(probes.step))
    start, end, right = (run.colour,) * 3 if run.name else (START, END, ACCENT)
    first, *others = (
        [run.name, None, None]
        if run.name
        else ["start loss", "end loss", "answered right from step"]
    )
    axes.plot(probes.step, probes.start_loss, color=start, marker=marker, label=first)
    axes.plot(
        probes.step, probes.end_loss, color=end, marker=marker, linestyle="--", label=others[0]
    )
    if since is not None:
        axes.axvline(
            since, color=right, linestyle=":", label=others[1] and f"{others[1]} {since} on"
        )
