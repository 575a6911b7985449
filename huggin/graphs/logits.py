"""Recording -> a tracked sample's logits by token: at three probes with its losses by step, and as
heat maps, token by step, which show how it was learned.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.analysis.learning import Learned, when_learned
from huggin.common.text import short
from huggin.common.window import Window
from huggin.graphs.runs import Beside, figure_name, same_sample, side_by_side
from huggin.graphs.style import (
    ACCENT,
    END,
    GOLD,
    START,
    by_step,
    dots,
    legend_above,
    new_figure,
    say_not_finite,
)
from huggin.graphs.tokens import Shown, View, in_lines, same_scale, token_figure
from huggin.recording.reader import Probes, Recording

FAINTEST = 0.3  # opacity of the first probe's line
ROOM = 0.12  # margin above and below the losses, as a share of their range
NAMES = ("start", "end")


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
        _draw_losses(axes, run, seen, since)
    axes.margins(y=ROOM)
    axes.legend()
    losses = [values for seen in probes for values in (seen.start_loss, seen.end_loss)]
    say_not_finite(axes, np.concatenate(losses))
    by_step(axes, "loss (cross-entropy, nats)")
    if len(beside) > 1:
        lines = "solid: start loss; dashed: end loss; dotted: answered right from there on"
        axes.set_xlabel(f"step ({lines})")
    return figure


def _draw_losses(axes: Axes, run: Beside, probes: Probes, since: int | None) -> None:
    """A solid line for the start loss, a dashed one for the end loss; several runs have colours.

    since: the step from which the answer is right.
    """
    marker = dots(len(probes.step))
    colours = (run.colour,) * 3 if run.name else (START, END, ACCENT)
    alone = ("start loss", "end loss", f"answered right from step {since} on")
    labels = (run.name, None, None) if run.name else alone
    for losses, line, colour, label in zip(
        (probes.start_loss, probes.end_loss), ("-", "--"), colours, labels
    ):
        axes.plot(probes.step, losses, line, color=colour, marker=marker, label=label)
    if since is not None:
        axes.axvline(since, color=colours[2], linestyle=":", label=labels[2])


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
        learned = when_learned(seen, window)
        for axes in [axes for view in views for axes in view.panels]:
            _trace(axes, window, learned)
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
