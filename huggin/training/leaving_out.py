"""A batch's loss -> the same without one question of the data."""

from collections.abc import Mapping

import torch
from torch.nn.functional import cross_entropy


def loss_without(
    loss: torch.Tensor,
    batch: Mapping[str, torch.Tensor],
    outputs: Mapping[str, torch.Tensor],
    is_out: torch.Tensor,
) -> torch.Tensor:
    """The mean loss of a batch with the windows that are out counted as 0.

    batch: with the labels. outputs: logits, (windows, tokens). is_out: (windows,) bool. All other
    windows have the gradient that they would have had, so nothing else of the step is different.
    """
    ends = ("start", "end")
    both = [
        cross_entropy(outputs[f"{end}_logits"], batch[f"{end}_positions"], reduction="none")
        for end in ends
    ]
    own = torch.stack(both).mean(dim=0)
    return loss - (own * is_out.to(own.device)).sum() / len(own)
