"""Recording -> how a tracked sample was learned: its logits as heat maps, token by step."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.analysis.learning import Learned, when_learned
from huggin.common.window import Window
from huggin.graphs.logits import with_last_answer
from huggin.graphs.runs import figure_name, same_sample, side_by_side
from huggin.graphs.style import ACCENT, GOLD, legend_above
from huggin.graphs.tokens import View, in_lines, token_figure
from huggin.recording.reader import Probes, Recording

NAMES = ("start", "end")


def draw_logits_over_time(*runs: Recording, sample: int = 0) -> dict[str, Figure]:
    """`logits-over-time`: start and end logits, token by step, on one colour scale for all runs.

    Lines mark the true answer; dots mark the predicted span. Raises UserError if the runs track
    different questions.
    """
    windows = same_sample(runs, sample)
    probes = [run.probes(sample) for run in runs]
    shown = [with_last_answer(*each) for each in zip(windows, probes, strict=True)]
    title = "Logits of the tracked sample by token and step"
    figure, parts = token_figure(title, shown, side_by_side(runs), rows=2, height=7)
    size = _largest(probes)
    for window, seen, views in zip(windows, probes, parts, strict=True):
        _draw_map(views, 0, seen, size)
        _draw_map(views, 1, seen, size)
        _draw_lines(views, window, when_learned(seen, window))
        _make_room_for_legend(views)
    return {figure_name("logits-over-time", runs, sample): figure}


def _largest(probes: Sequence[Probes]) -> float:
    """The largest size of a finite logit of all runs, but not 0."""
    logits = [np.ravel([seen.start_logits, seen.end_logits]) for seen in probes]
    values = np.concatenate(logits)
    return float(np.abs(values[np.isfinite(values)]).max(initial=1e-6))


def _draw_map(views: Sequence[View], row: int, probes: Probes, size: float) -> None:
    """The start logits (row 0) or end logits (row 1) as a heat map, time downwards.

    A dot marks the predicted token at each probe. size: the logit with the darkest colour.
    """
    logits = (probes.start_logits, probes.end_logits)[row]
    predicted = (probes.predicted_start, probes.predicted_end)[row]
    chosen = np.where(predicted < 0, np.nan, predicted)
    edges = step_edges(probes.step)
    for view in views:
        axes = view.panels[row]
        tokens = np.arange(view.tokens.start, view.tokens.stop + 1) - 0.5
        colours = axes.pcolormesh(
            tokens, edges, view.cut(logits), cmap="RdBu_r", vmin=-size, vmax=size, rasterized=True
        )
        label = "the model's answer"
        axes.plot(chosen, probes.step, ".", color="black", markersize=2.5, label=label)
        axes.set_xlim(tokens[0], tokens[-1])
        axes.set_ylim(edges[-1], edges[0])
    name = NAMES[row]
    panels = [view.panels[row] for view in views]
    panels[0].set_ylabel(f"step ({name} logits)")
    panels[0].figure.colorbar(colours, ax=panels, label=f"{name} logit", pad=0.01)


def _draw_lines(views: Sequence[View], window: Window, learned: Learned) -> None:
    """Draw the lines of `_trace` into all panels."""
    for view in views:
        for axes in view.panels:
            _trace(axes, window, learned)


def _trace(axes: Axes, window: Window, learned: Learned) -> None:
    """Lines at the true answer's ends, at the first step with a right answer, and at each flip."""
    if window.has_answer:
        axes.axvline(window.gold_start - 0.5, color=GOLD, linewidth=1.2, label="the true answer")
        axes.axvline(window.gold_end + 0.5, color=GOLD, linewidth=1.2)
    first = learned.first_right
    if first is not None:
        axes.axhline(first, color=ACCENT, label=f"first right at step {first}")
    later = [step for step in learned.flips if step != first]
    for number, step in enumerate(later):
        label = f"later turns: {len(later)}" if number == 0 else None
        axes.axhline(step, color=ACCENT, linewidth=0.8, linestyle=":", label=label)


def _make_room_for_legend(views: Sequence[View]) -> None:
    """Put the legend above the maps, and the question above the legend."""
    legend_above(views[-1].panels[0], rows=2)
    question = views[0].panels[0]
    question.set_title(question.get_title(loc="left") + "\n\n")
    for view in views:
        names = view.panels[-1]
        text = names.get_xlabel().replace("shaded:", "between the green lines:")
        text = text.replace("underlined:", "black dots at the end:")
        names.set_xlabel(in_lines(text, view.tokens))


def step_edges(step: np.ndarray) -> np.ndarray:
    """Row edges of the heat map, (probes + 1,): each row is centred on its probe's step."""
    middles = (step[1:] + step[:-1]) / 2
    if len(middles) == 0:
        return np.array([step[0] - 0.5, step[0] + 0.5])
    first = 2 * step[0] - middles[0]
    last = 2 * step[-1] - middles[-1]
    return np.concatenate([[first], middles, [last]])
