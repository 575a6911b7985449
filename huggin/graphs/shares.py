"""Recording -> figures of what each node gives to a tracked sample's logits, at one snapshot and by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.door import UserError
from huggin.graphs.output import ACCENT, END, QUIET, START, by_step, legend_above, new_figure, say_not_finite, tidy
from huggin.graphs.runs import figure_name, same_sample, side_by_side
from huggin.graphs.tokens import QUESTION, short
from huggin.nodes import Snapshots, nodes_for_half, ranked_nodes, snapshots
from huggin.recording import Recording

EACH_WAY = 6  # nodes drawn of those that push up, and of those that push down
BY_STEP = 6  # nodes drawn by step
PALE = 0.45


@dataclass(frozen=True)
class Sum:
    """A number that is a sum over the nodes."""

    what: str
    colour: str
    shares: np.ndarray  # (hidden,)
    bias: float | None  # None where it cancels


def draw_shares(
    *runs: Recording, token: str | None = None, step: int | None = None, sample: int = 0
) -> dict[str, Figure]:
    """`shares` at a snapshot, the last without `step`: the largest shares, up and down, and what remains.

    Of the start and end logit of `token` (its place or its text), without one of the gold start and the gold end; and
    of the margin of the gold start over `token`, without one over its best rival. Raises UserError for a token that is
    not there, and as `nodes.snapshots` does.
    """
    facts = same_sample(runs, sample)
    places = [None if token is None else find_token(each["tokens"], token) for each in facts]
    sums = [_sums(*each, step, sample) for each in zip(runs, facts, places, strict=True)]
    figure = new_figure(
        14, 5.5 * len(runs), "What each node gives to the logits of the tracked sample: weight x activation"
    )
    parts = figure.subfigures(len(runs), 1, squeeze=False)[:, 0]
    for part, run, each, (at, panels) in zip(parts, side_by_side(runs), facts, sums, strict=True):
        question = short(each["question"], QUESTION)
        part.suptitle(run.headline(f"{question}  After step {at}."), fontsize=10, color=run.colour, parse_math=False)
        grid = part.subplots(2, len(panels), height_ratios=[3, 1])
        for axes, panel in zip(grid.T, panels, strict=True):
            _draw_sum(axes[0], axes[1], panel)
    asked = "".join(f"-{name}-{value}" for name, value in (("token", places[0]), ("step", step)) if value is not None)
    return {figure_name("shares" + asked, runs, sample): figure}


def draw_shares_over_time(
    *runs: Recording, node: int | None = None, rank_by: str = "share", sample: int = 0
) -> dict[str, Figure]:
    """`shares-over-time`: the margin of the gold start by step, with the shares of the ranking's first nodes.

    The rival is the best one at the last snapshot, at every step.
    """
    figure = new_figure(7 * len(runs), 5, "Shares in the margin of the gold start, by step")
    panels = figure.subplots(1, len(runs), squeeze=False, sharey=True)[0]
    for axes, run, facts in zip(panels, side_by_side(runs), same_sample(runs, sample), strict=True):
        found = snapshots(run.recording, sample)
        gold, rival = _gold_and_rival(found, facts, -1)
        axes.set_title(
            run.headline(f"{_name(facts, gold)} over {_name(facts, rival)}") + "\n",  # the legend's line
            **{"fontsize": 9, "loc": "left", "color": run.colour, "parse_math": False},
        )
        shown = ranked_nodes(run.recording, node, rank_by, sample)[:BY_STEP]
        _draw_by_step(axes, found.step, found.margin_shares(gold, rival), shown)
    return {figure_name("shares-over-time", runs, sample): figure}


def find_token(tokens: Sequence[str], wanted: str) -> int:
    """The place of a token that is given by its place, or by its text where that stands there once."""
    if wanted.isdecimal() and int(wanted) < len(tokens):
        return int(wanted)
    places = [place for place, token in enumerate(tokens) if token == wanted]
    if len(places) > 1:
        raise UserError(f"--token {wanted}: stands at the places {', '.join(map(str, places))}; name one of them")
    if not places:
        raise UserError(
            f"--token {wanted}: not in the sample; name one of its tokens, or a place, 0 to {len(tokens) - 1}"
        )
    return places[0]


def _sums(
    run: Recording, facts: dict[str, Any], token: int | None, step: int | None, sample: int
) -> tuple[int, list[Sum]]:
    """The snapshot's step, and the three sums that are drawn."""
    found = snapshots(run, sample)
    at = found.place(step)
    gold, rival = _gold_and_rival(found, facts, at)
    start, end = gold, facts["gold_end"]
    if token is not None:
        start = end = token
        rival = rival if start == gold else start
    bias = found.bias[at].tolist()
    return int(found.step[at]), [
        Sum(f"start logit of {_name(facts, start)}", START, found.shares(0, start)[at], bias[0]),
        Sum(f"end logit of {_name(facts, end)}", END, found.shares(1, end)[at], bias[1]),
        Sum(
            f"start of {_name(facts, gold)} over {_name(facts, rival)}",
            ACCENT,
            found.margin_shares(gold, rival)[at],
            None,
        ),
    ]


def _gold_and_rival(found: Snapshots, facts: dict[str, Any], place: int) -> tuple[int, int]:
    gold = facts["gold_start"]
    return gold, found.rival(place, gold, facts["parts"])


def _name(facts: dict[str, Any], token: int) -> str:
    return f"“{short(facts['tokens'][token], 16)}” ({token})"


def _draw_sum(named_axes: Axes, sum_axes: Axes, each: Sum) -> None:
    """Above, bars from the largest share up to the largest down; below, on a scale of its own, how all adds up."""
    named_axes.set_title(each.what, fontsize=10, loc="left", parse_math=False)
    say_not_finite(named_axes, each.shares)
    if not np.isfinite(each.shares).all():
        return
    order = np.argsort(-each.shares, kind="stable")
    up = [node for node in order[:EACH_WAY] if each.shares[node] > 0]
    down = [node for node in order[max(EACH_WAY, len(order) - EACH_WAY) :] if each.shares[node] < 0]
    named = [*up, *down]
    above, total = float(each.shares[named].sum()), float(each.shares.sum())
    _draw_bars(named_axes, [(f"node {node}", float(each.shares[node]), each.colour) for node in named])
    half = nodes_for_half(each.shares)
    named_axes.set_xlabel(f"share ({half} nodes give half of what pushes up)")
    rows = [(f"the {len(named)} nodes above", above, each.colour)]
    rows.append((f"the other {len(order) - len(named)} nodes", total - above, QUIET))
    if each.bias is not None:
        rows.append(("bias", each.bias, QUIET))
    rows.append(("together", total + (each.bias or 0.0), "black"))
    _draw_bars(sum_axes, rows)


def _draw_bars(axes: Axes, rows: Sequence[tuple[str, float, str]]) -> None:
    """rows: name, value, colour, from top to bottom; bars to the left are paler."""
    values = np.array([value for _, value, _ in rows])
    low, high = min(values.min(initial=0), 0), max(values.max(initial=0), 0)
    digits = int(np.clip(2 - np.floor(np.log10(max(high, -low, 1e-9))), 0, 9))  # three of the largest
    for place, (_, value, colour) in enumerate(rows):
        right = value >= 0
        axes.barh(place, value, color=colour, alpha=1 if right or colour == "black" else PALE)
        look: dict[str, Any] = {"ha": "left" if right else "right", "va": "center", "fontsize": 8}
        axes.annotate(
            f"{value:+.{digits}f}", (value, place), (3 if right else -3, 0), textcoords="offset points", **look
        )
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=8)
    axes.invert_yaxis()
    axes.locator_params(axis="x", nbins=5)
    room = 0.25 * (high - low) or 1.0  # for the numbers
    axes.set_xlim(low - room * bool((values < 0).any()), high + room * bool((values >= 0).any()))
    axes.axvline(0, color=QUIET, linewidth=0.6)
    tidy(axes, "", "")
    axes.grid(visible=False, axis="y")


def _draw_by_step(axes: Axes, step: np.ndarray, shares: np.ndarray, shown: np.ndarray) -> None:
    """shares: (snapshots, hidden) in the margin; shown: the nodes with a line of their own."""
    marker = "." if len(step) < 60 else ""
    for place, node in enumerate(shown):
        axes.plot(step, shares[:, node], color=f"C{place}", marker=marker, linewidth=1.2, label=str(node))
    rest = shares.sum(axis=1) - shares[:, shown].sum(axis=1)
    axes.plot(step, rest, color=QUIET, linestyle="--", label="the others")
    axes.plot(step, shares.sum(axis=1), color="black", linewidth=1.8, label="margin")
    axes.axhline(0, color=QUIET, linewidth=0.6)
    say_not_finite(axes, shares)
    legend_above(axes)
    by_step(axes, "share in the margin of start logits")
