"""Recording -> a tracked sample's logits by token at three probes, and its losses by step."""

from collections.abc import Sequence

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
from huggin.graphs.tokens import Shown, View, same_scale, token_figure
from huggin.recording.reader import Probes, Recording

FAINTEST = 0.3  # opacity of the first probe's line
ROOM = 0.12  # margin above and below the losses, as a share of their range


def draw_logits(*runs: Recording, sample: int = 0) -> dict[str, Figure]:
    """`logits` and `sample-losses` of a tracked sample.

    Raises UserError if the runs track different questions.
    """
    windows = same_sample(runs, sample)
    beside = side_by_side(runs)
    probes = [run.probes(sample) for run in runs]
    figures = {
        "logits": _logits(beside, windows, probes),
        "sample-losses": _losses(beside, windows, probes),
    }
    return {figure_name(name, runs, sample): figure for name, figure in figures.items()}


def with_last_answer(window: Window, probes: Probes) -> Shown:
    """A window with the span that the model predicted at the last probe."""
    start = int(probes.predicted_start[-1])
    end = int(probes.predicted_end[-1])
    return Shown(window, has_prediction=True, start=start, end=end)


def _logits(
    beside: Sequence[Beside], windows: Sequence[Window], probes: Sequence[Probes]
) -> Figure:
    title = "Logits of the tracked sample by token"
    shown = [with_last_answer(*each) for each in zip(windows, probes, strict=True)]
    figure, parts = token_figure(title, shown, beside, rows=2, height=6)
    for views, seen in zip(parts, probes, strict=True):
        for view in views:
            _draw_probes(view, 0, seen.step, seen.start_logits, START)
            _draw_probes(view, 1, seen.step, seen.end_logits, END)
        for row, name in enumerate(("start", "end")):
            views[0].panels[row].set_ylabel(f"{name} logit")
            legend_above(views[-1].panels[row])
    same_scale(parts)
    return figure


def _draw_probes(view: View, row: int, step: np.ndarray, logits: np.ndarray, colour: str) -> None:
    """Draw a line for the first, the middle and the last probe. logits: (probes, tokens)."""
    axes = view.panels[row]
    places = sorted({0, len(logits) // 2, len(logits) - 1})
    opacities = np.linspace(FAINTEST, 1, len(places))
    for place, opacity in zip(places, opacities, strict=True):
        axes.plot(
            view.tokens,
            view.cut(logits[place]),
            color=colour,
            alpha=opacity,
            linewidth=0.6 + opacity,
            marker=dots(len(view.tokens)),
            label=f"step {step[place]}",
        )
    say_not_finite(axes, view.cut(logits[places]))


def _losses(
    beside: Sequence[Beside], windows: Sequence[Window], probes: Sequence[Probes]
) -> Figure:
    figure = new_figure(7, 5, "Loss of the tracked sample by step")
    axes = figure.subplots()
    axes.set_title(short(windows[0].question))
    for run, window, seen in zip(beside, windows, probes, strict=True):
        since = when_learned(seen, window).right_since
        if run.name:
            _draw_in_colour(axes, run, seen, since)
        else:
            _draw_alone(axes, seen, since)
    axes.margins(y=ROOM)
    axes.legend()
    losses = [values for seen in probes for values in (seen.start_loss, seen.end_loss)]
    say_not_finite(axes, np.concatenate(losses))
    by_step(axes, "loss (cross-entropy, nats)")
    if len(beside) > 1:
        lines = "solid: start loss; dashed: end loss; dotted: answered right from there on"
        axes.set_xlabel(f"step ({lines})")
    return figure


def _draw_alone(axes: Axes, probes: Probes, since: int | None) -> None:
    """The losses of a single run; since: the step from which its answer is right."""
    marker = dots(len(probes.step))
    step = probes.step
    axes.plot(step, probes.start_loss, color=START, marker=marker, label="start loss")
    axes.plot(step, probes.end_loss, color=END, marker=marker, linestyle="--", label="end loss")
    if since is not None:
        label = f"answered right from step {since} on"
        axes.axvline(since, color=ACCENT, linestyle=":", label=label)


def _draw_in_colour(axes: Axes, run: Beside, probes: Probes, since: int | None) -> None:
    """Draw one of several runs: a solid line for the start loss, a dashed one for the end loss."""
    marker = dots(len(probes.step))
    axes.plot(probes.step, probes.start_loss, color=run.colour, marker=marker, label=run.name)
    axes.plot(probes.step, probes.end_loss, color=run.colour, marker=marker, linestyle="--")
    if since is not None:
        axes.axvline(since, color=run.colour, linestyle=":")
