"""A parameter -> its part of the model, and the kind of module that it belongs to.

Kinds are found by structure: attentions and norms by their class, linear layers by their shape. Of
a linear layer in an attention the name says which one it is, as `q_lin` or `query` do.
"""

from torch import nn
from transformers import PreTrainedModel

from huggin.common.site import Place
from huggin.model.hooks import is_attention
from huggin.model.parts import EMBEDDINGS, HEAD

JOINT = ("qkv", "in_proj")  # one matrix for query, key and value
OUTPUTS = ("dense", "o", "wo", "out_lin", "out_proj", "o_proj", "post_proj")
OTHER = "other"


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
    return _in_feed_forward(around)


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


def _in_feed_forward(around: list[nn.Module]) -> str:
    """By the shape of the outermost linear layer: LoRA puts small ones inside it."""
    for module in around:
        linear = getattr(module, "base_layer", module)
        if isinstance(linear, nn.Linear) and linear.out_features != linear.in_features:
            widens = linear.out_features > linear.in_features
            return "feed-forward in" if widens else "feed-forward out"
    return OTHER
