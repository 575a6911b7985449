"""Recording -> the gradient's norm in each part of the model: heat map, and lines of some parts."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from huggin.analysis.gradients import chosen_parts, frozen, over_time, running_mean, unknown_steps
from huggin.graphs.runs import COLOURS, figure_name, side_by_side
from huggin.graphs.style import (
    by_step,
    legend_above,
    log_scale,
    new_figure,
    same_limits,
    say_drawn_for,
)
from huggin.recording.reader import PartNorms, Recording

NOTHING = "#d9d9d9"  # colour of a part without a gradient


def draw_gradients(*runs: Recording, parts: list[str] | None = None) -> dict[str, Figure]:
    """`gradients`: log10 of the gradient's norm, part by step, and below it lines of some parts.

    parts: names of the parts that are drawn as lines, as in `PartNorms.parts`. Raises UserError
    if a run has no such table, and for a part that a model does not have.
    """
    found = [run.layers for run in runs]
    rows = max(len(norms.parts) for norms in found)
    height = 4.2 + 0.19 * rows
    figure = new_figure(2 + 6.5 * len(runs), height, "Norm of the gradient by part of the model")
    panels = figure.subplots(
        2, len(runs), squeeze=False, sharex="col", height_ratios=[0.9 + 0.19 * rows, 2.4]
    )
    scale = _scale(found)
    for column, (run, norms) in enumerate(zip(side_by_side(runs), found, strict=True)):
        panels[0, column].set_title(run.headline(_headline(norms)))
        mesh = _draw_map(panels[0, column], norms, scale)
        _draw_lines(panels[1, column], norms, chosen_parts(norms, parts))
    same_limits(panels[1].tolist())
    figure.colorbar(mesh, ax=panels[0].tolist(), label="log10 of the norm", pad=0.01)
    say_drawn_for(figure, parts=", ".join(parts) if parts else None)
    return {figure_name("gradients", runs): figure}


def _headline(norms: PartNorms) -> str:
    """What the map cannot show: frozen parts, and steps whose norms are not known."""
    notes = ["before clipping"]
    still = [name for name, is_still in zip(norms.parts, frozen(norms)) if is_still]
    if still:
        notes.append(f"frozen, so without a gradient (grey): {', '.join(still)}")
    unknown = unknown_steps(norms)
    if unknown:
        notes.append(f"not known at {unknown} of {len(norms.step)} steps")
    return "; ".join(notes)


def _scale(found: Sequence[PartNorms]) -> Normalize:
    """One scale of colours for all runs; the fewest extreme values are cut off."""
    logs = np.concatenate([np.log10(over_time(norms).norms).ravel() for norms in found])
    known = logs[np.isfinite(logs)]
    low, high = np.percentile(known, [0.5, 99.5]) if len(known) else (-1.0, 1.0)
    return Normalize(low, high if high > low else low + 1)


def _draw_map(axes: Axes, norms: PartNorms, scale: Normalize) -> QuadMesh:
    averaged = over_time(norms)
    values = np.ma.masked_invalid(np.log10(averaged.norms)).T  # (parts, stretches)
    axes.set_facecolor(NOTHING)
    rows = np.arange(len(norms.parts) + 1) - 0.5
    mesh = axes.pcolormesh(
        averaged.edges, rows, values, cmap="viridis", norm=scale, rasterized=True
    )
    names = [
        f"{name} (frozen)" if still else name
        for name, still in zip(norms.parts, frozen(norms), strict=True)
    ]
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.grid(visible=False)
    return mesh


def _draw_lines(axes: Axes, norms: PartNorms, places: Sequence[int]) -> None:
    """The running geometric mean of some parts, each step's norms behind it as a haze."""
    window = len(norms.step) // 80 * 2 + 1
    for number, place in enumerate(places):
        colour = COLOURS[number % len(COLOURS)]
        style = ("-", "--", ":")[number // len(COLOURS) % 3]
        values = norms.norms[:, place].astype(float)
        values[values == 0] = np.nan
        if window > 1:
            axes.plot(norms.step, values, color=colour, linewidth=0.4, alpha=0.25)
        mean = 10 ** running_mean(np.log10(values), window)
        axes.plot(norms.step, mean, style, color=colour, label=norms.parts[place])
    log_scale(axes)
    legend_above(axes)
    what = f"norm (geometric mean\nof {window} steps)" if window > 1 else "norm"
    by_step(axes, what)
    if len(places) < len(norms.parts):
        axes.set_xlabel(f"step (lines of {len(places)} of {len(norms.parts)} parts)")
