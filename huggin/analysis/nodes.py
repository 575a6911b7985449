"""Arithmetic on recordings: changes of weight, shares of nodes in a logit, rankings of nodes.

A node is a hidden unit, the index on the last axis of activations and of the head's weight. The
QA head is linear: a token's logit is the sum over the nodes of weight x activation, plus the bias.
Therefore a node's *share*, weight x activation, is exact and not an estimate: the shares and the
bias add up to the logit (also known as direct logit attribution).
"""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from huggin.common.errors import BadValue, UserError
from huggin.common.text import in_columns
from huggin.common.window import Window
from huggin.recording.reader import Probes, Recording, Steps

RANKINGS = ("percent", "absolute", "share", "share-change")
OF_WEIGHTS = ("percent", "absolute")  # those that need no node snapshots
HALF = 2.0**-11  # the largest relative error of rounding to float16
BFLOAT = 2.0**-8  # the largest relative error of rounding to bfloat16
ROUNDINGS = 3  # of the activation, of the weight and of their sum
SMALLEST = 2.0**-24  # float16's smallest step: smaller numbers have no relative error
EACH_WAY = 5  # nodes that push a logit up, and as many that push it down
TOP = 10  # nodes in the tables
CELLS = ("{:.5f}", "{:.5f}", "{:+.5f}", "{:+.1f}%")  # first weight, last weight, change, percent


@dataclass(frozen=True)
class WeightChange:
    """The head's weights at two steps; row 0 = start, row 1 = end."""

    first_step: int
    last_step: int
    first: np.ndarray  # (2, hidden)
    last: np.ndarray  # (2, hidden)
    absolute: np.ndarray  # (2, hidden) last - first
    percent: np.ndarray  # (2, hidden) of the first weight's size; NaN if that is 0


def weight_change(steps: Steps) -> WeightChange:
    """The change from the first recorded step to the last: 100 (last - first) / |first| percent."""
    first = steps.weight[0].astype(float)
    last = steps.weight[-1].astype(float)
    size = np.where(first == 0, np.nan, np.abs(first))
    absolute = last - first
    percent = 100 * absolute / size
    return WeightChange(int(steps.step[0]), int(steps.step[-1]), first, last, absolute, percent)


@dataclass(frozen=True)
class Snapshots:
    """The head and its input for one tracked sample, at each node snapshot (the first axis)."""

    step: np.ndarray  # (snapshots,)
    activations: np.ndarray  # (snapshots, tokens, hidden) float16
    weight: np.ndarray  # (snapshots, 2, hidden) row 0 = start, row 1 = end
    bias: np.ndarray  # (snapshots, 2)

    def place(self, step: int | None) -> int:
        """The index of the snapshot after `step` steps; without a step, of the last one.

        Raises BadValue if there is no snapshot at this step.
        """
        if step is None:
            return len(self.step) - 1
        places = np.flatnonzero(self.step == step)
        if len(places) == 0:
            known = ", ".join(map(str, self.step))
            raise BadValue("step", step, f"no snapshot of the nodes; there are some at {known}")
        return int(places[0])

    def shares(self, row: int, token: int) -> np.ndarray:
        """Each node's share in a token's logit, (snapshots, hidden); row 0 = start, 1 = end."""
        return self.weight[:, row] * self.activations[:, token].astype(np.float32)

    def margin_shares(self, gold: int, rival: int) -> np.ndarray:
        """Each node's share in the start logit of `gold` minus that of `rival`.

        Returns (snapshots, hidden). The bias cancels out.
        """
        return self.shares(0, gold) - self.shares(0, rival)

    def logits(self) -> np.ndarray:
        """The sum of all shares and the bias, (snapshots, 2, tokens)."""
        sums = np.einsum("srh,sth->srt", self.weight, self.activations.astype(np.float32))
        return sums + self.bias[:, :, None]  # without BLAS, whose threads take longer to start

    def rival(self, place: int, window: Window) -> int:
        """The token with the highest start logit of all rivals of the true start, at one snapshot.

        Raises UserError if the context has no other token.
        """
        allowed = rivals(window.gold_start, window.parts)
        if not allowed.any():
            what = "the tracked sample's context is one token"
            raise UserError(f"{what}, so there is no other to compare with; choose another sample")
        return int(np.where(allowed, self.logits()[place, 0], -np.inf).argmax())


def rivals(gold: int, parts: list[str]) -> np.ndarray:
    """The tokens that could be answered instead of `gold`, (tokens,) bool: those of the context."""
    allowed = np.array(parts) == "context"
    allowed[gold] = False
    return allowed


def snapshots(recording: Recording, sample: int = 0) -> Snapshots:
    """All node snapshots of a tracked sample.

    Raises UserError if there are none, or if the shares do not add up to the recorded logits: then
    the recorded activations are not the head's input.
    """
    outputs = recording.head_inputs(sample)
    steps = recording.steps
    places = {int(step): place for place, step in enumerate(steps.step)}
    known = [step for step in outputs if step in places]  # a killed run may have lost its last step
    rows = [places[step] for step in known]
    activations = np.stack([outputs[step] for step in known])
    found = Snapshots(np.array(known), activations, steps.weight[rows], steps.bias[rows])
    ours, own = beside_probes(recording.probes(sample), found.step)
    limit = tolerance(found, unit_of(recording))[ours]
    if at := untrue_at(found.step[ours], found.logits()[ours], own, limit):
        why = "the model transforms them before its head, or they overflow float16"
        what = f"{recording.run.path}: the recorded nodes do not add up to the logits"
        raise UserError(f"{what} ({at}, sample {sample}): {why}; no shares are drawn")
    return found


def unit_of(recording: Recording) -> float:
    """The relative error of one rounding in the numbers that the model computed with."""
    return BFLOAT if recording.facts.fixed.get("bf16") else HALF


def tolerance(found: Snapshots, unit: float) -> np.ndarray:
    """The largest error that rounding can cause in the sums, (snapshots, 2, tokens).

    unit: the relative error of one rounding. Each term is rounded, so the errors add up in
    proportion to the terms' sizes.
    """
    sizes = np.abs(found.activations.astype(np.float32))
    sums = np.einsum("srh,sth->srt", np.abs(found.weight), sizes)
    terms = sums + np.abs(found.bias)[:, :, None]
    too_small = SMALLEST * np.abs(found.weight).sum(axis=2)[:, :, None]
    return ROUNDINGS * unit * terms + too_small


def beside_probes(probes: Probes, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of the probed steps among others, and the logits there (places, 2, tokens)."""
    _, ours, theirs = np.intersect1d(step, probes.step, return_indices=True)
    return ours, np.stack([probes.start_logits[theirs], probes.end_logits[theirs]], axis=1)


def untrue_at(step: np.ndarray, logits: np.ndarray, own: np.ndarray, limit: np.ndarray) -> str:
    """At which step logits are not those that the model computed; "" if all of them are.

    step: (steps,). logits, own, limit of their difference: (steps, 2, tokens).
    """
    close = np.abs(logits.astype(np.float32) - own) <= limit
    wrong = (~close & np.isfinite(own)).any(axis=(1, 2))
    if not len(step):
        return "no step"
    return f"step {step[wrong][0]}" if wrong.any() else ""


def ranking_values(recording: Recording, rank_by: str, sample: int = 0) -> np.ndarray:
    """The values by which nodes are ranked, with their signs, (hidden,).

    percent, absolute: the larger of the changes of a node's start and end weight. share: in the
    margin of the true start over its best rival, at the last snapshot. share-change: that minus
    the share in the margin over the same rival at the first snapshot. Raises BadValue for another
    name, and UserError as `snapshots` does.
    """
    if rank_by not in RANKINGS:
        raise BadValue("rank_by", rank_by, f"choose from {', '.join(RANKINGS)}")
    if rank_by in OF_WEIGHTS:
        values = getattr(weight_change(recording.steps), rank_by)
        rows = np.nan_to_num(np.abs(values)).argmax(axis=0)
        return np.take_along_axis(values, rows[None], axis=0)[0]
    window = recording.tracked(sample)
    found = snapshots(recording, sample)
    shares = found.margin_shares(window.gold_start, found.rival(-1, window))
    return shares[-1] if rank_by == "share" else shares[-1] - shares[0]


def nodes_for_half(shares: np.ndarray) -> int:
    """The smallest number of nodes that give half of all positive shares; shares: (hidden,)."""
    up = np.sort(shares[shares > 0])[::-1].cumsum()
    return int(np.searchsorted(up, up[-1] / 2)) + 1 if len(up) else 0


def ranked(values: np.ndarray) -> np.ndarray:
    """All nodes (hidden,), the one with the largest absolute value first, undefined values last."""
    return np.argsort(-np.nan_to_num(np.abs(values)), kind="stable")


@dataclass(frozen=True)
class NodeChoice:
    """Which node is tracked."""

    node: int | None = None  # None: the first of the ranking
    rank_by: str | None = None  # one of RANKINGS; None: share, or else absolute
    sample: int = 0  # the tracked sample that `share` and `share-change` are about


TOP_RANKED = NodeChoice()


@dataclass(frozen=True)
class Ranking:
    """All nodes by rank."""

    name: str  # one of RANKINGS
    nodes: np.ndarray  # (hidden,) the tracked node first, the others by rank


def rank_nodes(recording: Recording, choice: NodeChoice) -> Ranking:
    """All nodes by rank, but the tracked node first.

    If no ranking is chosen: `share` if the recording has node snapshots of the sample whose shares
    are known, else `absolute`.
    Raises BadValue if the head has no such node, and as `ranking_values` does.
    """
    name, values = choice.rank_by or "absolute", None
    if choice.rank_by is None:
        recording.tracked(choice.sample)
        with suppress(UserError):
            shares = ranking_values(recording, "share", choice.sample)
            if np.isfinite(shares).all():
                name, values = "share", shares
    if values is None:
        values = ranking_values(recording, name, choice.sample)
    nodes = ranked(values)
    node = choice.node
    if node is None:
        return Ranking(name, nodes)
    if not 0 <= node < len(nodes):
        raise BadValue("node", node, f"the head has nodes 0 to {len(nodes) - 1}")
    return Ranking(name, np.concatenate([[node], nodes[nodes != node]]))


def tracked_node(recording: Recording, choice: NodeChoice) -> int:
    """The node that is chosen. Raises as `rank_nodes` does."""
    return int(rank_nodes(recording, choice).nodes[0])


def top_shares(found: Snapshots, each_way: int = EACH_WAY) -> tuple[np.ndarray, np.ndarray]:
    """For every token, the nodes that push its start and its end logit up most, and down most.

    Returns their numbers, uint16, and their shares, float32: (snapshots, 2, tokens, top); row 0 =
    start, row 1 = end; the last axis as `largest_both_ways` has it.
    """
    tops = [
        largest_both_ways(weight[:, None, :] * activations.astype(np.float32), each_way)
        for weight, activations in zip(found.weight, found.activations, strict=True)
    ]
    nodes, shares = zip(*tops, strict=True)
    return np.stack(nodes), np.stack(shares)


def largest_both_ways(shares: np.ndarray, each_way: int) -> tuple[np.ndarray, np.ndarray]:
    """The places and values of the largest shares, falling, and of the smallest, rising.

    shares: (.., nodes). Returns two arrays (.., top), with top = 2 x each_way, or less if there are
    not so many nodes.
    """
    count = min(each_way, shares.shape[-1] // 2)
    ends = []
    for values in (-shares, shares):  # the largest, then the smallest
        some = np.argpartition(values, count - 1, axis=-1)[..., :count]
        order = np.argsort(np.take_along_axis(values, some, axis=-1), axis=-1)
        ends.append(np.take_along_axis(some, order, axis=-1))
    nodes = np.concatenate(ends, axis=-1)
    return nodes.astype(np.uint16), np.take_along_axis(shares, nodes, axis=-1)


def table_of_nodes(recording: Recording, choice: NodeChoice = TOP_RANKED) -> str:
    """The weights of the first nodes of the ranking, the tracked node first."""
    change = weight_change(recording.steps)
    columns = np.stack([change.first, change.last, change.absolute, change.percent], axis=-1)
    heads = [[f"{end} first", "last", "change", "percent"] for end in ("start", "end")]
    rows = [["node", *heads[0], *heads[1]]]
    ranking = rank_nodes(recording, choice)
    for node in ranking.nodes[:TOP]:
        numbers = columns[:, node].ravel()  # (2, 4)
        cells = [form.format(number) for form, number in zip(CELLS * 2, numbers, strict=True)]
        rows.append([str(node), *cells])
    return "\n".join([*in_columns(rows, left=()), f"ranked by {ranking.name}"])


def table_of_rankings(recording: Recording, choice: NodeChoice = TOP_RANKED) -> str:
    """The first nodes of the chosen ranking with their values and places in all four rankings.

    Below it, how many of the first TOP nodes each pair of rankings shares.
    """
    values = {name: ranking_values(recording, name, choice.sample) for name in RANKINGS}
    order = {name: ranked(value) for name, value in values.items()}
    place = {name: np.argsort(nodes) + 1 for name, nodes in order.items()}
    rows = [["node", *(head for name in RANKINGS for head in (name, "place"))]]
    for node in rank_nodes(recording, choice).nodes[:TOP]:
        row = [str(node)]
        for name in RANKINGS:
            form = "{:+.1f}%" if name == "percent" else "{:+.5f}"
            row += [form.format(values[name][node]), str(place[name][node])]
        rows.append(row)
    top = {name: set(nodes[:TOP].tolist()) for name, nodes in order.items()}
    lines = [f"of the first {TOP} nodes by"]
    for name in RANKINGS:
        others = [other for other in RANKINGS if other != name]
        shared = [f"{len(top[name] & top[other])} by {other}" for other in others]
        lines.append(f"{name:>14}: {', '.join(shared)} too")
    return "\n".join([*in_columns(rows, left=()), *lines])
