"""Two states of a model's weights -> how much each parameter changed a tracked sample's loss.

    credits_along(model, windows, before, points=3)

The change of the loss is the integral of the gradient along the straight line between the two
states, so a sum over parameters. Gauss and Legendre's rule takes the gradient at a few points of
the line. Sources: loss change allocation, Lan et al. 2019, https://arxiv.org/abs/1909.01440;
integrated gradients, Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from huggin.common.window import Window
from huggin.model.hooks import undisturbed

Weights = dict[str, Tensor]  # by parameter's name


def trainable(model: nn.Module) -> Weights:
    """The parameters that training may change; frozen ones are left out."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def credits_along(
    model: nn.Module, windows: Sequence[Window], before: Weights, points: int
) -> np.ndarray:
    """What each parameter of `before` did to each window's loss: (windows, parameters) in nats.

    before: earlier weights, on any device; the line goes from them to the model's own. points: at
    how many the gradient is taken. Dropout is off. The model, its gradients, its mode and all
    random states stay as they are: the weights in between are handed to the model for a pass.
    """
    now = dict(model.named_parameters())
    total = np.zeros((len(windows), len(before)))
    changes = {name: _difference(now[name], start) for name, start in before.items()}
    with undisturbed(model), torch.enable_grad():
        for at, weight in zip(*_gauss_legendre(points), strict=True):
            between = {name: _on_line(before[name], change, at) for name, change in changes.items()}
            for number, window in enumerate(windows):
                loss = _loss(model, between, window)
                gradients = torch.autograd.grad(loss, list(between.values()), allow_unused=True)
                total[number] += weight * _along(gradients, list(changes.values()))
    return total


def _gauss_legendre(points: int) -> tuple[list[float], list[float]]:
    """Places from 0 to 1 and their weights, which add up to 1."""
    places, weights = np.polynomial.legendre.leggauss(points)
    return ((places + 1) / 2).tolist(), (weights / 2).tolist()


def _difference(end: Tensor, start: Tensor) -> Tensor:
    """In float32 at least: between two neighbouring numbers in bfloat16 there are no others."""
    exact = torch.promote_types(end.dtype, torch.float32)
    return end.detach().to(exact) - start.to(end.device, exact)


def _on_line(start: Tensor, change: Tensor, at: float) -> Tensor:
    """A point of the line."""
    return torch.add(start.to(change.device, change.dtype), change, alpha=at).requires_grad_()


def _loss(model: nn.Module, weights: Weights, window: Window) -> Tensor:
    """The mean of start and end loss, as the model has it in training, without padding."""
    device = next(iter(weights.values())).device
    inputs = {name: torch.tensor([ids], device=device) for name, ids in window.inputs.items()}
    output = functional_call(model, weights, kwargs=inputs)
    pairs = ((output.start_logits, window.gold_start), (output.end_logits, window.gold_end))
    losses = [
        cross_entropy(logits.float(), torch.tensor([gold], device=logits.device))
        for logits, gold in pairs
    ]
    return torch.stack(losses).mean()


def _along(gradients: Sequence[Tensor | None], changes: Sequence[Tensor]) -> np.ndarray:
    """Each parameter's gradient times its change, (parameters,); 0 where there is no gradient."""
    products = [
        change.new_zeros(()) if gradient is None else gradient.reshape(-1).dot(change.reshape(-1))
        for gradient, change in zip(gradients, changes, strict=True)
    ]
    return torch.stack([product.to(products[0].device) for product in products]).cpu().numpy()
