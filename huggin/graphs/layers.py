"""Recording -> the QA head on the output of every layer: layer by token, at three probes or one."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from huggin.analysis.lens import probabilities, true_lens
from huggin.common.errors import BadValue
from huggin.common.window import Window
from huggin.graphs.drawn_for import say_drawn_for
from huggin.graphs.runs import figure_name, same_sample, side_by_side
from huggin.graphs.style import GOLD, plain
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
            _add_scale(views, range(row * most, (row + 1) * most), head, colours)
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
        _mark_answer(axes, window)
        axes.set_xlim(tokens[0], tokens[-1])
        axes.set_ylim(layers[0], layers[-1])
        axes.set_yticks(layer_ticks(len(maps)))
        axes.tick_params(axis="y", labelsize=7)


def layer_ticks(rows: int) -> list[int]:
    """Which layers are written beside an axis: all of up to 7 rows, else some and the last."""
    return sorted({*range(0, rows, 1 + rows // 8), rows - 1})


def _mark_answer(axes: Axes, window: Window) -> None:
    if window.has_answer:
        for edge in (window.gold_start - 0.5, window.gold_end + 0.5):
            axes.axvline(edge, color=GOLD, linewidth=1.2, zorder=ON_TOP + 1)


def _add_scale(views: Sequence[View], rows: range, head: str, colours: str) -> None:
    panels = [axes for view in views for axes in view.panels[rows.start : rows.stop]]
    scale = ScalarMappable(LogNorm(LEAST, 1), colours)
    label = f"probability as {head} (log scale)"
    panels[0].figure.colorbar(scale, ax=panels, label=label, pad=0.01, aspect=40, format=plain)


def _explain(views: Sequence[View]) -> None:
    """What the marks mean, behind the names of the tokens."""
    for view in views:
        axes = view.panels[-1]
        text = axes.get_xlabel().replace("shaded:", "between the green lines:")
        axes.set_xlabel(in_lines(text, view.tokens))
    note = "layer 0: the embeddings; dot: the most probable token of the layer"
    last = views[-1].panels[-1]
    last.set_xlabel(f"{last.get_xlabel()}\n{note}")
