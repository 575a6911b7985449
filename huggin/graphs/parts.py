"""Figures with a row for each part of the model: gradients, the ledger, what rewinding found."""

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from huggin.analysis.learning import running_mean
from huggin.analysis.parts import (
    DISAGREE,
    Mean,
    Sums,
    chosen_parts,
    frozen,
    ledger_in_words,
    log_norms,
    mean_loss,
    rewound_in_words,
    share_right,
    stretches_of,
    sums_of,
    sums_until,
    unknown_steps,
)
from huggin.common.text import short
from huggin.graphs import palette, style
from huggin.graphs.runs import figure_name, same_sample, side_by_side
from huggin.recording.reader import PartNorms, Recording
from huggin.recording.results import Answers, Rewound

PUT_BACK, ALONE = palette.SERIES[1], palette.SERIES[4]
THICK = 0.38  # of a bar; a part has two
WIDE = 100  # characters of a line above a run's ledger
WIDER = 118  # characters of a line above what rewinding found
BOTH = (
    "Rewinding asks the trained model without a part; its bars do not add up. The ledger says what "
    "the part's own change did to the loss of the first tracked question while the model was "
    "trained; its bars add up to {change:+.2f} nats."
)

Measure = Callable[[Answers, Answers], Mean]


def draw_gradients(*runs: Recording, parts: list[str] | None = None) -> dict[str, Figure]:
    """`gradients`: log10 of the gradient's norm, part by step, and below it lines of some parts.

    parts: names of the parts that are drawn as lines, as in `PartNorms.parts`. Raises UserError
    if a run has no such table, and for a part that a model does not have.
    """
    found = [run.layers for run in runs]
    logs = [log_norms(norms) for norms in found]
    rows = max(len(norms.parts) for norms in found)
    size = (2 + 6.5 * len(runs), 4.2 + 0.19 * rows)
    figure = style.new_figure(*size, "Norm of the gradient by part of the model")
    panels = figure.subplots(
        2, len(runs), squeeze=False, sharex="col", height_ratios=[0.9 + 0.19 * rows, 2.4]
    )
    all_means = np.concatenate([means.ravel() for _, means in logs])
    known = all_means[np.isfinite(all_means)]  # one scale for all runs, without the extremes
    low, high = np.percentile(known, [0.5, 99.5]) if len(known) else (-1.0, 1.0)
    scale = Normalize(low, high if high > low else low + 1)
    for run, norms, (edges, means), (axes, lines) in zip(
        side_by_side(runs), found, logs, panels.T, strict=True
    ):
        axes.set_title(run.headline(_headline(norms)))
        axes.set_facecolor(palette.NOTHING)
        values = np.ma.masked_invalid(means).T  # (parts, stretches)
        up = style.edges_of(np.arange(len(norms.parts)))
        mesh = style.heat_map(axes, edges, up, values, palette.NORMS, scale)
        stills = zip(norms.parts, frozen(norms), strict=True)
        names = [f"{name} (frozen)" if still else name for name, still in stills]
        axes.set_yticks(range(len(names)), names, fontsize=7)
        _draw_lines(lines, norms, chosen_parts(norms, parts))
    style.same_limits(panels[1].tolist())
    figure.colorbar(mesh, ax=panels[0].tolist(), label="log10 of the norm", pad=0.01)
    style.say_drawn_for(figure, parts=", ".join(parts) if parts else None)
    return {figure_name("gradients", runs): figure}


def _headline(norms: PartNorms) -> str:
    """What the map cannot show: frozen parts, and steps whose norms are not known."""
    notes = ["before clipping"]
    if still := [name for name, is_still in zip(norms.parts, frozen(norms)) if is_still]:
        notes.append(f"frozen, so without a gradient (grey): {', '.join(still)}")
    if unknown := unknown_steps(norms):
        notes.append(f"not known at {unknown} of {len(norms.step)} steps")
    return "; ".join(notes)


def _draw_lines(axes: Axes, norms: PartNorms, places: Sequence[int]) -> None:
    """The running geometric mean of some parts, each step's norms behind it as a haze."""
    window = len(norms.step) // 80 * 2 + 1
    for number, place in enumerate(places):
        colour = palette.SERIES[number % len(palette.SERIES)]
        line = ("-", "--", ":")[number // len(palette.SERIES) % 3]
        values = norms.norms[:, place].astype(float)
        values[values == 0] = np.nan
        if window > 1:
            axes.plot(norms.step, values, color=colour, linewidth=0.4, alpha=0.25)
        mean = 10 ** running_mean(np.log10(values), window)
        axes.plot(norms.step, mean, line, color=colour, label=norms.parts[place])
    style.log_scale(axes)
    style.legend_above(axes)
    style.by_step(axes, f"norm (geometric mean\nof {window} steps)" if window > 1 else "norm")
    if len(places) < len(norms.parts):
        axes.set_xlabel(f"step (lines of {len(places)} of {len(norms.parts)} parts)")


def draw_ledger(*runs: Recording, sample: int = 0) -> dict[str, Figure]:
    """`ledger`: each part's credits by step, in nats, beside it their sums, below it the loss.

    Raises UserError if a run has no ledger, or if the runs track other questions.
    """
    beside = same_sample(runs, sample)
    found = [sums_of(run.ledger(sample)) for run in runs]
    rows = max(len(sums.parts) for sums in found)
    title = "The ledger: which part of the model changed the loss of the tracked sample"
    figure = style.new_figure(10.5 * len(runs), 4.6 + 0.26 * rows, title)
    look: Any = {"width_ratios": [2.2, 1] * len(runs), "height_ratios": [1 + 0.26 * rows, 1.7]}
    panels = figure.subplots(2, 2 * len(runs), squeeze=False, sharex="col", **look)
    most = float(np.percentile(np.concatenate([abs(each.credits).ravel() for each in found]), 99))
    scale = Normalize(-(most or 1.0), most or 1.0)  # one for all runs, without the extremes
    for at, (run, sums) in enumerate(zip(beside, found, strict=True)):
        parts, bars, loss, below = panels[:, 2 * at : 2 * at + 2].ravel()
        lines = textwrap.wrap(ledger_in_words(sums), WIDE)
        parts.set_title(run.headline("\n".join([short(run.window.question), *lines])))
        probes = run.recording.probes(sample)
        stretches = stretches_of(len(sums.step))
        edges = [probes.step[probes.step < sums.step[0]].max()]
        edges += [sums.step[rows[-1]] for rows in stretches]
        means = np.array([sums.credits[rows].mean(axis=0) for rows in stretches]).T
        places = np.arange(len(sums.parts))
        mesh = style.heat_map(
            parts, np.array(edges), style.edges_of(places), means, palette.CREDITS, scale
        )
        parts.set_yticks(places, sums.parts, fontsize=8)
        parts.set_xlim(edges[0], edges[-1])
        _draw_sums(bars, sums)
        both = (probes.start_loss + probes.end_loss) / 2
        loss.plot(probes.step, both, color=palette.INK, linewidth=1.2)
        loss.axhline(0, color=palette.QUIET, linewidth=0.8)
        style.by_step(loss, "loss of the\ntracked sample (nats)")
        below.axis("off")
        bar = below.inset_axes((0, 0.55, 1, 0.12))
        label = "nats between two probes (purple: lowered)"
        figure.colorbar(mesh, cax=bar, label=label, orientation="horizontal", extend="both")
        bar.locator_params(axis="x", nbins=5)
    style.say_drawn_for(figure, sample=sample)
    return {figure_name("ledger", runs, sample): figure}


def _draw_sums(axes: Axes, sums: Sums) -> None:
    """What each part lowered, raised again, and both together."""
    places = np.arange(len(sums.parts))
    axes.barh(places, sums.lowered, 0.8, color=palette.LOWERED, label="lowered")
    axes.barh(places, sums.raised, 0.8, color=palette.RAISED, label="raised")
    axes.barh(places, sums.net, 0.36, color=palette.NET, label="together")
    look: Any = {"textcoords": "offset points", "va": "center", "fontsize": 7}
    for place, net, raised in zip(places, sums.net, sums.raised, strict=True):
        axes.annotate(f"{net:+.2f}", (max(0.0, raised), place), (4, 0), **look)
    axes.margins(x=0.18)
    axes.set_ylim(-0.5, len(places) - 0.5)
    axes.set_yticks(places, [])
    axes.axvline(0, color=palette.INK, linewidth=0.8)
    axes.set_xlabel("nats, over all probes")
    axes.xaxis.set_tick_params(labelbottom=True)
    axes.grid(visible=True, axis="x")
    style.legend_above(axes)


def _along(axes: Axes, label: str, zero: bool = False) -> None:
    """Axes of horizontal bars: what x is, and a grid across the bars."""
    axes.set_xlabel(label)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    if zero:
        axes.axvline(0, color=palette.INK, linewidth=0.8)


def draw_rewound(
    recording: Recording, found: Rewound, name: str = "", of_step: bool = False
) -> dict[str, Figure]:
    """`rewind`: what each part of the model is worth, beside how far its weights have moved.

    The ledger up to the step of the model is drawn in a panel of its own, if there is one.
    name: of the run, if several are drawn. of_step: call the figure `rewind-step-K`.
    """
    ledger = sums_until(recording, found.step)
    title = "Each part of the model put back to step 0, and trained alone"
    figure = style.new_figure(13, 2.6 + 0.42 * len(found.parts), title)
    widths = [1.3, 1.1, 0.8, 0.8][: 4 if ledger else 3]
    loss, right, moved, *credits = figure.subplots(1, len(widths), sharey=True, width_ratios=widths)
    places = range(len(found.parts))
    _draw_measure(loss, found, mean_loss, "loss (nats)")
    _draw_measure(right, found, lambda answers, _: share_right(answers), "right answers (%)")
    right.set_xlim(-2, 102)
    moved.barh(places, [part.moved for part in found.parts], 2 * THICK, color=palette.QUIET)
    _along(moved, "change of a weight\n(root mean square)")
    moved.xaxis.set_major_formatter(style.plain)
    for axes in credits:  # of the first tracked sample, in the order of the others
        assert ledger
        net = dict(zip(ledger.parts, ledger.net.tolist(), strict=True))
        changes = [net.get(part.part, 0.0) for part in found.parts]
        axes.barh(places, changes, 2 * THICK, color=palette.NET)
        _along(axes, "ledger: change of\nthe loss (nats)", zero=True)
    for axes in (moved, *credits):
        axes.locator_params(axis="x", nbins=5)
    # what was asked, what was found, and why distance and ledger can disagree with it
    asked = f"{len(found.questions)} questions of {found.data}"
    about = f"after step {found.step}; {asked}; black lines: 95 % intervals"
    of_ledger = BOTH.format(change=ledger.net.sum()) if ledger else ""
    words = textwrap.wrap(f"{rewound_in_words(found)}. {DISAGREE} {of_ledger}", WIDER)
    loss.set_title("\n".join([*([name] if name else []), about, *words]))
    loss.set_yticks(places, [part.part for part in found.parts])
    figure.legend(*loss.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    style.say_drawn_for(figure, step=found.step, questions=len(found.questions), seed=found.seed)
    return {f"rewind-step-{found.step}" if of_step else "rewind": figure}


def _draw_measure(axes: Axes, found: Rewound, measure: Measure, label: str) -> None:
    """Two bars for each part, and dotted lines for the trained and the untrained model."""
    put_back = [measure(part.put_back, found.trained) for part in found.parts]
    alone = [measure(part.alone, found.untrained) for part in found.parts]
    for means, shift, colour, name in (
        (put_back, THICK / 2, PUT_BACK, "this part put back, the rest trained"),
        (alone, -THICK / 2, ALONE, "this part trained, the rest put back"),
    ):
        places = np.arange(len(means)) + shift
        low, values, high = np.array([(mean.low, mean.value, mean.high) for mean in means]).T
        axes.barh(places, values, THICK, color=colour, label=name)
        errors = np.maximum([values - low, high - values], 0)
        axes.errorbar(values, places, xerr=errors, fmt="none", ecolor=palette.INK, elinewidth=1)
    for answers, colour, name in (
        (found.trained, palette.INK, "all trained"),
        (found.untrained, palette.QUIET, "none trained"),
    ):
        value = measure(answers, answers).value
        axes.axvline(value, color=colour, linestyle=":", linewidth=1.6, label=name)
    _along(axes, label)
