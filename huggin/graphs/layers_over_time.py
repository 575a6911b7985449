"""Recording -> the QA head on every layer, layer by step: how probable the true answer is there."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from huggin.analysis.lens import LayerAnswers, layer_answers
from huggin.common.text import short
from huggin.common.window import Window
from huggin.graphs.drawn_for import say_drawn_for
from huggin.graphs.layers import HEADS, LEAST, layer_ticks
from huggin.graphs.logits_over_time import step_edges
from huggin.graphs.runs import figure_name, same_sample, side_by_side
from huggin.graphs.style import by_step, legend_above, new_figure, plain
from huggin.recording.reader import Recording


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
        scale = ScalarMappable(LogNorm(LEAST, 1), colours)
        label = f"probability of the\ntrue {head} (log scale)"
        figure.colorbar(scale, ax=panels[row].tolist(), label=label, pad=0.01, format=plain)
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
        _draw_lowest(axes, answers, edges)
        by_step(axes, f"{head}: the head on layer")
        axes.set_yticks(layer_ticks(rows))
        axes.set_ylim(-0.5, rows - 0.5)
    panels[0].set_xlabel("")
    if answers.right.any():
        legend_above(panels[0])


def _draw_lowest(axes: Axes, answers: LayerAnswers, edges: np.ndarray) -> None:
    """The lowest layer whose best span is right, as a line over the steps; gaps if none is."""
    lowest = answers.lowest_right
    label = "lowest layer whose best span is right"
    axes.stairs(lowest, edges, baseline=None, color="black", linewidth=1.4, label=label)
