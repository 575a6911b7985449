"""Recording -> how a tracked sample was learned: its logits as heat maps, token by step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.analysis.learning import Learned, when_learned
from huggin.common.window import Window
from huggin.graphs.runs import figure_name, same_sample, side_by_side
from huggin.graphs.style import ACCENT, GOLD, legend_above
from huggin.graphs.tokens import Shown, View, token_figure
from huggin.recording.reader import Probes, Recording


def draw_logits_over_time(*runs: Recording, sample: int = 0) -> dict[str, Figure]:
    """`logits-over-time`: start and end logits, token by step, one scale of colours for all runs.

    Traced are the gold span and the predicted one. Raises UserError where the runs track another question.
    """
    windows = same_sample(runs, sample)
    probes = [run.probes(sample) for run in runs]
    shown = [Shown(window) for window in windows]
    title = "Logits of the tracked sample by token and step"
    figure, parts = token_figure(title, shown, side_by_side(runs), rows=2, height=7)
    values = np.concatenate([np.ravel([seen.start_logits, seen.end_logits]) for seen in probes])
    size = float(np.abs(values[np.isfinite(values)]).max(initial=1e-6))
    for window, seen, views in zip(windows, probes, parts, strict=True):
        learned = when_learned(seen, window)
        _draw_map(views, 0, seen, seen.start_logits, seen.predicted_start, size)
        _draw_map(views, 1, seen, seen.end_logits, seen.predicted_end, size)
        for _, panels in views:
            for axes in panels:
                _trace(axes, window, learned)
        legend_above(views[-1][1][0], rows=2)
        question = views[0][1][0]
        question.set_title(question.get_title(loc="left") + "\n\n")
        names = views[-1][1][-1]
        names.set_xlabel(names.get_xlabel().replace("shaded:", "between the green lines:"))
    return {figure_name("logits-over-time", runs, sample): figure}


def _draw_map(
    views: Sequence[View],
    row: int,
    probes: Probes,
    logits: np.ndarray,
    predicted: np.ndarray,
    size: float,
) -> None:
    """One row of panels: logits (probes, tokens), time downwards, and the predicted token (probes,) at each probe."""
    edges = step_edges(probes.step)
    look: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -size, "vmax": size, "rasterized": True}
    for view, panels in views:
        axes = panels[row]
        tokens = np.arange(view.start, view.stop + 1) - 0.5
        colours = axes.pcolormesh(tokens, edges, logits[:, view.start : view.stop], **look)
        chosen = np.where(predicted < 0, np.nan, predicted)
        axes.plot(
            chosen, probes.step, ".", color="black", markersize=2.5, label="the model's answer"
        )
        axes.set_xlim(view.start - 0.5, view.stop - 0.5)
        axes.set_ylim(edges[-1], edges[0])
    name = ("start", "end")[row]
    views[0][1][row].set_ylabel(f"step ({name} logits)")
    axes.figure.colorbar(
        colours, ax=[panels[row] for _, panels in views], label=f"{name} logit", pad=0.01
    )


def _trace(axes: Axes, window: Window, learned: Learned) -> None:
    """The gold span as two lines, the step where the answer was first right, and each where it flipped."""
    if window.has_answer:
        axes.axvline(window.gold_start - 0.5, color=GOLD, linewidth=1.2, label="the gold answer")
        axes.axvline(window.gold_end + 0.5, color=GOLD, linewidth=1.2)
    if learned.first_right is not None:
        axes.axhline(
            learned.first_right, color=ACCENT, label=f"first right at step {learned.first_right}"
        )
    later = [step for step in learned.flips if step != learned.first_right]
    for number, step in enumerate(later):
        label = f"later turns: {len(later)}" if number == 0 else None
        axes.axhline(step, color=ACCENT, linewidth=0.8, linestyle=":", label=label)


def step_edges(step: np.ndarray) -> np.ndarray:
    """Where the rows of a map begin and end, so that each probe's is around its step, (probes + 1,)."""
    middles = (step[1:] + step[:-1]) / 2
    first, last = (middles[0], middles[-1]) if len(middles) else (step[0] + 0.5, step[0] - 0.5)
    return np.concatenate([[2 * step[0] - first], middles, [2 * step[-1] - last]])
