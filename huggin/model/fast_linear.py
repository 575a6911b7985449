"""A trained model -> the same model, whose linear layers compute faster on a CPU if they can.

    speed_up(model)

PyTorch multiplies float32 matrices with MKL. oneDNN, which PyTorch contains too, takes half of
MKL's time on one processor and a little more than it on another (bench/README.md), so both are
timed. oneDNN takes a weight in an order of its own, made once instead of at every call. PyTorch's
compiler uses the same two operators where lengths vary
(torch/_inductor/fx_passes/mkldnn_fusion.py).
"""

import time
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

Forward = Callable[[Tensor], Tensor]
TOKENS = 256  # in the timed batch
ROUNDS = 10
WORTH = 0.95  # oneDNN's share of the time from which on a second copy of the weights is no gain


def speed_up(
    model: PreTrainedModel, is_faster: Callable[[nn.Linear], bool] | None = None
) -> PreTrainedModel:
    """Let oneDNN compute the linear layers of a float32 model on a CPU, if it is faster here.

    is_faster: decides by one layer of the most common size; default: `onednn_is_faster`.

    Results differ by rounding. Names and hooks are unchanged. The weights are kept twice and
    frozen at their current values, so use it only after training. With gradients PyTorch computes
    as before.
    """
    is_faster = is_faster or onednn_is_faster
    layers = [
        module
        for module in model.modules()
        if type(module) is nn.Linear and module.weight.dtype == torch.float32
    ]
    possible = model.device.type == "cpu" and torch.backends.mkldnn.is_available()
    sizes = Counter(layer.weight.shape for layer in layers)
    usual = max(layers, key=lambda layer: sizes[layer.weight.shape], default=None)
    if possible and usual is not None and is_faster(usual):
        for layer in layers:
            layer.forward = _by_onednn(layer)  # type: ignore[method-assign, assignment]
    return model


def onednn_is_faster(layer: nn.Linear) -> bool:
    """Whether oneDNN computes a layer clearly faster here than PyTorch by itself.

    Times both: some 40 ms for a layer of BERT-base on one core.
    """
    inputs = torch.ones(TOKENS, layer.in_features)
    ways = {"plain": layer.forward, "oneDNN": _by_onednn(layer)}
    fastest = dict.fromkeys(ways, float("inf"))
    with torch.inference_mode():
        for forward in ways.values():
            forward(inputs)  # the first call prepares
        for _ in range(ROUNDS):
            for name, forward in ways.items():
                fastest[name] = min(fastest[name], _seconds(forward, inputs))
    return fastest["oneDNN"] < WORTH * fastest["plain"]


def _seconds(forward: Forward, inputs: Tensor) -> float:
    begin = time.perf_counter()
    forward(inputs)
    return time.perf_counter() - begin


def _by_onednn(linear: nn.Linear) -> Forward:
    plain = linear.forward
    bias = linear.bias
    weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)

    def forward(inputs: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return plain(inputs)
        return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")

    return forward
