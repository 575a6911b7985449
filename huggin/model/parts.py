"""The parts of a model (embeddings, each layer, the QA head), and the gradients' norm in each."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.utils import get_total_norm
from transformers import PreTrainedModel

from huggin.common.site import Site
from huggin.model.loading import head_of

EMBEDDINGS = "embeddings"
HEAD = "head"
REST = "rest"  # beside the layers: ModernBERT's norm before the head, MPNet's relative positions


def parameters_by_part(
    model: PreTrainedModel, layers: Iterable[Site]
) -> dict[str, list[nn.Parameter]]:
    """Every parameter of the model, once, by its part, in the order of a forward pass.

    layers: the sites of the layers' outputs. Layers that share their weights (ALBERT) are one part.
    `rest` is what the model defines after its layers and is not its head.
    """
    names = _names_of_layers(layers)
    head = {id(parameter) for parameter in head_of(model).parameters()}
    parts: dict[str, list[nn.Parameter]] = {EMBEDDINGS: []}
    parts |= {name: [] for name in names.values()}
    parts |= {REST: [], HEAD: []}
    behind_the_layers = False
    for name, parameter in model.named_parameters():
        layer = next((module for module in names if name.startswith(f"{module}.")), None)
        behind_the_layers = behind_the_layers or layer is not None
        if layer is not None:
            part = names[layer]
        elif id(parameter) in head:
            part = HEAD
        else:
            part = REST if behind_the_layers else EMBEDDINGS
        parts[part].append(parameter)
    return {part: parameters for part, parameters in parts.items() if parameters}


def _names_of_layers(layers: Iterable[Site]) -> dict[str, str]:
    """Each layer's module -> `layer 3`; a module that is several layers -> `layers 1 to 12`."""
    numbers: dict[str, list[int]] = {}
    for site in layers:
        numbers.setdefault(site.module, []).append(site.layer)
    return {
        module: f"layer {at[0]}" if len(at) == 1 else f"layers {at[0]} to {at[-1]}"
        for module, at in numbers.items()
    }


def gradient_norms(parts: Iterable[list[nn.Parameter]]) -> torch.Tensor:
    """The Euclidean norm of the gradient in each part, (parts,) float32, on the model's device.

    A part without gradients (frozen, or not reached) has 0. Nothing waits for a GPU.
    """
    return torch.stack([_norm(parameters) for parameters in parts])


def _norm(parameters: list[nn.Parameter]) -> torch.Tensor:
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return torch.zeros((), device=parameters[0].device)
    return get_total_norm(gradients).float()


def before_clipping(norms: torch.Tensor, grad_norm: torch.Tensor | float) -> torch.Tensor:
    """Norms by part (parts,) of clipped gradients -> those before: clipping scales all alike."""
    total = torch.linalg.vector_norm(norms)
    scale = torch.as_tensor(grad_norm, dtype=norms.dtype, device=norms.device) / total
    return torch.where(total > 0, norms * scale, norms)
