"""Explained answers -> figures: the text shaded, top words, agreement of methods, word by step."""

import textwrap
from collections.abc import Collection
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from huggin.graphs.style import ACCENT, END, GOLD, QUIET, START, legend_above, new_figure
from huggin.lime.fonts import families_for, use_fonts
from huggin.lime.quality import LEAVE_ONE_OUT, LIME, RANDOM
from huggin.lime.words.found import FILE, ByStep, Finding, Kept, Segment
from huggin.lime.words.text import isolated
from huggin.lime.words.text_figure import draw_text

FOR_AGAINST = LinearSegmentedColormap.from_list("against-for", [END, "#ffffff", GOLD])
NEITHER = "#c0c8cf"
KINDS = ("words", "sentences", "spans")  # of segments
NAMES = {  # of all figures
    "agreement",
    *(name for kind in KINDS for name in (kind, f"top-{kind}", f"{kind}-by-step")),
}
BARS = 12  # segments each way
ROWS = 18  # segments in the figure of the methods
ROWS_BY_STEP = 40
METHODS = {LIME: START, LEAVE_ONE_OUT: END, "integrated gradients": ACCENT, RANDOM: QUIET}
NAMED = 28  # characters of a segment on an axis


def draw_kept(kept: Kept) -> dict[str, Figure]:
    """All figures of an explained answer by their names."""
    figures: dict[str, Figure] = {}
    for finding in kept.findings:
        figures[finding.kind] = draw_text(finding, kept.asked)
        figures[f"top-{finding.kind}"] = draw_bars(finding, kept)
    last = kept.findings[-1]
    if last.agreement:
        figures["agreement"] = draw_agreement(last, kept)
    if kept.by_step:
        figures[f"{last.kind}-by-step"] = draw_by_step(last, kept.by_step, kept)
    letters = kept.asked.question + kept.asked.context
    for figure in figures.values():
        use_fonts(figure, families_for(letters)[0])
    return figures


def remove_others(folder: Path, figures: Collection[str]) -> None:
    """Remove the figures that only an earlier explanation had."""
    if (folder / FILE).is_file():  # otherwise they are not ours
        for name in NAMES.difference(figures):
            (folder / f"{name}.png").unlink(missing_ok=True)


def draw_bars(finding: Finding, kept: Kept) -> Figure:
    """The segments with the largest coefficients both ways, with their standard errors."""
    ranked = sorted(finding.segments, key=lambda segment: segment.rank)
    shown = [segment for segment in ranked[:BARS] if segment.coefficient > 0]
    shown += [segment for segment in ranked[-BARS:] if segment.coefficient <= 0]
    title = f"Why “{isolated(finding.target, 50)}”?\n{isolated(kept.asked.question, 60)}"
    figure = new_figure(8, 1.9 + 0.27 * len(shown), title)
    axes = figure.subplots()
    values = [segment.coefficient for segment in shown]
    errors = [segment.standard_error or 0.0 for segment in shown]
    axes.barh(
        range(len(shown)),
        values,
        xerr=errors,
        color=[_colour(finding, segment) for segment in shown],
        error_kw={"lw": 1, "capsize": 2},
    )
    axes.set_yticks(range(len(shown)), [finding.label(segment, NAMED) for segment in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"coefficient ({finding.scale})")
    note = "green: for it;  red: against it;  grey: may be chance;  whiskers: ± 1 standard error"
    figure.supxlabel(note, fontsize=9)
    return figure


def _colour(finding: Finding, segment: Segment) -> str:
    if not finding.is_clear(segment):
        return NEITHER
    return GOLD if segment.coefficient > 0 else END


def draw_agreement(finding: Finding, kept: Kept) -> Figure:
    """What each method says of the first segments, and the curves of their orders."""
    assert finding.agreement
    values = {name: np.array(found) for name, found in finding.agreement.values.items()}
    scaled = {name: found / (np.abs(found).max() or 1) for name, found in values.items()}
    mean = np.mean(list(scaled.values()), axis=0)
    shown = np.sort(np.argsort(-np.abs(mean), kind="stable")[:ROWS])
    title = f"Do the methods agree? {isolated(kept.asked.question, 90)}"
    figure = new_figure(14, 2 + 0.25 * max(len(shown), 12), title)
    left, *curves = figure.subplots(1, 3, width_ratios=[1.1, 1, 1])
    grid = np.array([found[shown] for found in scaled.values()]).T
    names = [f"{name}\n{_compared(finding, name)}" for name in scaled]
    labels = [finding.label(finding.segments[number], NAMED) for number in shown]
    _draw_grid(left, grid, names, labels)
    left.set_title("each method's values, largest = 1; in the text's order")
    for axes, (way, done, better) in zip(
        curves, (("deletion", "hidden", "lower"), ("insertion", "shown", "higher"))
    ):
        for name, curve in finding.agreement.curves.items():
            label = f"{name}: area {getattr(curve, f'{way}_auc'):.2f}"
            axes.plot(
                curve.shown, getattr(curve, way), color=METHODS[name], label=label, marker="."
            )
        axes.set(xlabel=f"{finding.kind} {done}", ylabel=f"{finding.scale} of the span")
        axes.set_title(f"{way} ({better} is better)\n\n\n")
        legend_above(axes, rows=2)
    figure.supxlabel("\n".join(textwrap.wrap(finding.believe, 150)), fontsize=10)
    return figure


def _compared(finding: Finding, name: str) -> str:
    """How a method compares with LIME."""
    assert finding.agreement
    if name == LIME:
        return ""
    rho, shared = finding.agreement.with_lime(name)
    number = "-" if rho is None else f"{rho:.2f}"
    return f"ρ {number}, top {shared}/{finding.agreement.top}"


def _draw_grid(axes: Axes, grid: np.ndarray, columns: list[str], rows: list[str]) -> None:
    """Values in [-1, 1] (rows, columns) in green and red."""
    axes.imshow(grid, cmap=FOR_AGAINST, norm=Normalize(-1, 1), aspect="auto")
    axes.set_xticks(range(len(columns)), columns, fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    axes.grid(visible=False)
    for row, column in np.ndindex(grid.shape):
        axes.text(column, row, f"{grid[row, column]:+.2f}", ha="center", va="center", fontsize=7)


def draw_by_step(finding: Finding, found: ByStep, kept: Kept) -> Figure:
    """The score by step, and below it each segment's coefficient at each checkpoint."""
    coefficients = np.array(found.coefficients)  # (steps, segments)
    size = np.abs(coefficients).max(axis=0)
    shown = np.sort(np.argsort(-size, kind="stable")[:ROWS_BY_STEP])
    title = f"When were the words read?\n{isolated(kept.asked.question, 80)}"
    figure = new_figure(10, 3.6 + 0.2 * len(shown), title)
    ratios = [1.6, 0.2 * len(shown) + 0.6]
    top, axes = figure.subplots(2, 1, height_ratios=ratios, sharex=True)
    columns = np.arange(len(found.steps))
    top.plot(columns, found.scores, color=START, marker="o", markerfacecolor="white")
    right = np.flatnonzero(found.is_answer)
    label = f"the model answers: {isolated(finding.target, 30)}"
    top.plot(right, np.array(found.scores)[right], "o", color=START, label=label)
    top.set_ylabel(f"{finding.scale} of\n“{isolated(finding.target, 16)}”")
    if len(right):
        legend_above(top)
    most = size.max() or 1.0
    image = axes.imshow(
        coefficients.T[shown], cmap=FOR_AGAINST, norm=Normalize(-most, most), aspect="auto"
    )
    labels = [finding.label(finding.segments[number], NAMED) for number in shown]
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.set_xticks(columns, map(str, found.steps))
    axes.grid(visible=False)
    axes.set_xlabel("step")
    figure.colorbar(image, ax=axes, label=f"coefficient ({finding.scale})", pad=0.01)
    return figure
