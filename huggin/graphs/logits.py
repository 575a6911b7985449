"""Recording -> figures of a tracked sample: its logits by token at three probes, its losses by step."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.graphs.output import (
    ACCENT,
    END,
    GOLD,
    QUIET,
    START,
    by_step,
    legend_above,
    new_figure,
    say_not_finite,
    tidy,
)
from huggin.learning import right_since
from huggin.recording import Probes, Recording

READABLE = 90  # tokens that can be written side by side on one axis
AROUND = 20  # tokens shown on either side of the answer where there are more
QUESTION = 55  # characters of it above a figure; all of it is in the PDF
INCHES_PER_TOKEN = 0.145


def draw_logits(recording: Recording, sample: int = 0) -> dict[str, Figure]:
    """`logits` and `sample-losses` of one tracked sample."""
    facts, probes = recording.facts["samples"][sample], recording.probes(sample)
    return {"logits": _logits(facts, probes), "sample-losses": _losses(facts, probes)}


def _logits(facts: dict[str, Any], probes: Probes) -> Figure:
    tokens = len(facts["tokens"])
    everything, near = range(tokens), _near_answer(facts)
    views = [everything] if tokens <= READABLE else [everything, near]
    width = max(6.0 * len(views), 1.2 + INCHES_PER_TOKEN * len(views[-1]) * len(views))
    figure = new_figure(width, 6, "Logits of the tracked sample by token")
    grid = figure.subplots(2, len(views), squeeze=False, sharex="col", sharey="row")
    _name_question(grid[0, 0], facts)
    for row, name, colour in ((0, "start", START), (1, "end", END)):
        for column, view in enumerate(views):
            _draw_view(grid[row, column], facts, probes, name, colour, view)
        grid[row, 0].set_ylabel(f"{name} logit")
        legend_above(grid[row, -1])
    for column, view in enumerate(views):
        _name_tokens(grid[1, column], facts, view, written=view is views[-1])
    return figure


def _draw_view(axes: Axes, facts: dict[str, Any], probes: Probes, name: str, colour: str, view: range) -> None:
    """One panel: a line for the first, the middle and the last probe over the tokens of `view`."""
    logits = getattr(probes, f"{name}_logits")
    places = sorted({0, len(logits) // 2, len(logits) - 1})
    for place, alpha in zip(places, np.linspace(0.3, 1, len(places)), strict=True):
        marker = "." if len(view) <= READABLE else ""
        line = {"color": colour, "alpha": alpha, "linewidth": 0.6 + alpha, "marker": marker}
        axes.plot(view, logits[place, view.start : view.stop], label=f"step {probes.step[place]}", **line)
    if facts["gold_end"]:
        axes.axvspan(facts["gold_start"] - 0.5, facts["gold_end"] + 0.5, color=GOLD, alpha=0.18, linewidth=0)
    say_not_finite(axes, logits[places, view.start : view.stop])
    axes.axhline(0, color=QUIET, linewidth=0.6)
    axes.set_xlim(view.start - 0.5, view.stop - 0.5)
    tidy(axes, "", "")


def _name_tokens(axes: Axes, facts: dict[str, Any], view: range, written: bool) -> None:
    if written:
        tokens = [facts["tokens"][t] for t in view]
        axes.set_xticks(view, tokens, rotation=90, fontsize=7, family="monospace", parse_math=False)
        for label, part in zip(axes.get_xticklabels(), facts["parts"][view.start : view.stop], strict=True):
            label.set_color("black" if part == "context" else QUIET)
        shaded = "shaded: the gold answer" if facts["gold_end"] else "no answer in this window"
        axes.set_xlabel(f"token (grey: the question; {shaded})")
    else:
        axes.set_xlabel("token's place (enlarged on the right)")


def _near_answer(facts: dict[str, Any]) -> range:
    first = max(0, facts["gold_start"] - AROUND)
    return range(first, min(len(facts["tokens"]), facts["gold_end"] + AROUND + 1))


def _losses(facts: dict[str, Any], probes: Probes) -> Figure:
    figure = new_figure(7, 5, "Loss of the tracked sample by step")
    axes = figure.subplots()
    _name_question(axes, facts)
    marker = "." if len(probes.step) < 60 else ""
    axes.plot(probes.step, probes.start_loss, color=START, marker=marker, label="start loss")
    axes.plot(probes.step, probes.end_loss, color=END, marker=marker, linestyle="--", label="end loss")
    since = right_since(probes, facts["gold_start"], facts["gold_end"]) if facts["gold_end"] else None
    if since is not None:
        axes.axvline(since, color=ACCENT, linestyle=":", label=f"answered right from step {since} on")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, frameon=False)
    say_not_finite(axes, np.concatenate([probes.start_loss, probes.end_loss]))
    by_step(axes, "loss (cross-entropy, nats)")
    return figure


def _name_question(axes: Axes, facts: dict[str, Any]) -> None:
    text = " ".join(facts["question"].split())
    shown = text if len(text) <= QUESTION else text[: QUESTION - 1] + "…"
    axes.set_title(shown, fontsize=9, loc="left", parse_math=False)
