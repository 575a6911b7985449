"""The parts of a model (embeddings, each layer, the QA head): gradients, kinds of module, weights.

    two = TwoStates.of(trained, untrained)
    with two.put_back(["layer 3"]) as model:
        model(**inputs)

Kinds of module are found by structure: attentions and norms by their class, linear layers by their
shape. Of a linear layer in an attention the name says which one it is, as `q_lin` or `query` do.
Parts are put back to what they were before the training. Source: re-initialisation robustness,
Zhang, Bengio and Singer 2019, https://arxiv.org/abs/1902.01996
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import torch
from torch import nn
from torch.nn.utils import get_total_norm
from transformers import PreTrainedModel

from huggin.common.errors import UserError
from huggin.common.site import Place, Site
from huggin.common.window import Window
from huggin.model.hooks import is_attention, layer_outputs
from huggin.model.loading import head_of

EMBEDDINGS = "embeddings"
HEAD = "head"
REST = "rest"  # beside the layers: ModernBERT's norm before the head, MPNet's relative positions
JOINT = ("qkv", "in_proj")  # one matrix for query, key and value
OUTPUTS = ("dense", "o", "wo", "out_lin", "out_proj", "o_proj", "post_proj")
OTHER = "other"
Weights = dict[str, list[torch.Tensor]]  # by part, in the order of a forward pass


def parameters_by_part(
    model: PreTrainedModel, layers: Iterable[Site]
) -> dict[str, list[nn.Parameter]]:
    """Every parameter of the model, once, by its part, in the order of a forward pass.

    layers: the sites of the layers' outputs. Layers that share their weights (ALBERT) are one part.
    `rest` is what the model defines after its layers and is not its head.
    """
    numbers: dict[str, list[int]] = {}
    for site in layers:
        numbers.setdefault(site.module, []).append(site.layer)
    names = {  # of each module that is a layer, or several
        module: f"layer {at[0]}" if len(at) == 1 else f"layers {at[0]} to {at[-1]}"
        for module, at in numbers.items()
    }
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


def gradient_norms(parts: Iterable[list[nn.Parameter]]) -> torch.Tensor:
    """The Euclidean norm of the gradient in each part, (parts,) float32, on the model's device.

    A part without gradients (frozen, or not reached) has 0. Nothing waits for a GPU.
    """
    norms = []
    for parameters in parts:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        none = torch.zeros((), device=parameters[0].device)
        norms.append(get_total_norm(gradients).float() if gradients else none)
    return torch.stack(norms)


def before_clipping(norms: torch.Tensor, grad_norm: torch.Tensor | float) -> torch.Tensor:
    """Norms by part (parts,) of clipped gradients -> those before: clipping scales all alike."""
    total = torch.linalg.vector_norm(norms)
    scale = torch.as_tensor(grad_norm, dtype=norms.dtype, device=norms.device) / total
    return torch.where(total > 0, norms * scale, norms)


def places_of(model: PreTrainedModel, parts: dict[str, list[nn.Parameter]]) -> dict[str, Place]:
    """Each parameter's name -> its place, in the order of the parts.

    parts: what `parameters_by_part` gave.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: Place(part, _kind(model, names[id(parameter)], part))
        for part, parameters in parts.items()
        for parameter in parameters
    }


def _kind(model: nn.Module, name: str, part: str) -> str:
    words = name.split(".")
    around = [model.get_submodule(".".join(words[:end])) for end in range(1, len(words))]
    if any("Norm" in type(module).__name__ for module in around):
        return "norm"
    if part in (EMBEDDINGS, HEAD):
        return part
    if any(map(is_attention, around)):
        return _in_attention(words)
    if any("bottleneck" in word for word in words):  # MobileBERT's, which narrow and widen
        return OTHER
    for module in around:  # the outermost linear layer: LoRA puts small ones inside it
        linear = getattr(module, "base_layer", module)
        if isinstance(linear, nn.Linear) and linear.out_features != linear.in_features:
            widens = linear.out_features > linear.in_features
            return "feed-forward in" if widens else "feed-forward out"
    return OTHER


def _in_attention(words: list[str]) -> str:
    for word in reversed(words):
        called = word.lower().removeprefix("pos_")
        if any(joint in called for joint in JOINT):
            return "query, key and value"
        for kind in ("query", "key", "value"):
            if called == kind[0] or called.startswith((kind, f"{kind[0]}_")):
                return kind
        if called in OUTPUTS:
            return "attention output"
    return OTHER


@dataclass(frozen=True)
class TwoStates:
    """The weights of one model after the training and before it."""

    model: PreTrainedModel
    parameters: dict[str, list[nn.Parameter]]  # of the model, by part
    trained: Weights
    untrained: Weights

    @classmethod
    def of(
        cls, trained: PreTrainedModel, untrained: PreTrainedModel, window: Window | None = None
    ) -> Self:
        """Two models of one architecture, on one device; the trained one is the one that computes.

        window: as in `find_sites`. Raises UserError if they are not of one architecture.
        """
        parameters = _by_part(trained, window)
        weights = {
            part: [weight.clone() for weight in some] for part, some in _weights(parameters).items()
        }
        of_untrained = _weights(_by_part(untrained, window))
        if _shapes(weights) != _shapes(of_untrained):
            what = "the trained model and the untrained one are not of one architecture"
            raise UserError(f"{what}; take both from one run")
        return cls(trained, parameters, weights, of_untrained)

    @property
    def parts(self) -> list[str]:
        """The names of the parts: embeddings, layers, head; see `parameters_by_part`."""
        return list(self.trained)

    @contextmanager
    def put_back(self, parts: Collection[str]) -> Iterator[PreTrainedModel]:
        """The model with some of its parts as they were before the training.

        Afterwards all of them are trained again.
        """
        try:
            for part in parts:
                self._put(part, self.untrained[part])
            yield self.model
        finally:
            for part in parts:
                self._put(part, self.trained[part])

    def _put(self, part: str, weights: list[torch.Tensor]) -> None:
        for parameter, weight in zip(self.parameters[part], weights, strict=True):
            with torch.no_grad():
                parameter.copy_(weight)

    def size(self, part: str) -> int:
        """The number of weights in a part."""
        return sum(weight.numel() for weight in self.trained[part])

    def distance(self, part: str) -> float:
        """The Euclidean distance between a part's weights before and after the training."""
        pairs = zip(self.trained[part], self.untrained[part], strict=True)
        return sum(float((after - before).square().sum()) for after, before in pairs) ** 0.5


def _by_part(model: PreTrainedModel, window: Window | None) -> dict[str, list[nn.Parameter]]:
    return parameters_by_part(model, layer_outputs(model, window))


def _weights(parameters: dict[str, list[nn.Parameter]]) -> Weights:
    return {part: [parameter.detach() for parameter in some] for part, some in parameters.items()}


def _shapes(weights: Weights) -> dict[str, list[torch.Size]]:
    return {part: [weight.shape for weight in tensors] for part, tensors in weights.items()}
