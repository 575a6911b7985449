"""Arithmetic on recordings: how the head's weights changed, what each node gives to a logit, which nodes matter most.

A node is a hidden unit, the index on the last axis of activations and of the head's weight. The head is linear: a
token's logit is the sum over the nodes of weight x activation, plus the bias. So a node's *share*, weight x
activation, is exact: nothing is estimated, and the shares and the bias add up to the logit.
"""

from dataclasses import dataclass

import numpy as np

from huggin.common.errors import BadValue, UserError
from huggin.common.window import Window
from huggin.recording.reader import Recording, Steps

RANKINGS = ("percent", "absolute", "share", "share-change")
HALF, BFLOAT = (
    2.0**-11,
    2.0**-8,
)  # what rounding to float16, and to bfloat16, changes at most, relatively
ROUNDINGS = 3  # of the activation, of the weight and of their sum
SMALLEST = 2.0**-24  # float16's smallest step, for what is too small to be rounded relatively


@dataclass(frozen=True)
class WeightChange:
    """The head's weights at two steps; rows are start and end."""

    first_step: int
    last_step: int
    first: np.ndarray  # (2, hidden)
    last: np.ndarray  # (2, hidden)
    absolute: np.ndarray  # (2, hidden) last - first
    percent: np.ndarray  # (2, hidden) of the first weight's size; NaN where that is 0


def weight_change(steps: Steps) -> WeightChange:
    """The change from the first recorded step to the last: 100 (last - first) / |first| percent."""
    first, last = steps.weight[0].astype(float), steps.weight[-1].astype(float)
    size = np.where(first == 0, np.nan, np.abs(first))
    absolute = last - first
    return WeightChange(
        int(steps.step[0]), int(steps.step[-1]), first, last, absolute, 100 * absolute / size
    )


@dataclass(frozen=True)
class Snapshots:
    """The head, and what it was given for one tracked sample, at each snapshot of the nodes (the first axis)."""

    step: np.ndarray  # (snapshots,)
    activations: np.ndarray  # (snapshots, tokens, hidden) float16
    weight: np.ndarray  # (snapshots, 2, hidden) row 0 = start, row 1 = end
    bias: np.ndarray  # (snapshots, 2)

    def place(self, step: int | None) -> int:
        """The snapshot after `step` steps, the last without one. Raises UserError where there is none."""
        if step is None:
            return len(self.step) - 1
        places = np.flatnonzero(self.step == step)
        if len(places) == 0:
            known = ", ".join(map(str, self.step))
            raise BadValue("step", step, f"no snapshot of the nodes; there are some at {known}")
        return int(places[0])

    def shares(self, row: int, token: int) -> np.ndarray:
        """Each node's share in a token's start logit (row 0) or end logit (row 1), (snapshots, hidden)."""
        return self.weight[:, row] * self.activations[:, token].astype(np.float32)

    def margin_shares(self, gold: int, rival: int) -> np.ndarray:
        """Each node's share in how far the start logit of `gold` is above `rival`'s, (snapshots, hidden); no bias."""
        return self.shares(0, gold) - self.shares(0, rival)

    def logits(self) -> np.ndarray:
        """What all shares and the bias add up to, (snapshots, 2, tokens)."""
        return _over_nodes(self.weight, self.activations.astype(np.float32)) + self.bias[:, :, None]

    def rival(self, place: int, window: Window) -> int:
        """The token with the highest start logit at one snapshot of those that could be answered instead of `gold`.

        Raises UserError for a context without another token.
        """
        allowed = rivals(window.gold_start, window.parts)
        if not allowed.any():
            what = "the tracked sample's context is one token"
            raise UserError(f"{what}, so there is no other to compare with; choose another sample")
        return int(np.where(allowed, self.logits()[place, 0], -np.inf).argmax())


def rivals(gold: int, parts: list[str]) -> np.ndarray:
    """Which tokens could be answered instead of `gold`, (tokens,) bool: of the context, so not [CLS]."""
    allowed = np.array(parts) == "context"
    allowed[gold] = False
    return allowed


def _over_nodes(weight: np.ndarray, activations: np.ndarray) -> np.ndarray:
    """The sums over the nodes, (snapshots, 2, tokens); without BLAS, whose threads take longer to start than this."""
    return np.einsum("srh,sth->srt", weight, activations)


def snapshots(recording: Recording, sample: int = 0) -> Snapshots:
    """All snapshots of a tracked sample.

    Raises UserError where there are none, and where the shares do not add up to the recorded logits: then the
    activations are not what the head was given.
    """
    outputs, steps = recording.head_inputs(sample), recording.steps
    places = {int(step): place for place, step in enumerate(steps.step)}
    known = [step for step in outputs if step in places]  # a killed run may have lost the last head
    rows = [places[step] for step in known]
    activations = np.stack([outputs[step] for step in known])
    found = Snapshots(np.array(known), activations, steps.weight[rows], steps.bias[rows])
    _refuse_untrue(recording, found, sample)
    return found


def tolerance(found: Snapshots, unit: float) -> np.ndarray:
    """How far rounding alone can take the sums from the model's own logits, (snapshots, 2, tokens).

    unit: the relative error of one rounding. Each term is rounded, so the errors add up like the terms' sizes.
    """
    sizes = np.abs(found.activations.astype(np.float32))
    terms = _over_nodes(np.abs(found.weight), sizes) + np.abs(found.bias)[:, :, None]
    return ROUNDINGS * unit * terms + SMALLEST * np.abs(found.weight).sum(axis=2)[:, :, None]


def _refuse_untrue(recording: Recording, found: Snapshots, sample: int) -> None:
    probes = recording.probes(sample)
    shared, ours, theirs = np.intersect1d(found.step, probes.step, return_indices=True)
    recorded = np.stack([probes.start_logits[theirs], probes.end_logits[theirs]], axis=1)
    sums = found.logits()[ours]
    unit = BFLOAT if recording.facts.uses_bf16 else HALF
    true = np.isfinite(sums) & (np.abs(sums - recorded) <= tolerance(found, unit)[ours])
    wrong = ~(true | ~np.isfinite(recorded)).all(axis=(1, 2))
    if wrong.any() or not len(shared):
        at = f"step {shared[wrong][0]}" if wrong.any() else "no step"
        why = "they are not what its head was given, or some are beyond float16"
        what = f"{recording.run.path}: the recorded nodes do not add up to the logits"
        raise UserError(f"{what} ({at}, sample {sample}): {why}; no shares are drawn")


def ranking_values(recording: Recording, rank_by: str, sample: int = 0) -> np.ndarray:
    """What nodes are ranked by, with its sign, (hidden,).

    percent, absolute: the larger of the changes of a node's start and end weight. share: in the margin of the gold
    start over its best rival, at the last snapshot. share-change: that less the share in the margin over the same
    rival at the first snapshot. Raises UserError for another name.
    """
    if rank_by not in RANKINGS:
        raise BadValue("rank_by", rank_by, f"choose from {', '.join(RANKINGS)}")
    if rank_by in ("percent", "absolute"):
        values = getattr(weight_change(recording.steps), rank_by)
        rows = np.nan_to_num(np.abs(values)).argmax(axis=0)
        return np.take_along_axis(values, rows[None], axis=0)[0]
    shares = margin_shares(recording, sample)[1]
    return shares[-1] if rank_by == "share" else shares[-1] - shares[0]


def margin_shares(recording: Recording, sample: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The steps (snapshots,) and each node's share in the margin over the last snapshot's rival (snapshots, hidden)."""
    window = recording.tracked(sample)
    found = snapshots(recording, sample)
    rival = found.rival(-1, window)
    return found.step, found.margin_shares(window.gold_start, rival)


def nodes_for_half(shares: np.ndarray) -> int:
    """How few nodes give half of all that pushes up; shares: (hidden,)."""
    up = np.sort(shares[shares > 0])[::-1].cumsum()
    return int(np.searchsorted(up, up[-1] / 2)) + 1 if len(up) else 0


def ranked(values: np.ndarray) -> np.ndarray:
    """All nodes (hidden,), the one with the largest value first, whatever its sign; undefined values last."""
    return np.argsort(-np.nan_to_num(np.abs(values)), kind="stable")


@dataclass(frozen=True)
class NodeChoice:
    """Which node is tracked."""

    node: int | None = None  # None: the first of the ranking
    rank_by: str = "percent"  # one of RANKINGS
    sample: int = 0  # the tracked sample that `share` and `share-change` are about


BY_PERCENT = NodeChoice()


def ranked_nodes(recording: Recording, choice: NodeChoice) -> np.ndarray:
    """All nodes (hidden,) by rank, but the tracked node first.

    Raises UserError if the head has no such node.
    """
    ranking = ranked(ranking_values(recording, choice.rank_by, choice.sample))
    node = choice.node
    if node is None:
        return ranking
    if not 0 <= node < len(ranking):
        raise BadValue("node", node, f"the head has nodes 0 to {len(ranking) - 1}")
    return np.concatenate([[node], ranking[ranking != node]])


def tracked_node(recording: Recording, choice: NodeChoice) -> int:
    """The node that is chosen. Raises UserError if the head has no such node."""
    return int(ranked_nodes(recording, choice)[0])
