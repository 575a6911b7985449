"""Where a model is watched: its sites, the hooks on them, its attention; passes without a trace.

    with undisturbed(model), hooked(model, find_sites(model, "ends")) as outputs:
        model(**inputs)
    rows = attention_rows(model, window.inputs, [0, 17])

The model's code stays as `transformers` ships it: PyTorch hooks read what passes through its
modules. Sites are found by structure and by watching a pass of a real window, never by a model's
name: some models take no window without its separators, or only one of a certain length.

The usual attention of transformers computes no weights that could be read, so `attention_rows` is a
pass of its own with the plain implementation ("eager"). Nothing of the model is changed afterwards.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from huggin.common.errors import UserError
from huggin.common.site import Site
from huggin.common.text import one_line
from huggin.common.window import Window
from huggin.model.device import copy_to_host, random_states_kept
from huggin.model.loading import head_of, name_of_head

WITHOUT = "set record to false to train it"
RECEIVED = ("head", "in")  # components of a site that are what the module receives
REFUSALS = (AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError)
PLAIN = "eager"


def find_sites(
    model: PreTrainedModel, node_layers: str, window: Window | None = None
) -> list[Site]:
    """The modules to hook.

    window: what is sent through the model; None for the few tokens that `transformers` has for it.
    node_layers: "all", the self-attention and the output of every layer; or "ends", the first and
    the last self-attention and the last output.

    The layers are the first list of modules with an attention inside, in the order in which a pass
    calls them. A layer's self-attention is its first submodule that is called an attention and has
    no other inside. If the head receives something else than the last output, as in ModernBERT,
    that is a site, too. Raises UserError if the model has no such sites.
    """
    layers = _layers(model, window)
    last = len(layers)
    sites = []
    for number, name in enumerate(layers, start=1):
        call = layers[: number - 1].count(name)
        if node_layers == "all" or number in (1, last):
            attention = _self_attention(name, model.get_submodule(name))
            sites.append(Site(number, "self", attention, call))
        if node_layers == "all" or number == last:
            sites.append(Site(number, "out", name, call))
    return _watched(model, [*sites, Site(last, "head", name_of_head(model))], window)


def layer_outputs(model: PreTrainedModel, window: Window | None = None) -> list[Site]:
    """The sites of all layers' outputs. window: as in `find_sites`."""
    return [site for site in find_sites(model, "all", window) if site.component == "out"]


def _layers(model: PreTrainedModel, window: Window | None) -> list[str]:
    """The layers' names, each as often as a pass calls it."""
    lists = (
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and any(map(is_attention, module.modules()))
    )
    name, members = next(lists, ("", ()))
    passed: list[str] = []
    if members and not model.config.is_encoder_decoder:
        names = [f"{name}.{index}" for index in range(len(members))]
        passed = calls_in_a_pass(model, names, window)
    if not passed:
        looked = "looked for a single one with attentions"
        raise UserError(f"{type(model).__name__}: no list of layers to hook: {looked}; {WITHOUT}")
    return passed


def is_attention(module: nn.Module) -> bool:
    return "Attention" in type(module).__name__


def _self_attention(layer_name: str, layer: nn.Module) -> str:
    attentions = [name for name, module in layer.named_modules() if name and is_attention(module)]
    for name in attentions:
        if not any(other.startswith(f"{name}.") for other in attentions):
            return f"{layer_name}.{name}"
    raise UserError(f"{layer_name}: no self-attention to hook; {WITHOUT}")


def _watched(model: PreTrainedModel, sites: list[Site], window: Window | None) -> list[Site]:
    """Drop the `head` site, the last, if the head receives exactly the last layer's output.

    Raises UserError if a site does not give (batch, tokens, units).
    """
    with hooked(model, sites) as outputs:
        shape = pass_through(model, window)
    hidden = head_of(model).in_features
    for site in sites:
        own_shape = tuple(outputs[site].shape) if site in outputs else None
        if own_shape and own_shape[:-1] == shape[::-1] != shape:
            order = f"holds its tokens in another order: {site.module} gives {own_shape}"
            wanted = "(tokens, batch, units)"
            raise UserError(f"{type(model).__name__}: {order}, which is {wanted}; {WITHOUT}")
        if not own_shape or own_shape[:-1] != shape or own_shape[-1] > hidden:
            wanted = f"{(*shape, hidden)} for (batch, tokens, the head's nodes)"
            raise UserError(
                f"{type(model).__name__}: {site.module} gives {own_shape}, not {wanted}; {WITHOUT}"
            )
    *others, head = sites
    return others if torch.equal(outputs[head], outputs[others[-1]]) else sites


def calls_in_a_pass(
    model: PreTrainedModel, modules: list[str], window: Window | None = None
) -> list[str]:
    """The names of the modules in the order in which a pass calls them, once for each call."""
    calls: list[str] = []

    def note(name: str, *_: Any) -> None:
        calls.append(name)

    with ExitStack() as hooks:
        for name in modules:
            module = model.get_submodule(name)
            hooks.enter_context(module.register_forward_pre_hook(partial(note, name)))
        # pass_through may try twice; what the first pass called does not count
        hooks.enter_context(model.register_forward_pre_hook(lambda *_: calls.clear()))
        pass_through(model, window)
    return calls


def pass_through(model: PreTrainedModel, window: Window | None = None) -> tuple[int, ...]:
    """Send a window through the model, or the few tokens that `transformers` has for this.

    The model and all random states stay as they are. Returns the shape (batch, tokens).
    Raises UserError if the tokens do not pass, or do not come out as start and end logits.
    """
    if window is None:
        tokens = model.dummy_inputs["input_ids"].to(model.device)
        # On the meta device most models cannot look into a mask; DeBERTa needs one.
        tried = [{"input_ids": tokens}, {"input_ids": tokens, "attention_mask": tokens}]
    else:
        ids = window.inputs.items()
        tried = [{name: torch.tensor([row], device=model.device) for name, row in ids}]
    failed: list[Exception] = []
    for inputs in tried:
        try:
            with undisturbed(model):
                output = model(**inputs)
        except REFUSALS as error:
            failed.append(error)
            continue
        if getattr(output, "start_logits", None) is None:
            what = f"{type(model).__name__}: gives no start and end logits"
            raise UserError(f"{what}; choose a model for question answering")
        return tuple(inputs["input_ids"].shape)
    what = f"{type(model).__name__}: cannot be watched: {one_line(failed[0])}"
    on_meta = "it takes no tokens without its weights, so it cannot be drawn; choose another model"
    raise UserError(f"{what}; {on_meta if model.device.type == 'meta' else WITHOUT}")


@contextmanager
def hooked(model: nn.Module, sites: list[Site]) -> Iterator[dict[Site, torch.Tensor]]:
    """Yield a dict that each forward pass fills: site -> its output, (batch, tokens, units).

    Of the site `head` it is the input. Models that compute in blocks pad what they are given at
    its end (Longformer); that padding is cut off. The hooks are removed afterwards, also after an
    error.
    """
    outputs: dict[Site, torch.Tensor] = {}
    calls: Counter[Site] = Counter()
    tokens = [0]  # that this pass was given

    def begin(_module: nn.Module, _args: Any, kwargs: dict[str, Any]) -> None:
        calls.clear()
        tokens[0] = kwargs["input_ids"].shape[1] if "input_ids" in kwargs else 0

    def keep(site: Site, _module: nn.Module, arguments: Any, output: Any = None) -> None:
        value = output
        if site.component in RECEIVED:  # output: its arguments with a keyword
            value = arguments[0] if arguments else output["hidden_states"]
        if calls[site] == site.call:
            tensor = (value[0] if isinstance(value, tuple) else value).detach()
            is_padded = tensor.dim() == 3 and tensor.shape[0] == 1 and tokens[0] > 0
            outputs[site] = tensor[:, : tokens[0]] if is_padded else tensor
        calls[site] += 1

    with ExitStack() as hooks:
        for site in sites:
            module = model.get_submodule(site.module)
            if site.component in RECEIVED:
                hook = module.register_forward_pre_hook(partial(keep, site), with_kwargs=True)
            else:
                hook = module.register_forward_hook(partial(keep, site))
            hooks.enter_context(hook)
        hooks.enter_context(model.register_forward_pre_hook(begin, with_kwargs=True))
        yield outputs


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; then the modes and all random states are as before."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        with random_states_kept(), torch.no_grad():
            model.eval()
            yield
    finally:
        for module, training in modes:
            module.training = training


def attention_rows(
    model: PreTrainedModel, inputs: Mapping[str, list[int]], tokens: Sequence[int]
) -> np.ndarray | None:
    """The attention weights of some tokens: (layers, heads, len(tokens), window) float16.

    inputs: of one window, as in `Window.inputs`. Each row of the last axis adds up to 1. None if
    the model gives no attention weights.
    """
    batch = {name: torch.tensor([ids], device=model.device) for name, ids in inputs.items()}
    places = torch.tensor(list(tokens), device=model.device)
    implementation = model.config._attn_implementation
    try:
        with undisturbed(model):
            model.set_attn_implementation(PLAIN)
            attentions = model(**batch, output_attentions=True).attentions
    except REFUSALS:
        return None
    finally:
        model.set_attn_implementation(implementation)
    if not attentions or any(layer is None or layer.ndim != 4 for layer in attentions):
        return None
    rows = torch.stack([layer[0].index_select(1, places) for layer in attentions])
    return copy_to_host(rows.half()).wait().numpy()


def refuse_blind_no_answer(tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel) -> None:
    """Raise UserError if the token that stands for "no answer" does not see the context.

    That is [CLS], or the first token where there is none. A model that reads from left to right
    gives it the same logits whatever the question is.
    """
    encoded = tokenizer("1", "2 3")
    ids = encoded["input_ids"]
    slot = ids.index(tokenizer.cls_token_id) if tokenizer.cls_token_id in ids else 0
    context = encoded.sequence_ids().index(1)
    other = list(ids)
    other[context] = next(token for token in range(len(tokenizer)) if token not in ids)
    with undisturbed(model):
        pair = (model(input_ids=torch.tensor([row], device=model.device)) for row in (ids, other))
        before, after = (output.start_logits[0, slot] for output in pair)
    if torch.equal(before, after):
        what = f"{type(model).__name__} reads from left to right, so its 'no answer', token {slot},"
        advice = "set it to false, or choose a model that reads in both directions"
        raise UserError(f"version_2_with_negative: {what} does not see the context; {advice}")
