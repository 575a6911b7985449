"""A batch in training -> how each of its questions did.

The numbers come from the logits that the batch has computed anyway, in train mode (dropout on).
"""

import torch
from torch.nn.functional import cross_entropy


def batch_rows(
    start_logits: torch.Tensor,
    end_logits: torch.Tensor,
    starts: torch.Tensor,
    ends: torch.Tensor,
    index: torch.Tensor,
    window: torch.Tensor,
) -> torch.Tensor:
    """How each window of a batch did: (windows, 5) float32, columns as in `schema.OF_A_WINDOW`.

    start_logits, end_logits: (windows, tokens). starts, ends: (windows,) the labels, in tokens.
    index: (windows,) of the question in the data. window: (windows,) 0 = the first of its context.
    Losses are cross-entropies in nats; their mean over start, end and windows is the batch's loss.
    right: 1 if the highest start and end logit are the labels. Nothing waits for a GPU.
    """
    with torch.no_grad():
        right = (start_logits.argmax(-1) == starts) & (end_logits.argmax(-1) == ends)
        start_loss = cross_entropy(start_logits.float(), starts, reduction="none")
        end_loss = cross_entropy(end_logits.float(), ends, reduction="none")
        columns = [index.to(starts.device), window.to(starts.device), start_loss, end_loss, right]
        return torch.stack([column.float() for column in columns], dim=1)
