"""The one place for devices: which one computes, how tensors leave it, and its random numbers.

An accelerator is what PyTorch calls so: a CUDA, ROCm or XPU GPU, Apple's MPS and others. PyTorch
knows at most one kind of them on a machine, of which there may be several.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import TrainingArguments

from huggin.common.cli import called
from huggin.common.errors import BadValue
from huggin.common.streams import warn

CPU = torch.device("cpu")
COPIES_IN_BACKGROUND = ("cuda", "xpu")  # kinds that copy into pinned memory while they compute


def accelerator() -> torch.device | None:
    """The kind of accelerator that this machine has, without an index; None if it has none."""
    return torch.accelerator.current_accelerator(check_available=True)


def device_names() -> list[str]:
    """The devices that can compute here, such as ["cpu", "cuda:0", "cuda:1"]."""
    kind = accelerator()
    count = torch.accelerator.device_count() if kind else 0
    return ["cpu", *(f"{kind}:{index}" for index in range(count))]


def choose_device(name: str | None = None, use_cpu: bool = False) -> torch.device:
    """The device to compute on: `name`, or else the accelerator if there is one.

    use_cpu: without a name, take the CPU in any case.
    Raises BadValue for a device that is not on this machine.
    """
    kind = accelerator()
    if name is None:
        return CPU if use_cpu or kind is None else kind
    names = device_names()
    if name not in names and (kind is None or name != kind.type):
        raise BadValue("device", name, f"not on this machine; choose one of: {', '.join(names)}")
    return torch.device(name)


def use_one_gpu(training: TrainingArguments) -> None:
    """Without torchrun take one GPU of several.

    The Trainer would take all of them by nn.DataParallel and multiply the batch by their number.
    """
    visible = training.n_gpu
    if visible > 1:
        training._n_gpu = 1
        advice = "torchrun takes more, see docs/overnight.md"
        warn(f"{called('run_qa.py')}: trains on one of {visible} GPUs; {advice}")


def describe_device(device: torch.device) -> str:
    """A device in words, such as "cuda:0 (NVIDIA GeForce RTX 3060)"."""
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"cpu ({threads} thread{'s' if threads > 1 else ''})"
    name_of = getattr(torch.get_device_module(device), "get_device_name", None)
    return f"{device} ({name_of(device)})" if name_of else str(device)


def computes_bf16() -> bool:
    """Whether this processor multiplies bfloat16 numbers itself (AVX512-BF16, AMX, Arm's BF16)."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def copies_in_background(device: torch.device) -> bool:
    """Whether tensors can be copied from and to the device while the program goes on."""
    return device.type in COPIES_IN_BACKGROUND


def has_room(device: torch.device, size: int) -> bool:
    """Whether a CUDA or XPU GPU has `size` bytes free; other devices are not asked."""
    if not copies_in_background(device):
        return True
    free, _ = torch.get_device_module(device).mem_get_info(device)
    return free >= size


@dataclass(frozen=True)
class HostCopy:
    """A copy of a tensor on the CPU, possibly still on its way from an accelerator."""

    tensor: torch.Tensor  # on the CPU
    arrived: Any = None  # an event of the device; None if the copy is there already

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
    """Copy a tensor to the CPU: in the background from CUDA and XPU, at once from other devices.

    A tensor that is on the CPU already is not copied.
    """
    if not copies_in_background(tensor.device):
        return HostCopy(tensor.cpu())
    pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    pinned.copy_(tensor, non_blocking=True)
    arrived = torch.get_device_module(tensor.device).Event()
    arrived.record()
    return HostCopy(pinned, arrived)


def random_states() -> dict[str, torch.Tensor]:
    """The random state of each accelerator, by its name: bytes, on the CPU."""
    names = device_names()[1:]
    return {name: torch.get_device_module(name).get_rng_state(name) for name in names}


def set_random_states(states: dict[str, torch.Tensor]) -> None:
    """Undo what was drawn since `random_states`; ignore devices that are not on this machine."""
    for name in states.keys() & set(device_names()[1:]):
        torch.get_device_module(name).set_rng_state(states[name], name)


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Afterwards the random states of Python, NumPy, the CPU and all accelerators are as before."""
    of_python = random.getstate()
    of_numpy = np.random.get_state()
    of_cpu = torch.get_rng_state()
    of_accelerators = random_states()
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
        torch.set_rng_state(of_cpu)
        set_random_states(of_accelerators)


def save_random_states(checkpoint: Path, process: int) -> None:
    """Keep the accelerators' random states in a checkpoint, if there is an accelerator.

    transformers keeps those of some kinds only, and not of MPS and XPU.
    process: the number of this process among those that torchrun started.
    """
    states = random_states()
    if states:
        save_file(states, _states_file(checkpoint, process))


def load_random_states(checkpoint: Path, process: int) -> None:
    """Go on with the random states that a checkpoint keeps, if it keeps any."""
    file = _states_file(checkpoint, process)
    if file.exists():
        set_random_states(load_file(file))


def _states_file(checkpoint: Path, process: int) -> Path:
    return checkpoint / f"accelerator_random_states_{process}.safetensors"
