"""A tracked sample by token and step: its logits and losses, and the QA head on every layer.

The logits are drawn at three probes, with the losses by step, and as heat maps, token by step. The
head on every layer's output is drawn layer by token, and layer by step.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from huggin.analysis.learning import Learned, when_learned
from huggin.analysis.lens import LayerAnswers, layer_answers, probabilities, true_lens
from huggin.common.errors import BadValue
from huggin.common.text import short
from huggin.common.window import Window
from huggin.graphs import palette, style
from huggin.graphs.runs import Beside, figure_name, same_sample
from huggin.graphs.tokens import Shown, View, edges_of_answer, explain, same_scale, token_figure
from huggin.recording.reader import LensLogits, Probes, Recording

FAINTEST = 0.3  # opacity of the first probe's line
ROOM = 0.12  # margin above and below the losses, as a share of their range
NAMES = ("start", "end")
LINES = ("-", "--")  # of these
LEAST = 1e-3  # probabilities below it have the lightest colour
HEADS = (("start", palette.START_SHADES), ("end", palette.END_SHADES))
BETWEEN = "between the green lines:"  # what a shade is called on a heat map
DOTS = "layer 0: the embeddings; dot: the most probable token of the layer"
ON_TOP = 2.5  # above the lines and shades of `token_figure`


def draw_logits(*runs: Recording, sample: int = 0) -> dict[str, Figure]:
    """`logits` and `sample-losses` of a tracked sample.

    Raises UserError if the runs track different questions.
    """
    beside = same_sample(runs, sample)
    probes = [run.probes(sample) for run in runs]
    shown = list(map(with_last_answer, beside, probes))
    title = f"Logits of the tracked sample by token{_ending(runs, sample)}"
    figure, parts = token_figure(title, shown, beside, rows=len(NAMES), height=6)
    for views, seen in zip(parts, probes, strict=True):
        for view in views:
            _draw_probes(view, 0, seen.step, seen.start_logits, palette.START)
            _draw_probes(view, 1, seen.step, seen.end_logits, palette.END)
        for row, name in enumerate(NAMES):
            views[0].panels[row].set_ylabel(f"{name} logit")
            style.legend_above(views[-1].panels[row])
    same_scale(parts)
    figures = {"logits": figure, "sample-losses": _losses(beside, probes)}
    return {figure_name(name, runs, sample): figure for name, figure in figures.items()}


def _ending(runs: Sequence[Recording], sample: int) -> str:
    """What became of the tracked sample of a single run, behind a title."""
    window = runs[0].tracked(sample)
    if len(runs) > 1 or not window.has_answer:
        return ""
    learned = when_learned(runs[0].probes(sample), window)
    if learned.right_since is not None:
        return f": right from step {learned.right_since:,} on"
    return ": never right" if learned.first_right is None else ": wrong at the end"


def with_last_answer(run: Beside, probes: Probes) -> Shown:
    """A run's sample with the span that the model predicted at the last probe."""
    return Shown(run.window, True, int(probes.predicted_start[-1]), int(probes.predicted_end[-1]))


def _draw_probes(view: View, row: int, step: np.ndarray, logits: np.ndarray, colour: str) -> None:
    """Draw a line for the first, the middle and the last probe. logits: (probes, tokens)."""
    places = _three(len(logits))
    opacities = np.linspace(FAINTEST, 1, len(places))
    for place, opacity in zip(places, opacities, strict=True):
        look: Any = {"color": colour, "alpha": opacity, "linewidth": 0.6 + opacity}
        view.plot(row, logits[place], label=f"step {step[place]:,}", **look)
    style.say_not_finite(view.panels[row], view.cut(logits[places]))


def _three(count: int) -> list[int]:
    """The places of the first, the middle and the last probe."""
    return sorted({0, count // 2, count - 1})


def _losses(beside: Sequence[Beside], probes: Sequence[Probes]) -> Figure:
    """Solid lines for the start losses, dashed ones for the end losses; several runs by colour."""
    runs = [run.recording for run in beside]
    title = f"Loss of the tracked sample by step{_ending(runs, beside[0].sample)}"
    figure = style.new_figure(7, 5, title)
    axes = figure.subplots()
    axes.set_title(short(beside[0].window.question))
    for run, seen in zip(beside, probes, strict=True):
        since = when_learned(seen, run.window).right_since
        alone = ("start loss", "end loss", f"answered right from step {since or 0:,} on")
        labels = (run.name, None, None) if run.name else alone
        colours = (run.colour,) * 3 if run.name else (palette.START, palette.END, palette.GOLD)
        for losses, line, *look in zip((seen.start_loss, seen.end_loss), LINES, colours, labels):
            colour, label = look
            marker = style.dots(len(seen.step))
            axes.plot(seen.step, losses, line, color=colour, label=label, marker=marker)
        if since is not None:
            axes.axvline(since, color=colours[2], linestyle=":", label=labels[2])
    axes.margins(y=ROOM)
    axes.legend()
    both = [values for seen in probes for values in (seen.start_loss, seen.end_loss)]
    style.say_not_finite(axes, np.concatenate(both))
    style.by_step(axes, "loss (cross-entropy, nats)")
    if len(beside) > 1:
        lines = "solid: start loss; dashed: end loss; dotted: answered right from there on"
        axes.set_xlabel(f"step ({lines})")
    return figure


def _token_map(
    view: View, row: int, up: np.ndarray, values: np.ndarray, colours: str, scale: Any
) -> QuadMesh:
    """A panel of a view as a heat map; up: the rows' edges, values: (rows, tokens)."""
    axes = view.panels[row]
    tokens = np.arange(view.tokens.start, view.tokens.stop + 1) - 0.5
    return style.heat_map(axes, tokens, up, view.cut(values), colours, scale)


def _draw_dots(view: View, row: int, tokens: np.ndarray, up: np.ndarray, **look: Any) -> None:
    """Black dots at tokens (rows,) of a heat map."""
    view.panels[row].plot(tokens, up, ".", color=palette.INK, **look)
    view.panels[row].set_xlim(view.tokens.start - 0.5, view.tokens.stop - 0.5)


def draw_logits_over_time(*runs: Recording, sample: int = 0) -> dict[str, Figure]:
    """`logits-over-time`: start and end logits, token by step, on one colour scale for all runs.

    Lines mark the true answer; dots mark the predicted span. Raises UserError if the runs track
    different questions.
    """
    beside = same_sample(runs, sample)
    probes = [run.probes(sample) for run in runs]
    shown = list(map(with_last_answer, beside, probes))
    title = f"Logits of the tracked sample by token and step{_ending(runs, sample)}"
    figure, parts = token_figure(title, shown, beside, rows=2, height=7)
    logits = [np.ravel([seen.start_logits, seen.end_logits]) for seen in probes]
    finite = [values[np.isfinite(values)] for values in logits]
    size = float(np.abs(np.concatenate(finite)).max(initial=1e-6))
    for run, seen, views in zip(beside, probes, parts, strict=True):
        learned = when_learned(seen, run.window)
        for row, name in enumerate(NAMES):
            for view in views:
                mesh = _draw_steps(view, row, seen, Normalize(-size, size))
                _trace(view.panels[row], run.window, learned)
            panels = [view.panels[row] for view in views]
            panels[0].set_ylabel(f"step ({name} logits)")
            figure.colorbar(mesh, ax=panels, label=f"{name} logit", pad=0.01)
        style.legend_above(views[-1].panels[0], rows=2)
        question = views[0].panels[0]
        question.set_title(question.get_title(loc="left") + "\n\n")  # above the legend
        explain(views, {"shaded:": BETWEEN, "underlined:": "black dots at the end:"})
    return {figure_name("logits-over-time", runs, sample): figure}


def _draw_steps(view: View, row: int, probes: Probes, scale: Normalize) -> QuadMesh:
    """The start logits (row 0) or end logits (row 1), time downwards, a dot at each prediction."""
    logits = (probes.start_logits, probes.end_logits)[row]
    predicted = (probes.predicted_start, probes.predicted_end)[row]
    edges = style.edges_of(probes.step)
    mesh = _token_map(view, row, edges, logits, palette.LOGITS, scale)
    chosen = np.where(predicted < 0, np.nan, predicted)
    _draw_dots(view, row, chosen, probes.step, markersize=2.5, label="the model's answer")
    view.panels[row].set_ylim(edges[-1], edges[0])
    style.whole(view.panels[row].yaxis)
    return mesh


def _trace(axes: Axes, window: Window, learned: Learned) -> None:
    """Lines at the true answer's ends, marks on the left at the first right answer and at flips."""
    if window.has_answer:
        for edge, label in zip(edges_of_answer(window), ("the true answer", None), strict=True):
            axes.axvline(edge, color=palette.GOLD, linewidth=1.2, label=label)
    first = learned.first_right
    later = [step for step in learned.flips if step != first]
    marks = [([] if first is None else [first], "D", f"first right at step {first or 0:,}")]
    marks += [(later, ">", f"right or wrong again: {len(later)} times")]
    for steps, marker, label in marks:
        if steps:
            look: Any = {"markerfacecolor": palette.PAPER, "color": palette.INK, "markersize": 5}
            left = np.full(len(steps), axes.get_xlim()[0])
            axes.plot(left, steps, marker, clip_on=False, zorder=4, label=label, **look)


def draw_layers(*runs: Recording, sample: int = 0, step: int | None = None) -> dict[str, Figure]:
    """`layers`: the probability of each token by layer, at the first, middle and last probe.

    step: draw this probe alone, as `layers-step-K`. Raises UserError if a run has no lens, if the
    runs track other questions, and for a step without a probe.
    """
    beside = same_sample(runs, sample)
    seen = [true_lens(run, sample) for run in runs]
    places = [_places(lens, step) for lens in seen]
    most = max(map(len, places))
    layers = max(lens.start_logits.shape[1] for lens in seen)
    title = "The QA head on each layer's output: the probability of each token"
    height = 2 * most * (0.45 + 0.13 * layers) + 1.5
    shown = [Shown(run.window) for run in beside]
    figure, parts = token_figure(title, shown, beside, rows=2 * most, height=height)
    for run, lens, chosen, views in zip(beside, seen, places, parts, strict=True):
        for first, logits, (head, colours) in zip(
            (0, most), (lens.start_logits, lens.end_logits), HEADS, strict=True
        ):
            for row, place in enumerate(chosen, start=first):
                for view in views:
                    _draw_head(view, row, probabilities(logits[place]), colours, run.window)
                label = f"step {lens.step[place]:,}\n{head}: layer"
                views[0].panels[row].set_ylabel(label, fontsize=8)
            panels = [axes for view in views for axes in view.panels[first : first + most]]
            what = f"probability as {head} (log scale)"
            style.add_log_colours(panels, LEAST, colours, what, aspect=40)
        explain(views, {"shaded:": BETWEEN})
        last = views[-1].panels[-1]
        last.set_xlabel(f"{last.get_xlabel()}\n{DOTS}")
    style.say_drawn_for(figure, sample=sample, step=step)
    name = "layers" if step is None else f"layers-step-{step}"
    return {figure_name(name, runs, sample): figure}


def _places(lens: LensLogits, step: int | None) -> list[int]:
    """The probes that are drawn."""
    count = len(lens.step)
    if step is None:
        return _three(count)
    places = np.flatnonzero(lens.step == step).tolist()
    if not places:
        near = min(lens.step.tolist(), key=lambda probed: abs(probed - step))
        raise BadValue("step", step, f"not probed; the nearest probe is at step {near}")
    return places


def _draw_head(view: View, row: int, values: np.ndarray, colours: str, window: Window) -> None:
    """The head on every layer at one probe; values: (layers + 1, tokens) probabilities."""
    axes = view.panels[row]
    rows = np.arange(len(values))
    _token_map(view, row, style.edges_of(rows), values, colours, LEAST).set_zorder(ON_TOP)
    _draw_dots(view, row, values.argmax(axis=-1), rows, markersize=4, zorder=ON_TOP + 1)
    if window.has_answer:
        for edge in edges_of_answer(window):
            axes.axvline(edge, color=palette.GOLD, linewidth=1.2, zorder=ON_TOP + 1)
    axes.set_ylim(-0.5, len(rows) - 0.5)
    axes.set_yticks(layer_ticks(len(rows)))
    axes.tick_params(axis="y", labelsize=7)


def layer_ticks(rows: int) -> list[int]:
    """Which layers are written beside an axis: all of up to 7 rows, else some and the last."""
    return sorted({*range(0, rows, 1 + rows // 8), rows - 1})


def draw_layers_over_time(*runs: Recording, sample: int = 0) -> dict[str, Figure]:
    """`layers-over-time`: layer by step, the probability of the true start and the true end.

    A line marks the lowest layer whose best span is right. Raises UserError as `draw_layers` does.
    """
    beside = same_sample(runs, sample)
    found = [layer_answers(run, sample) for run in runs]
    layers = max(answers.right.shape[1] for answers in found)
    title = "The QA head on each layer's output: the probability of the true answer by step"
    lowest = found[0].lowest_right[-1]
    if len(runs) == 1 and np.isfinite(lowest):
        title += f"; right from layer {lowest:.0f} at the end"
    figure = style.new_figure(1 + 7 * len(runs), 2 * (1.2 + 0.17 * layers) + 0.8, title)
    panels = figure.subplots(2, len(runs), squeeze=False, sharex="col")
    for run, answers, column in zip(beside, found, panels.T, strict=True):
        window = run.window
        no_answer = "(no answer in this window: [CLS] is right)"
        answer = f"— {short(window.answer, 25)}" if window.has_answer else no_answer
        column[0].set_title(run.headline(f"{short(window.question)} {answer}") + "\n")
        _draw_answers(column.tolist(), answers)
    for row, (head, colours) in zip(panels, HEADS, strict=True):
        style.add_log_colours(row, LEAST, colours, f"probability of the\ntrue {head} (log scale)")
    style.say_drawn_for(figure, sample=sample)
    return {figure_name("layers-over-time", runs, sample): figure}


def _draw_answers(panels: Sequence[Axes], answers: LayerAnswers) -> None:
    """Start above, end below: layer by step."""
    edges = style.edges_of(answers.step)
    rows = answers.right.shape[1]
    for row, (axes, (head, colours)) in enumerate(zip(panels, HEADS, strict=True)):
        values = answers.probability[:, row].T
        style.heat_map(axes, edges, style.edges_of(np.arange(rows)), values, colours, LEAST)
        label = "lowest layer whose best span is right"  # gaps where none is
        look: Any = {"color": palette.INK, "linewidth": 1.4, "label": label}
        axes.stairs(answers.lowest_right, edges, baseline=None, **look)
        style.by_step(axes, f"{head}: layer")
        axes.set_yticks(layer_ticks(rows))
        axes.set_ylim(-0.5, rows - 0.5)
    panels[0].set_xlabel("")
    if answers.right.any():
        style.legend_above(panels[0])
