"""Pointers: how far each window of a batch pushed a tracked sample's loss, through the head.

The gradient of a window's loss by the head's weight is closed form: (softmax - one-hot) times what
the head receives. Its inner product with a tracked sample's own gradient, each number as the
optimizer scaled it, is by how much the window alone lowered that sample's loss, to first order.
Source: TracIn restricted to the last layer, Pruthi et al. 2020, https://arxiv.org/abs/2002.08484
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import one_hot
from transformers import PreTrainedModel

from huggin.common.files import replacing
from huggin.common.streams import warn
from huggin.model.loading import head_of

FILE = "pointers.safetensors"  # in a checkpoint
NO_GRADIENTS = "pointers: not kept by the checkpoint, so they go on after the next probe"


class HeadInput:
    """What the head received in the newest pass in train mode."""

    def __init__(self, model: PreTrainedModel) -> None:
        head = head_of(model)
        self.weight = head.weight
        self._seen: Tensor | None = None
        self._hook = head.register_forward_pre_hook(self._keep, with_kwargs=True)

    def _keep(self, head: nn.Module, args: Any, kwargs: Any) -> None:
        if head.training:
            self._seen = (args[0] if args else kwargs["input"]).detach()

    def gradients(self, batch: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> Tensor:
        """`head_gradients` of that pass, (windows, 2 x hidden)."""
        assert self._seen is not None
        logits = (outputs["start_logits"], outputs["end_logits"])
        labels = (batch["start_positions"], batch["end_positions"])
        return head_gradients(self._seen, logits, labels).flatten(1)

    def remove(self) -> None:
        """Take the hook off."""
        self._hook.remove()


def head_gradients(
    hidden: Tensor, logits: tuple[Tensor, Tensor], labels: tuple[Tensor, Tensor]
) -> Tensor:
    """The gradient of each window's loss by the head's weight: (windows, 2, hidden) float32.

    hidden: (windows, tokens, hidden) that the head received. logits: of start and end, (windows,
    tokens) each. labels: (windows,) each. The loss is the mean of both cross-entropies, in nats.
    """
    with torch.no_grad():
        both = torch.stack(logits, dim=1).float()  # (windows, 2, tokens)
        gold = one_hot(torch.stack([each.reshape(-1) for each in labels], dim=1), both.shape[-1])
        return (both.softmax(-1) - gold) @ hidden[:, : both.shape[-1]].float() / 2


def scale_of(optimizer: Any, weight: Tensor) -> Tensor:
    """What the optimizer has multiplied the gradient of a weight by in its newest step.

    Of Adam and its kin the learning rate by the denominator, in the shape of the weight; of others
    the learning rate alone.
    """
    group = next((g for g in optimizer.param_groups if any(p is weight for p in g["params"])), None)
    rate = torch.as_tensor(group["lr"] if group else 0.0, device=weight.device)
    state = optimizer.state.get(weight, {})
    if group is None or not {"exp_avg_sq", "step"} <= state.keys():
        return rate
    squares = state["exp_avg_sq"].float() / (1 - group["betas"][1] ** state["step"])
    return rate / (squares.sqrt() + group["eps"])


class Pointers:
    """Keeps the tracked samples' gradients of the last probe, and compares batches with them."""

    def __init__(self) -> None:
        self._tracked: Tensor | None = None  # (samples, 2 x hidden)

    def keep(self, gradients: Sequence[Tensor]) -> None:
        """The tracked samples' gradients (2, hidden) by the probe of this step."""
        self._tracked = torch.stack(list(gradients)).flatten(1) if gradients else None

    def rows(self, gradients: Tensor | None, scale: Tensor | float) -> Tensor | None:
        """The norm of each window's gradient, and how far it lowered the loss of each sample.

        gradients: (windows, 2 x hidden) of the windows of a step, whose mean loss was trained on;
        NaN where there is no window. scale: what they were multiplied by. Returns (windows, 1 +
        samples) float32, in nats beyond the norm; None if nothing is known. Nothing waits.
        """
        if gradients is None or self._tracked is None:
            return None
        count = (~gradients[:, 0].isnan()).sum()
        moved = gradients * torch.as_tensor(scale).flatten() / count
        norms = torch.linalg.vector_norm(gradients, dim=1, keepdim=True)
        return torch.cat([norms, moved @ self._tracked.T], dim=1)

    def save(self, checkpoint: Path) -> None:
        """Keep in a checkpoint what its weights do not say."""
        if self._tracked is not None:
            with replacing(checkpoint / FILE) as beside:
                save_file({"tracked": self._tracked}, beside)

    def load(self, checkpoint: Path | None, device: torch.device) -> None:
        """Go on as the training that saved the checkpoint would have gone on."""
        file = checkpoint / FILE if checkpoint else None
        if file is None or not file.exists():
            warn(f"{file or 'checkpoint'}: {NO_GRADIENTS}")
            return
        self._tracked = load_file(file)["tracked"].to(device)
