"""Recording -> loss and right answers by kind of question; changes between passes; a data map."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from huggin.analysis.questions import Grouping, Passes, Running, all_in_one, between_passes, running
from huggin.analysis.suspects import losses_by_pass
from huggin.common.text import short
from huggin.graphs import palette, style
from huggin.graphs.runs import Beside, figure_name, side_by_side
from huggin.recording.reader import Recording

PER_ROW = 5  # kinds beside each other
PASSES = (  # in the order of the stack, from below
    ("stayed_right", palette.GOLD, "right before and now"),
    ("learned", palette.SERIES[2], "learned: wrong before, right now"),
    ("forgotten", palette.SERIES[5], "forgotten: right before, wrong now"),
    ("stayed_wrong", palette.NOTHING, "wrong before and now"),
)
CORNERS = (("easy to learn", 0.01, 0.97), ("ambiguous", 0.99, 0.5), ("hard to learn", 0.01, 0.03))
BARS = 40  # passes that are drawn as bars; more are drawn as areas


def draw_kinds(*runs: Recording, kinds: Sequence[Grouping]) -> dict[str, Figure]:
    """`questions-KEY`: two panels for each kind of question, loss and share of right answers.

    kinds: one grouping for each run, with the same names. Grey: all questions of the first run.
    Raises UserError if a run has no such table.
    """
    seen = [running(run.questions, grouping) for run, grouping in zip(runs, kinds, strict=True)]
    names = kinds[0].names
    shown = [
        kind for kind in range(len(names)) if any(each.windows[:, kind].any() for each in seen)
    ]
    title = f"How the questions did in training, {kinds[0].title}"
    name = figure_name(f"questions-{kinds[0].key}", runs)
    if max(len(each.middles) for each in seen) < style.FEW:
        return {name: _bars_of_kinds(title, runs, kinds, shown)}
    figure, pairs = _pairs(title, len(shown))
    first = runs[0].questions
    everything = running(first, all_in_one(first), most=len(seen[0].edges) - 1)
    beside = side_by_side(runs)
    for kind, pair in zip(shown, pairs, strict=True):
        total = sum(int(each.windows[:, kind].sum()) for each in seen)
        pair[0].set_title(f"{short(names[kind], 20)} ({total:,} windows)")
        for axes, values in zip(pair, (everything.loss, everything.right), strict=True):
            look: Any = {"color": palette.QUIET, "linewidth": 1, "linestyle": "--"}
            axes.plot(everything.middles, values[:, 0], **look)
        for run, each in zip(beside, seen, strict=True):
            _draw_kind(pair, run, each, kind)
        _label(pair)
    style.same_limits([loss for loss, _ in pairs])
    _explain(figure, pairs[0][0], beside)
    return {name: figure}


def _bars_of_kinds(
    title: str, runs: Sequence[Recording], kinds: Sequence[Grouping], shown: Sequence[int]
) -> Figure:
    """Loss and right answers of each kind over the training, for runs too short for curves."""
    figure = style.new_figure(8, 1.8 + 0.3 * len(shown) * len(runs), title)
    panels = figure.subplots(1, 2, sharey=True)
    thick = 0.8 / len(runs)
    for number, (run, kind) in enumerate(zip(side_by_side(runs), kinds, strict=True)):
        whole = running(run.recording.questions, kind, most=1)
        places = np.arange(len(shown)) + thick * (number - (len(runs) - 1) / 2)
        right = whole.right[0, shown]
        spread = np.abs(whole.right_interval[0, shown].T - right)
        look: Any = {"color": run.colour, "alpha": 0.6, "label": run.name}
        look |= {"capsize": 3, "ecolor": palette.INK}
        panels[0].barh(places, whole.loss[0, shown], thick, xerr=whole.loss_error[0, shown], **look)
        panels[1].barh(places, right, thick, xerr=spread, **look)
    panels[0].set_yticks(range(len(shown)), [short(kinds[0].names[kind], 20) for kind in shown])
    panels[0].invert_yaxis()
    panels[0].set_xlabel("loss (nats; whiskers: 95 % interval)")
    panels[1].set_xlabel("right (%)")
    panels[1].set_xlim(-3, 103)
    if len(runs) > 1:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower right")
    return figure


def _pairs(title: str, count: int) -> tuple[Figure, list[Sequence[Axes]]]:
    """A figure with two panels, one below the other, for each of `count` kinds."""
    blocks = -(-count // PER_ROW)
    columns = -(-count // blocks)
    figure = style.new_figure(max(6.5, 2.6 * columns + 0.8), 4.6 * blocks + 0.6, title)
    panels = figure.subplots(2 * blocks, columns, squeeze=False, sharex=True)
    pairs = panels.reshape(blocks, 2, columns).swapaxes(1, 2).reshape(-1, 2)
    for unused in pairs[count:].flat:
        unused.set_axis_off()
    return figure, pairs[:count].tolist()


def _draw_kind(pair: Sequence[Axes], run: Beside, seen: Running, kind: int) -> None:
    """One kind of one run; bands are 95 % intervals."""
    colour = run.colour
    known = np.flatnonzero(seen.windows[:, kind])
    at = seen.middles[known]
    loss = seen.loss[known, kind]
    error = seen.loss_error[known, kind]
    low, high = seen.right_interval[known, kind].T
    right = seen.right[known, kind]
    bands = ((loss, loss - error, loss + error), (right, low, high))
    for axes, (values, lower, upper) in zip(pair, bands, strict=True):
        axes.fill_between(at, lower, upper, color=colour, alpha=0.2, linewidth=0)
        axes.plot(at, values, color=colour, marker=".")


def _label(pair: Sequence[Axes]) -> None:
    place = pair[0].get_subplotspec()
    is_left = place is not None and place.is_first_col()
    style.by_step(pair[0], "loss (nats)" if is_left else "")
    style.by_step(pair[1], "right (%)" if is_left else "")
    pair[0].set_xlabel("")
    pair[1].set_ylim(-3, 103)
    pair[1].tick_params(labelbottom=True)
    pair[1].xaxis.set_major_locator(MaxNLocator(4, integer=True))


def _explain(figure: Figure, axes: Axes, beside: Sequence[Beside]) -> None:
    colours = {run.name or "this kind": run.colour for run in beside}
    lines: list[Artist] = [
        axes.plot([], [], color=colour, label=name)[0] for name, colour in colours.items()
    ]
    lines += axes.plot([], [], color=palette.QUIET, linestyle="--", label="all questions")
    lines += [axes.fill_between([], [], color=palette.QUIET, alpha=0.3, label="95 % interval")]
    figure.legend(
        handles=lines, loc="outside lower right", ncols=3, title="train mode, before each step"
    )


def draw_passes(*runs: Recording) -> dict[str, Figure]:
    """`questions-passes`: windows that were learned and forgotten from each pass to the next.

    Empty if every window was seen once in all runs. Raises UserError if a run has no such table.
    """
    found = [between_passes(run.questions) for run in runs]
    if not any(len(passes.learned) for passes in found):
        return {}
    title = "Learned and forgotten from one pass through the data to the next"
    if len(runs) == 1:
        learned, forgotten = (int(some.sum()) for some in (found[0].learned, found[0].forgotten))
        title = f"{title}: {learned:,} times learned, {forgotten:,} times forgotten"
    figure = style.new_figure(1 + 6 * len(runs), 5, title)
    panels = figure.subplots(1, len(runs), squeeze=False, sharey=True)[0]
    for axes, run, passes in zip(panels, side_by_side(runs), found, strict=True):
        axes.set_title(run.headline("in train mode; a pass is an epoch"))
        _draw_stack(axes, passes)
    panels[0].set_ylabel("windows of questions")
    style.whole(panels[0].yaxis)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=2)
    return {figure_name("questions-passes", runs): figure}


def _draw_stack(axes: Axes, passes: Passes) -> None:
    numbers = np.arange(2, len(passes.learned) + 2)
    values = [getattr(passes, name) for name, _, _ in PASSES]
    if len(numbers) > BARS:
        colours = [colour for _, colour, _ in PASSES]
        axes.stackplot(numbers, *values, colors=colours, labels=[name for _, _, name in PASSES])
    else:
        below = np.zeros(len(numbers))
        for counts, (_, colour, name) in zip(values, PASSES, strict=True):
            axes.bar(numbers, counts, bottom=below, color=colour, label=name)
            below += counts
    axes.set_xlabel("pass (compared with the one before)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(1.4, len(numbers) + 1.6)


def draw_data_map(run: Recording, suspects: Sequence[int] = ()) -> dict[str, Figure]:
    """`questions-suspects`, a data map: confidence by variability, a dot a question.

    How sure of each given answer the model was, and how steadily. Source: Dataset Cartography,
    Swayamdipta et al. 2020, https://arxiv.org/abs/2009.10795

    suspects: indices of the questions to mark. Losses that are not finite are left out. Empty if
    every question was seen once.
    """
    losses = losses_by_pass(run.questions)
    known = np.isfinite(losses.loss)
    passes = int(known.any(axis=0).sum())
    if passes < 2:
        return {}
    chance = np.exp(-np.where(known, losses.loss, np.nan)[known.any(axis=1)] / 2)
    confidence = np.nanmean(chance, axis=1)
    variability = np.nanstd(chance, axis=1)
    marked = np.isin(losses.index[known.any(axis=1)], suspects)
    figure = style.new_figure(7, 5.5, f"Data map of the training questions, over {passes} passes")
    axes = figure.subplots()
    axes.plot(variability, confidence, ".", color=palette.QUIET, alpha=0.6, label="question")
    label = f"the {marked.sum()} most suspicious"
    axes.plot(
        variability[marked], confidence[marked], "o", color=palette.INK, markersize=5, label=label
    )
    for name, across, up in CORNERS:
        side = "left" if across < 0.5 else "right"
        axes.text(across, up, name, transform=axes.transAxes, ha=side, va="center", style="italic")
    axes.set_xlabel("variability: standard deviation of the probability")
    axes.set_ylabel("confidence: mean probability of the given answer's start and end")
    axes.margins(0.08)
    style.legend_above(axes)
    return {"questions-suspects": figure}
