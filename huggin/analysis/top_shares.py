"""The nodes with the largest shares in every token's logits, at each node snapshot.

A share is weight x activation, see `nodes.py`. All shares of all tokens would be too many to keep.
"""

from dataclasses import dataclass

import numpy as np

from huggin.analysis.nodes import Snapshots

EACH_WAY = 5  # nodes that push a logit up, and as many that push it down


@dataclass(frozen=True)
class TopShares:
    """The largest shares and the smallest, in this order; the last axis is at most 2 x EACH_WAY."""

    nodes: np.ndarray  # (snapshots, 2, tokens, top) uint16; row 0 = start, row 1 = end
    shares: np.ndarray  # (snapshots, 2, tokens, top) float32


def top_shares(found: Snapshots, each_way: int = EACH_WAY) -> TopShares:
    """For every token, the nodes that push its start and its end logit up most, and down most."""
    tops = [
        largest_both_ways(weight[:, None, :] * activations.astype(np.float32), each_way)
        for weight, activations in zip(found.weight, found.activations, strict=True)
    ]
    return TopShares(np.stack([top[0] for top in tops]), np.stack([top[1] for top in tops]))


def largest_both_ways(shares: np.ndarray, each_way: int) -> tuple[np.ndarray, np.ndarray]:
    """The places and values of the largest shares, falling, and of the smallest, rising.

    shares: (.., nodes). Returns two arrays (.., top), with top = 2 x each_way, or less if there are
    not so many nodes.
    """
    count = min(each_way, shares.shape[-1] // 2)
    up = _first(-shares, count)
    down = _first(shares, count)
    nodes = np.concatenate([up, down], axis=-1)
    return nodes.astype(np.uint16), np.take_along_axis(shares, nodes, axis=-1)


def _first(values: np.ndarray, count: int) -> np.ndarray:
    """The places of the `count` smallest values along the last axis, rising."""
    some = np.argpartition(values, count - 1, axis=-1)[..., :count]
    order = np.argsort(np.take_along_axis(values, some, axis=-1), axis=-1)
    return np.take_along_axis(some, order, axis=-1)
