"""Where the attention heads of a model read from, at some tokens of one window.

    rows = attention_rows(model, window.inputs, [0, 17])

The usual attention of transformers computes no weights that could be read, so this is a pass of
its own with the plain implementation ("eager"). Nothing of the model is changed afterwards.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from transformers import PreTrainedModel

from huggin.model.device import copy_to_host
from huggin.model.hooks import REFUSALS, undisturbed

PLAIN = "eager"


def attention_rows(
    model: PreTrainedModel, inputs: Mapping[str, list[int]], tokens: Sequence[int]
) -> np.ndarray | None:
    """The attention weights of some tokens: (layers, heads, len(tokens), window) float16.

    inputs: of one window, as in `Window.inputs`. Each row of the last axis adds up to 1. None if
    the model gives no attention weights.
    """
    batch = {name: torch.tensor([ids], device=model.device) for name, ids in inputs.items()}
    places = torch.tensor(list(tokens), device=model.device)
    try:
        with undisturbed(model), _plain_attention(model):
            given = model(**batch, output_attentions=True).attentions
    except REFUSALS:
        return None
    if not given or any(layer is None or layer.ndim != 4 for layer in given):
        return None
    rows = torch.stack([layer[0].index_select(1, places) for layer in given])
    return copy_to_host(rows.half()).wait().numpy()


@contextmanager
def _plain_attention(model: PreTrainedModel) -> Iterator[None]:
    before = model.config._attn_implementation
    model.set_attn_implementation(PLAIN)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
