"""Tensors on their way from the device of a model to the CPU."""

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class HostCopy:
    """A copy of a tensor on the CPU, possibly still on its way from a GPU."""

    tensor: torch.Tensor  # on the CPU
    arrived: Any = None  # a CUDA event; None if the copy is there already

    @property
    def is_there(self) -> bool:
        """Whether the copy can be read without waiting."""
        return self.arrived is None

    def wait(self) -> torch.Tensor:
        """The copy, as soon as it has arrived."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.tensor


def copy_to_host(tensor: torch.Tensor) -> HostCopy:
    """Copy a tensor to the CPU: without waiting from a CUDA GPU, at once from any other device.

    A tensor that is on the CPU already is not copied.
    """
    if tensor.device.type != "cuda":
        return HostCopy(tensor.cpu())
    pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    pinned.copy_(tensor, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record()
    return HostCopy(pinned, arrived)
