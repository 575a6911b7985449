"""The lens: the QA head applied to the output of every layer, not only of the last.

It says what the head makes of a layer's output. It does not say what the layer "thinks": the head
was trained on the last layer's output alone. Source: the logit lens, nostalgebraist 2020,
https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from huggin.common.site import Site
from huggin.common.window import Window
from huggin.model.hooks import hooked, layer_outputs, pass_through, undisturbed
from huggin.model.loading import head_of


@dataclass(frozen=True)
class Lens:
    """Where the layers' outputs are read, and what stands between the last layer and the head."""

    sites: list[Site]  # layer 0 = the embeddings' output, 1 .. L = the layers' outputs
    between: list[nn.Module]  # called one after the other on the last layer's output
    head: nn.Linear

    def logits(self, outputs: dict[Site, torch.Tensor]) -> torch.Tensor:
        """Start and end logits of each layer: (layers + 1, 2, tokens) float32.

        outputs: (1, tokens, hidden) of each site, from a pass in evaluation mode.
        """
        states = torch.cat([outputs[site] for site in self.sites])  # (layers + 1, tokens, hidden)
        with torch.no_grad():
            for module in self.between:
                states = module(states)
            return self.head(states.to(self.head.weight.dtype)).float().transpose(1, 2)


def find_lens(model: PreTrainedModel, window: Window | None = None) -> Lens | None:
    """The lens of a model, or None if the head cannot be applied to every layer's output.

    It cannot if a layer gives fewer units than the head reads, or if something other than a chain
    of modules stands between the last layer and the head. window: as in `find_sites`.
    """
    outputs = layer_outputs(model, window)
    embeddings = Site(0, "in", outputs[0].module, outputs[0].call)
    between = _modules_between(model, outputs[-1], window)
    lens = Lens([embeddings, *outputs], between, head_of(model))
    return lens if _is_true(model, lens, window) else None


def _modules_between(model: PreTrainedModel, last: Site, window: Window | None) -> list[nn.Module]:
    """The outermost modules that a pass calls after the last layer and before the head."""
    head = head_of(model)
    layer = model.get_submodule(last.module)
    modules: list[nn.Module] = []
    open_modules: list[nn.Module] = []
    passed = [0]  # calls of the last layer's module that have ended

    def begin(*_: Any) -> None:
        passed[0] = 0
        modules.clear()  # of a pass that failed: `pass_through` may try a second one

    def enter(module: nn.Module, *_: Any) -> None:
        if passed[0] > last.call and not open_modules and module is not head:
            modules.append(module)
        if passed[0] > last.call:
            open_modules.append(module)

    def leave(module: nn.Module, *_: Any) -> None:
        if open_modules and open_modules[-1] is module:
            open_modules.pop()
        if module is layer:
            passed[0] += 1

    with ExitStack() as hooks:
        for module in model.modules():
            hooks.enter_context(module.register_forward_pre_hook(enter))
            hooks.enter_context(module.register_forward_hook(leave))
        hooks.enter_context(model.register_forward_pre_hook(begin))
        pass_through(model, window)
    return modules


def _is_true(model: PreTrainedModel, lens: Lens, window: Window | None) -> bool:
    """Whether the lens's last row is what the head gives in the model's own pass."""
    logits: list[torch.Tensor] = []
    keep = lens.head.register_forward_hook(lambda _module, _inputs, output: logits.append(output))
    try:
        with hooked(model, lens.sites) as outputs:
            pass_through(model, window)
    finally:
        keep.remove()
    widths = {outputs[site].shape[-1] if site in outputs else None for site in lens.sites}
    if widths != {lens.head.in_features}:
        return False
    first = {site: output[:1] for site, output in outputs.items()}
    try:
        with undisturbed(model):  # a dropout between the last layer and the head is off
            rows = lens.logits(first)
    except (RuntimeError, TypeError, AttributeError):  # no chain of modules that take one tensor
        return False
    own = logits[-1][0].float().T  # (2, tokens)
    return bool(torch.allclose(rows[-1], own, rtol=1e-3, atol=1e-4))
