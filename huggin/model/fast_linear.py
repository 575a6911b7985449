"""A trained model -> the same model, whose linear layers answer faster on a CPU.

PyTorch multiplies float32 matrices with MKL, at half the speed of oneDNN on the AMD processor where it was measured
(bench/README.md). oneDNN is in PyTorch too, and takes a weight in an order of its own, made once instead of at every
call. PyTorch's compiler takes the same two operators where lengths vary (torch/_inductor/fx_passes/mkldnn_fusion.py).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel


def speed_up(model: PreTrainedModel) -> PreTrainedModel:
    """Let oneDNN compute the linear layers, where the model is in float32 on a CPU and PyTorch has oneDNN.

    Results differ by rounding. Modules, their names and hooks stay; the weights lie twice in memory, as they are now:
    for a model whose training is done. Where gradients are wanted PyTorch computes as ever.
    """

    if model.device.type == "cpu" and torch.backends.mkldnn.is_available():
        for module in model.modules():
            if type(module) is torch.nn.Linear and module.weight.dtype == torch.float32:
                module.forward = _by_onednn(module)  # type: ignore[method-assign, assignment]
    return model


def _by_onednn(linear: nn.Linear) -> Callable[[Tensor], Tensor]:

    usual, bias = linear.forward, linear.bias
    weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)

    def forward(inputs: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return usual(inputs)
        return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")

    return forward
