"""Arithmetic on recordings: how the head's weights changed, and which nodes changed most.

A node is a hidden unit, the index on the last axis of activations and of the head's weight.
"""

from dataclasses import dataclass

import numpy as np

from huggin.door import UserError
from huggin.recording import Steps


@dataclass(frozen=True)
class WeightChange:
    """The head's weights at two steps; rows are start and end."""

    first_step: int
    last_step: int
    first: np.ndarray  # (2, hidden)
    last: np.ndarray  # (2, hidden)
    absolute: np.ndarray  # (2, hidden) last - first
    percent: np.ndarray  # (2, hidden) of the first weight's size; NaN where that is 0

    @property
    def ranking(self) -> np.ndarray:
        """All nodes (hidden,), the one with the largest percent change in either row first."""
        size = np.nan_to_num(np.abs(self.percent)).max(axis=0)
        return np.argsort(-size, kind="stable")


def weight_change(steps: Steps) -> WeightChange:
    """The change from the first recorded step to the last: 100 (last - first) / |first| percent."""
    first, last = steps.weight[0].astype(float), steps.weight[-1].astype(float)
    size = np.where(first == 0, np.nan, np.abs(first))
    absolute = last - first
    return WeightChange(int(steps.step[0]), int(steps.step[-1]), first, last, absolute, 100 * absolute / size)


def tracked_first(change: WeightChange, node: int | None) -> np.ndarray:
    """The ranking with the tracked node first: `node`, or else the one that changed most.

    Raises UserError where the head has no such node.
    """
    ranking = change.ranking
    if node is None:
        return ranking
    if not 0 <= node < len(ranking):
        raise UserError(f"--node {node}: the head has nodes 0 to {len(ranking) - 1}")
    return np.concatenate([[node], ranking[ranking != node]])
