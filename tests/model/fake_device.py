"""A device that refuses what the accelerators of other people refuse: a plugin for pytest.

    python -m pytest -n 0 -p tests.model.fake_device tests/model/on_fake_device.py

It is called `raven`. It computes on the CPU, but PyTorch takes it for an accelerator (by what
PyTorch has for devices of other makers, PrivateUse1). A tensor on it has no `.numpy()`, cannot be
float64, as on Apple's MPS, and cannot be mixed with tensors on the CPU. Its random numbers come
from a generator of its own. It stays in a process that once knew it, so its tests have their own.
"""

import os
from typing import Any

import torch
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "raven"
aten = torch.ops.aten
LIBRARY = torch.library.Library("aten", "IMPL")  # what it implements is there as long as it is


def pytest_configure() -> None:
    """Make the device known to PyTorch and to Hugging Face's accelerate."""
    _setup_privateuseone_for_python_backend(NAME, RavenModule())
    for operation, function in {
        "empty.memory_format": _empty,
        "empty_strided": _empty_strided,
        "_copy_from": _copy_from,
    }.items():
        LIBRARY.impl(operation, function, "PrivateUse1")
    torch.serialization.add_safe_globals([RavenTensor])
    os.environ["ACCELERATE_TORCH_DEVICE"] = f"{NAME}:0"


class Generator:
    """Random numbers of the device: an operation inside `with` draws from here."""

    def __init__(self) -> None:
        self.seed(0)

    def seed(self, seed: int) -> None:
        self.state = torch.Generator().manual_seed(seed).get_state()

    def __enter__(self) -> None:
        self._of_cpu = torch.get_rng_state()
        torch.set_rng_state(self.state)

    def __exit__(self, *_: Any) -> None:
        self.state = torch.get_rng_state()
        torch.set_rng_state(self._of_cpu)


GENERATOR = Generator()


class RavenModule:
    """What PyTorch looks for in `torch.raven`, as in `torch.cuda`."""

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return True

    def _is_in_bad_fork(self) -> bool:
        return False

    def device_count(self) -> int:
        return 1

    def current_device(self) -> int:
        return 0

    def manual_seed_all(self, seed: int) -> None:
        GENERATOR.seed(seed)

    def get_rng_state(self, _device: Any) -> torch.Tensor:
        return GENERATOR.state.clone()

    def set_rng_state(self, state: torch.Tensor, _device: Any) -> None:
        GENERATOR.state = state.clone()


class RavenTensor(torch.Tensor):
    """A tensor on the device; `held` is its content, on the CPU."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "RavenTensor":
        if held.dtype == torch.float64:
            raise TypeError(f"{NAME} has no float64")
        tensor = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
        )
        tensor.held = held
        return tensor

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"cannot convert a tensor on {NAME} to numpy; copy it to the CPU first")

    __array__ = numpy

    def untyped_storage(self) -> torch.UntypedStorage:
        """safetensors asks which tensors share their memory."""
        return self.held.untyped_storage()

    def __reduce_ex__(self, _: Any) -> Any:
        """torch.save asks what to write."""
        return RavenTensor, (self.held,)

    def __repr__(self, **_: Any) -> str:
        return f"RavenTensor({self.held})"

    @classmethod
    @torch.inference_mode(False)  # in which a view of a plain tensor is a plain tensor
    def __torch_dispatch__(cls, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every operation on tensors of the device comes here."""
        kwargs = kwargs or {}
        in_parts = op.decompose(*args, **kwargs)  # as in `to`, which calls `_to_copy`
        if in_parts is not NotImplemented:
            return in_parts
        if op is aten._to_copy.default:
            return _moved(*args, **kwargs)
        if op is aten.copy_.default:
            return _copy_from(args[1], args[0])
        if op is aten._local_scalar_dense.default:
            return args[0].held.item()
        _refuse_mixing(op, (args, kwargs))
        return return_and_correct_aliasing(op, args, kwargs, _computed(op, args, kwargs))


def _moved(tensor: torch.Tensor, **options: Any) -> torch.Tensor:
    """`tensor.to(...)`, which is also the way off the device."""
    device = options.get("device") or tensor.device
    copy = _held(tensor).to(options.get("dtype") or tensor.dtype, copy=True)
    return RavenTensor(copy) if device.type == NAME else copy


def _refuse_mixing(op: Any, given: Any) -> None:
    """On every accelerator only tensors without dimensions may come from the CPU."""
    tensors: list[torch.Tensor] = []
    tree_map_only(torch.Tensor, tensors.append, given)
    if any(tensor.dim() and not isinstance(tensor, RavenTensor) for tensor in tensors):
        raise RuntimeError(f"{op}: expected all tensors on one device, found {NAME}:0 and cpu")


def _computed(op: Any, args: Any, kwargs: Any) -> Any:
    """The operation on the CPU, with what the tensors hold."""
    args, kwargs = tree_map_only(RavenTensor, _held, (args, kwargs))
    if "device" in kwargs:
        kwargs["device"] = "cpu"
    if torch.Tag.nondeterministic_seeded in op.tags:
        with GENERATOR:
            result = op(*args, **kwargs)
    else:
        result = op(*args, **kwargs)
    return tree_map_only(torch.Tensor, RavenTensor, result)


def _held(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.held if isinstance(tensor, RavenTensor) else tensor


def _empty(size: Any, dtype: Any = None, **_: Any) -> RavenTensor:
    return RavenTensor(torch.empty(size, dtype=dtype))


def _empty_strided(size: Any, stride: Any, dtype: Any = None, **_: Any) -> RavenTensor:
    return RavenTensor(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source: torch.Tensor, target: torch.Tensor, _: bool = False) -> torch.Tensor:
    _held(target).copy_(_held(source))
    return target
