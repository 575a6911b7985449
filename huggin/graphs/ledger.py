"""Recording -> the ledger: what each part of the model did to a tracked sample's loss, and when."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from huggin.analysis.gradients import MOST_COLUMNS
from huggin.analysis.ledger import Sums, in_words, sums_of
from huggin.common.text import short
from huggin.graphs.runs import figure_name, same_sample, side_by_side
from huggin.graphs.style import QUIET, by_step, new_figure, say_drawn_for
from huggin.recording.reader import Recording

COLOURS = "PuOr"  # orange raised the loss, purple lowered it
LOWERED, RAISED, NET = "#C2B8DC", "#F9C78B", "#542788"
WIDE = 100  # characters of a line above a run


def draw_ledger(*runs: Recording, sample: int = 0) -> dict[str, Figure]:
    """`ledger`: each part's credits by step, in nats, beside it their sums, below it the loss.

    Raises UserError if a run has no ledger, or if the runs track other questions.
    """
    windows = same_sample(runs, sample)
    found = [sums_of(run.ledger(sample)) for run in runs]
    rows = max(len(sums.parts) for sums in found)
    title = "The ledger: which part of the model changed the loss of the tracked sample"
    figure = new_figure(10.5 * len(runs), 4.6 + 0.26 * rows, title)
    panels = figure.subplots(
        2,
        2 * len(runs),
        squeeze=False,
        sharex="col",
        width_ratios=[2.2, 1] * len(runs),
        height_ratios=[1 + 0.26 * rows, 1.7],
    )
    scale = _scale(found)
    for at, (run, sums) in enumerate(zip(side_by_side(runs), found, strict=True)):
        parts, bars, loss, below = panels[:, 2 * at : 2 * at + 2].ravel()
        lines = textwrap.wrap(in_words(sums), WIDE)
        parts.set_title(run.headline("\n".join([short(windows[at].question), *lines])))
        mesh = _draw_map(parts, run.recording, sample, sums, scale)
        _draw_sums(bars, sums)
        _draw_loss(loss, run.recording, sample)
        below.axis("off")
        beside = below.inset_axes((0, 0.55, 1, 0.12))
        label = "nats between two probes (purple: lowered)"
        figure.colorbar(mesh, cax=beside, label=label, orientation="horizontal", extend="both")
        beside.locator_params(axis="x", nbins=5)
    say_drawn_for(figure, sample=sample)
    return {figure_name("ledger", runs, sample): figure}


def _scale(found: list[Sums]) -> Normalize:
    """One scale of colours for all runs, 0 in its middle; the most extreme values are cut off."""
    sizes = np.concatenate([np.abs(sums.credits).ravel() for sums in found])
    most = float(np.percentile(sizes, 99)) or 1.0
    return Normalize(-most, most)


def _draw_map(
    axes: Axes, recording: Recording, sample: int, sums: Sums, scale: Normalize
) -> QuadMesh:
    """Part by step; of many probes the mean of neighbouring ones."""
    probes = recording.probes(sample).step
    edges = np.array([probes[probes < sums.step[0]].max(), *sums.step])
    firsts = np.unique(np.linspace(0, len(sums.step), MOST_COLUMNS + 1).astype(int)[:-1])
    counts = np.diff([*firsts, len(sums.step)])
    means = np.add.reduceat(sums.credits, firsts, axis=0) / counts[:, None]
    mesh = axes.pcolormesh(
        edges[[*firsts, -1]],
        np.arange(len(sums.parts) + 1) - 0.5,
        means.T,
        cmap=f"{COLOURS}_r",
        norm=scale,
        rasterized=True,
    )
    axes.set_yticks(range(len(sums.parts)), sums.parts, fontsize=8)
    axes.set_xlim(edges[0], edges[-1])
    axes.grid(visible=False)
    return mesh


def _draw_sums(axes: Axes, sums: Sums) -> None:
    """What each part lowered, raised again, and both together."""
    places = np.arange(len(sums.parts))
    axes.barh(places, sums.lowered, 0.8, color=LOWERED, label="lowered")
    axes.barh(places, sums.raised, 0.8, color=RAISED, label="raised")
    axes.barh(places, sums.net, 0.36, color=NET, label="together")
    for place, net in zip(places, sums.net, strict=True):
        axes.annotate(
            f"{net:+.2f}",
            (max(0.0, sums.raised[place]), place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    axes.axvline(0, color="black", linewidth=0.8)
    axes.margins(x=0.18)
    axes.set_ylim(-0.5, len(places) - 0.5)
    axes.set_yticks(places, [])
    axes.set_xlabel("nats, over all probes")
    axes.xaxis.set_tick_params(labelbottom=True)
    axes.grid(visible=True, axis="x")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=3)


def _draw_loss(axes: Axes, recording: Recording, sample: int) -> None:
    """The loss itself at each probe."""
    probes = recording.probes(sample)
    axes.plot(probes.step, (probes.start_loss + probes.end_loss) / 2, color="black", linewidth=1.2)
    axes.axhline(0, color=QUIET, linewidth=0.8)
    by_step(axes, "loss of the\ntracked sample (nats)")
