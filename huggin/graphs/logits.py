"""Recording -> figures of a tracked sample: its logits by token at three probes, its losses by step."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.graphs.output import ACCENT, END, START, by_step, legend_above, new_figure, say_not_finite, tidy
from huggin.graphs.tokens import marker_for, name_question, token_figure
from huggin.learning import right_since
from huggin.recording import Probes, Recording


def draw_logits(recording: Recording, sample: int = 0) -> dict[str, Figure]:
    """`logits` and `sample-losses` of one tracked sample."""
    facts, probes = recording.facts["samples"][sample], recording.probes(sample)
    return {"logits": _logits(facts, probes), "sample-losses": _losses(facts, probes)}


def _logits(facts: dict[str, Any], probes: Probes) -> Figure:
    figure, views = token_figure("Logits of the tracked sample by token", facts, rows=2, height=6)
    for view, panels in views:
        _draw_probes(panels[0], probes.step, probes.start_logits, START, view)
        _draw_probes(panels[1], probes.step, probes.end_logits, END, view)
    for row, name in enumerate(("start", "end")):
        views[0][1][row].set_ylabel(f"{name} logit")
        legend_above(views[-1][1][row])
    return figure


def _draw_probes(axes: Axes, step: np.ndarray, logits: np.ndarray, colour: str, view: range) -> None:
    """A line for the first, the middle and the last probe over the tokens of `view`."""
    places = sorted({0, len(logits) // 2, len(logits) - 1})
    for place, alpha in zip(places, np.linspace(0.3, 1, len(places)), strict=True):
        look: dict[str, Any] = {"color": colour, "alpha": alpha, "linewidth": 0.6 + alpha, "marker": marker_for(view)}
        axes.plot(view, logits[place, view.start : view.stop], label=f"step {step[place]}", **look)
    say_not_finite(axes, logits[places, view.start : view.stop])
    tidy(axes, axes.get_xlabel(), "")


def _losses(facts: dict[str, Any], probes: Probes) -> Figure:
    figure = new_figure(7, 5, "Loss of the tracked sample by step")
    axes = figure.subplots()
    name_question(axes, facts["question"])
    marker = "." if len(probes.step) < 60 else ""
    axes.plot(probes.step, probes.start_loss, color=START, marker=marker, label="start loss")
    axes.plot(probes.step, probes.end_loss, color=END, marker=marker, linestyle="--", label="end loss")
    since = right_since(probes, facts["gold_start"], facts["gold_end"]) if facts["gold_end"] else None
    if since is not None:
        axes.axvline(since, color=ACCENT, linestyle=":", label=f"answered right from step {since} on")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, frameon=False)
    say_not_finite(axes, np.concatenate([probes.start_loss, probes.end_loss]))
    by_step(axes, "loss (cross-entropy, nats)")
    return figure
