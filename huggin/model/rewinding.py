"""A trained model whose parts can be put back to what they were before the training.

    two = TwoStates.of(trained, untrained)
    with two.put_back(["layer 3"]) as model:
        model(**inputs)

Source: re-initialisation robustness, Zhang, Bengio and Singer 2019,
https://arxiv.org/abs/1902.01996
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import torch
from torch import nn
from transformers import PreTrainedModel

from huggin.common.errors import UserError
from huggin.common.window import Window
from huggin.model.hooks import find_sites
from huggin.model.parts import parameters_by_part

Weights = dict[str, list[torch.Tensor]]  # by part, in the order of a forward pass


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
        before = _weights(_by_part(untrained, window))
        if _shapes(weights) != _shapes(before):
            what = "the trained model and the untrained one are not of one architecture"
            raise UserError(f"{what}; take both from one run")
        return cls(trained, parameters, weights, before)

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
    layers = [site for site in find_sites(model, "all", window) if site.component == "out"]
    return parameters_by_part(model, layers)


def _weights(parameters: dict[str, list[nn.Parameter]]) -> Weights:
    return {part: [parameter.detach() for parameter in some] for part, some in parameters.items()}


def _shapes(weights: Weights) -> dict[str, list[torch.Size]]:
    return {part: [weight.shape for weight in tensors] for part, tensors in weights.items()}
