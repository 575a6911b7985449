"""Recording -> figures of what each node gives to a tracked sample's logits, at one snapshot and by step."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from huggin.analysis.nodes import NodeChoice, nodes_for_half, ranked_nodes, snapshots
from huggin.common.errors import BadValue
from huggin.common.text import short
from huggin.common.window import Window
from huggin.graphs.runs import figure_name, same_sample, side_by_side
from huggin.graphs.style import (
    ACCENT,
    END,
    QUIET,
    START,
    by_step,
    dots,
    legend_above,
    new_figure,
    say_not_finite,
)
from huggin.recording.reader import Recording

EACH_WAY = 6  # nodes drawn of those that push up, and of those that push down
BY_STEP = 6  # nodes drawn by step
PALE = 0.45
BY_SHARE = NodeChoice(rank_by="share")
Sum = tuple[
    str, str, np.ndarray, float | None
]  # title, colour, shares (hidden,), bias where it does not cancel


def draw_shares(
    *runs: Recording, token: str | None = None, step: int | None = None, sample: int = 0
) -> dict[str, Figure]:
    """`shares` at a snapshot, the last without `step`: the largest shares, up and down, and what remains.

    Of the start and end logit of `token` (its place or its text), without one of the gold start and the gold end; and
    of the margin of the gold start over `token`, without one over its best rival. Raises UserError for a token that is
    not there, and as `nodes.snapshots` does.
    """
    windows = same_sample(runs, sample)
    places = [None if token is None else find_token(window.tokens, token) for window in windows]
    sums = [_sums(*each, step, sample) for each in zip(runs, windows, places, strict=True)]
    what = "What each node gives to the logits of the tracked sample: weight x activation"
    figure = new_figure(14, 5.5 * len(runs), what)
    parts = figure.subfigures(len(runs), 1, squeeze=False)[:, 0]
    for part, run, window, (at, panels) in zip(
        parts, side_by_side(runs), windows, sums, strict=True
    ):
        title = run.headline(f"{short(window.question)}  After step {at}.")
        part.suptitle(title, fontsize=10, color=run.colour)
        grid = part.subplots(2, len(panels), height_ratios=[3, 1])
        for axes, panel in zip(grid.T, panels, strict=True):
            _draw_sum(axes[0], axes[1], *panel)
    asked = "".join(
        f"-{name}-{value}"
        for name, value in (("token", places[0]), ("step", step))
        if value is not None
    )
    return {figure_name("shares" + asked, runs, sample): figure}


def draw_shares_over_time(*runs: Recording, choice: NodeChoice = BY_SHARE) -> dict[str, Figure]:
    """`shares-over-time`: the margin of the gold start by step, with the shares of the ranking's first nodes.

    The rival is the best one at the last snapshot, at every step.
    """
    figure = new_figure(7 * len(runs), 5, "Shares in the margin of the gold start, by step")
    panels = figure.subplots(1, len(runs), squeeze=False, sharey=True)[0]
    for axes, run, window in zip(
        panels, side_by_side(runs), same_sample(runs, choice.sample), strict=True
    ):
        found = snapshots(run.recording, choice.sample)
        gold = window.gold_start
        rival = found.rival(-1, window)
        title = run.headline(f"{_name(window, gold)} over {_name(window, rival)}")
        axes.set_title(title + "\n", color=run.colour)  # the legend's line
        shown = ranked_nodes(run.recording, choice)[:BY_STEP]
        _draw_by_step(axes, found.step, found.margin_shares(gold, rival), shown)
    return {figure_name("shares-over-time", runs, choice.sample): figure}


def find_token(tokens: Sequence[str], wanted: str) -> int:
    """The place of a token that is given by its place, or by its text where that stands there once."""
    if wanted.isdecimal() and int(wanted) < len(tokens):
        return int(wanted)
    places = [place for place, token in enumerate(tokens) if token == wanted]
    if len(places) != 1:
        unknown = f"not in the sample; name one of its tokens, or a place, 0 to {len(tokens) - 1}"
        several = f"stands at the places {', '.join(map(str, places))}; name one of them"
        raise BadValue("token", wanted, several if places else unknown)
    return places[0]


def _sums(
    run: Recording, window: Window, token: int | None, step: int | None, sample: int
) -> tuple[int, list[Sum]]:
    """The snapshot's step, and the three sums that are drawn."""
    found = snapshots(run, sample)
    at = found.place(step)
    gold = start = window.gold_start
    end = window.gold_end
    rival = found.rival(at, window)
    if token is not None:
        start = end = token
        rival = rival if start == gold else start
    bias, margin = found.bias[at].tolist(), found.margin_shares(gold, rival)[at]
    return int(found.step[at]), [
        (f"start logit of {_name(window, start)}", START, found.shares(0, start)[at], bias[0]),
        (f"end logit of {_name(window, end)}", END, found.shares(1, end)[at], bias[1]),
        (f"start of {_name(window, gold)} over {_name(window, rival)}", ACCENT, margin, None),
    ]


def _name(window: Window, token: int) -> str:
    return f"“{short(window.tokens[token], 16)}” ({token})"


def _draw_sum(
    named_axes: Axes,
    sum_axes: Axes,
    title: str,
    colour: str,
    shares: np.ndarray,
    bias: float | None,
) -> None:
    """Above, bars from the largest share up to the largest down; below, on a scale of its own, how all adds up."""
    named_axes.set_title(title)
    say_not_finite(named_axes, shares)
    if not np.isfinite(shares).all():
        return
    order = np.argsort(-shares, kind="stable")
    up = [node for node in order[:EACH_WAY] if shares[node] > 0]
    down = [node for node in order[EACH_WAY:][-EACH_WAY:] if shares[node] < 0]
    named = [*up, *down]
    above, total = float(shares[named].sum()), float(shares.sum())
    _draw_bars(named_axes, [(f"node {node}", float(shares[node]), colour) for node in named])
    named_axes.set_xlabel(f"share ({nodes_for_half(shares)} nodes give half of what pushes up)")
    rows = [(f"the {len(named)} nodes above", above, colour)]
    rows.append((f"the other {len(order) - len(named)} nodes", total - above, QUIET))
    if bias is not None:
        rows.append(("bias", bias, QUIET))
    rows.append(("together", total + (bias or 0.0), "black"))
    _draw_bars(sum_axes, rows)


def _draw_bars(axes: Axes, rows: Sequence[tuple[str, float, str]]) -> None:
    """rows: name, value, colour, from top to bottom; bars to the left are paler."""
    values = [value for _, value, _ in rows]
    shades = [
        to_rgba(colour, PALE if value < 0 and colour != "black" else 1) for _, value, colour in rows
    ]
    bars = axes.barh(range(len(rows)), values, color=shades)
    digits = int(
        np.clip(2 - np.floor(np.log10(max([1e-9, *map(abs, values)]))), 0, 9)
    )  # three of the largest
    axes.bar_label(bars, fmt=f"{{:+.{digits}f}}", padding=3, fontsize=8)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=8)
    axes.invert_yaxis()
    axes.locator_params(axis="x", nbins=5)
    axes.margins(x=0.25)  # for the numbers
    axes.axvline(0, color=QUIET, linewidth=0.6)
    axes.grid(visible=False)


def _draw_by_step(axes: Axes, step: np.ndarray, shares: np.ndarray, shown: np.ndarray) -> None:
    """shares: (snapshots, hidden) in the margin; shown: the nodes with a line of their own."""
    axes.plot(
        step, shares[:, shown], marker=dots(len(step)), linewidth=1.2, label=list(map(str, shown))
    )
    rest = shares.sum(axis=1) - shares[:, shown].sum(axis=1)
    axes.plot(step, rest, color=QUIET, linestyle="--", label="the others")
    axes.plot(step, shares.sum(axis=1), color="black", linewidth=1.8, label="margin")
    axes.axhline(0, color=QUIET, linewidth=0.6)
    say_not_finite(axes, shares)
    legend_above(axes)
    by_step(axes, "share in the margin of start logits")
