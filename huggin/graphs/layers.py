"""Recording -> the QA head on the output of every layer: layer by token, and layer by step."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from huggin.analysis.lens import LayerAnswers, layer_answers, probabilities, true_lens
from huggin.common.errors import BadValue
from huggin.common.text import short
from huggin.common.window import Window
from huggin.graphs.logits import step_edges
from huggin.graphs.runs import figure_name, same_sample, side_by_side
from huggin.graphs.style import (
    GOLD,
    add_log_colours,
    by_step,
    legend_above,
    new_figure,
    say_drawn_for,
)
from huggin.graphs.tokens import Shown, View, in_lines, token_figure
from huggin.recording.reader import LensLogits, Recording

LEAST = 1e-3  # probabilities below it have the lightest colour
HEADS = (("start", "Blues"), ("end", "Oranges"))
ON_TOP = 2.5  # above the lines and shades of `token_figure`


def draw_layers(*runs: Recording, sample: int = 0, step: int | None = None) -> dict[str, Figure]:
    """`layers`: the probability of each token by layer, at the first, middle and last probe.

    step: draw this probe alone, as `layers-step-K`. Raises UserError if a run has no lens, if the
    runs track other questions, and for a step without a probe.
    """
    windows = same_sample(runs, sample)
    seen = [true_lens(run, sample) for run in runs]
    places = [_places(lens, step) for lens in seen]
    most = max(map(len, places))
    layers = max(lens.start_logits.shape[1] for lens in seen)
    title = "The QA head on each layer's output: the probability of each token"
    height = 2 * most * (0.45 + 0.13 * layers) + 1.5
    shown = [Shown(window) for window in windows]
    figure, parts = token_figure(title, shown, side_by_side(runs), rows=2 * most, height=height)
    for window, lens, chosen, views in zip(windows, seen, places, parts, strict=True):
        for row, (head, colours) in enumerate(HEADS):
            logits = (lens.start_logits, lens.end_logits)[row]
            for number, place in enumerate(chosen):
                maps = probabilities(logits[place])
                _draw_map(views, row * most + number, maps, colours, window)
                label = f"step {lens.step[place]}\n{head}: layer"
                views[0].panels[row * most + number].set_ylabel(label, fontsize=8)
            rows = slice(row * most, (row + 1) * most)
            panels = [axes for view in views for axes in view.panels[rows]]
            what = f"probability as {head} (log scale)"
            add_log_colours(panels, LEAST, colours, what, aspect=40)
        _explain(views)
    say_drawn_for(figure, sample=sample, step=step)
    name = "layers" if step is None else f"layers-step-{step}"
    return {figure_name(name, runs, sample): figure}


def _places(lens: LensLogits, step: int | None) -> list[int]:
    """The probes that are drawn."""
    count = len(lens.step)
    if step is None:
        return sorted({0, count // 2, count - 1})
    places = np.flatnonzero(lens.step == step).tolist()
    if not places:
        near = min(lens.step.tolist(), key=lambda probed: abs(probed - step))
        raise BadValue("step", step, f"not probed; the nearest probe is at step {near}")
    return places


def _draw_map(
    views: Sequence[View], row: int, maps: np.ndarray, colours: str, window: Window
) -> None:
    """One row of panels; maps: (layers + 1, tokens) probabilities."""
    layers = np.arange(len(maps) + 1) - 0.5
    best = maps.argmax(axis=-1)
    for view in views:
        axes = view.panels[row]
        tokens = np.arange(view.tokens.start, view.tokens.stop + 1) - 0.5
        axes.pcolormesh(
            tokens,
            layers,
            view.cut(maps),
            cmap=colours,
            norm=LogNorm(LEAST, 1, clip=True),
            rasterized=True,
            zorder=ON_TOP,
        )
        axes.plot(best, range(len(maps)), ".", color="black", markersize=4, zorder=ON_TOP + 1)
        for edge in (window.gold_start - 0.5, window.gold_end + 0.5):
            if window.has_answer:
                axes.axvline(edge, color=GOLD, linewidth=1.2, zorder=ON_TOP + 1)
        axes.set_xlim(tokens[0], tokens[-1])
        axes.set_ylim(layers[0], layers[-1])
        axes.set_yticks(layer_ticks(len(maps)))
        axes.tick_params(axis="y", labelsize=7)


def layer_ticks(rows: int) -> list[int]:
    """Which layers are written beside an axis: all of up to 7 rows, else some and the last."""
    return sorted({*range(0, rows, 1 + rows // 8), rows - 1})


def _explain(views: Sequence[View]) -> None:
    """What the marks mean, behind the names of the tokens."""
    for view in views:
        axes = view.panels[-1]
        text = axes.get_xlabel().replace("shaded:", "between the green lines:")
        axes.set_xlabel(in_lines(text, view.tokens))
    note = "layer 0: the embeddings; dot: the most probable token of the layer"
    last = views[-1].panels[-1]
    last.set_xlabel(f"{last.get_xlabel()}\n{note}")


def draw_layers_over_time(*runs: Recording, sample: int = 0) -> dict[str, Figure]:
    """`layers-over-time`: layer by step, the probability of the true start and the true end.

    A line marks the lowest layer whose best span is right. Raises UserError as `draw_layers` does.
    """
    windows = same_sample(runs, sample)
    found = [layer_answers(run, sample) for run in runs]
    layers = max(answers.right.shape[1] for answers in found)
    title = "The QA head on each layer's output: the probability of the true answer by step"
    figure = new_figure(1 + 7 * len(runs), 2 * (1.2 + 0.17 * layers) + 0.8, title)
    panels = figure.subplots(2, len(runs), squeeze=False, sharex="col")
    for column, (run, window, answers) in enumerate(
        zip(side_by_side(runs), windows, found, strict=True)
    ):
        panels[0, column].set_title(run.headline(_headline(window)) + "\n")
        _draw_run(panels[:, column].tolist(), answers)
    for row, (head, colours) in enumerate(HEADS):
        add_log_colours(panels[row], LEAST, colours, f"probability of the\ntrue {head} (log scale)")
    say_drawn_for(figure, sample=sample)
    return {figure_name("layers-over-time", runs, sample): figure}


def _headline(window: Window) -> str:
    if window.has_answer:
        return f"{short(window.question)} — {short(window.answer, 25)}"
    return f"{short(window.question)} (no answer in this window: [CLS] is right)"


def _draw_run(panels: Sequence[Axes], answers: LayerAnswers) -> None:
    edges = step_edges(answers.step)
    rows = answers.right.shape[1]
    for row, (axes, (head, colours)) in enumerate(zip(panels, HEADS, strict=True)):
        axes.pcolormesh(
            edges,
            np.arange(rows + 1) - 0.5,
            answers.probability[:, row].T,
            cmap=colours,
            norm=LogNorm(LEAST, 1, clip=True),
            rasterized=True,
        )
        label = "lowest layer whose best span is right"  # gaps where none is
        axes.stairs(
            answers.lowest_right, edges, baseline=None, color="black", linewidth=1.4, label=label
        )
        by_step(axes, f"{head}: the head on layer")
        axes.set_yticks(layer_ticks(rows))
        axes.set_ylim(-0.5, rows - 0.5)
    panels[0].set_xlabel("")
    if answers.right.any():
        legend_above(panels[0])
