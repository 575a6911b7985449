"""What a model says of questions: of a tracked sample in a pass of its own, of a batch in training.

A probe is in evaluation mode. The rows of a batch come from the logits that it has computed anyway,
in train mode (dropout on).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from huggin.common.site import Site
from huggin.common.window import Window
from huggin.model.device import copy_to_host
from huggin.model.hooks import hooked, undisturbed
from huggin.model.lens import Lens
from huggin.model.loading import head_of, name_of_head
from huggin.qa.answers import Span, best_spans
from huggin.qa.arguments import DataArguments
from huggin.recording.pointers import head_gradients

NO_SPAN = Span(-1, -1, 0.0)


@dataclass(frozen=True)
class Probe:
    """What one pass of a tracked sample gave."""

    start_logits: np.ndarray  # (tokens,) float32
    end_logits: np.ndarray  # (tokens,) float32
    start_loss: float  # cross-entropy in nats
    end_loss: float  # cross-entropy in nats
    predicted: tuple[int, int]  # first and last token of the best span, (-1, -1) if none is valid
    lens: np.ndarray | None  # (layers + 1, 2, tokens) float32
    activations: dict[Site, np.ndarray]  # (tokens, hidden) float16, NaN beyond a site's own units
    gradient: torch.Tensor  # (2, hidden) of the loss by the head's weight, on the device


def probe(
    model: PreTrainedModel,
    window: Window,
    sites: list[Site],
    data: DataArguments,
    lens: Lens | None = None,
) -> Probe:
    """Send a window through the model. The model, its mode and all random states stay as they are.

    data: `n_best_size` and `max_answer_length` say which spans can be the answer.
    lens: to apply the head to every layer's output, too.
    """
    inputs = {name: torch.tensor([ids], device=model.device) for name, ids in window.inputs.items()}
    received = Site(0, "head", name_of_head(model))
    watched = list(dict.fromkeys([*sites, *(lens.sites if lens else []), received]))
    with undisturbed(model), hooked(model, watched) as outputs:
        logits = model(**inputs)
        by_layer = copy_to_host(lens.logits(outputs)).wait().numpy() if lens else None
    start = copy_to_host(logits.start_logits.float()).wait()  # (1, tokens)
    end = copy_to_host(logits.end_logits.float()).wait()  # (1, tokens)
    labels = [
        torch.tensor([gold], device=model.device) for gold in (window.gold_start, window.gold_end)
    ]
    pairs = ((logits.start_logits, logits.end_logits), (labels[0], labels[1]))
    in_context = np.array(window.parts) == "context"
    spans = best_spans(start[0].numpy(), end[0].numpy(), in_context, data)
    best = spans[0] if spans else NO_SPAN
    hidden = head_of(model).in_features
    activations = {}
    for site in sites:
        units = copy_to_host(outputs[site][0].half()).wait().numpy()
        # inside MobileBERT's layers are fewer than its head reads
        missing = hidden - units.shape[1]
        activations[site] = np.pad(units, ((0, 0), (0, missing)), constant_values=np.nan)
    return Probe(
        start_logits=start[0].numpy(),
        end_logits=end[0].numpy(),
        start_loss=cross_entropy(start, torch.tensor([window.gold_start])).item(),
        end_loss=cross_entropy(end, torch.tensor([window.gold_end])).item(),
        predicted=(best.start, best.end),
        lens=by_layer,
        activations=activations,
        gradient=head_gradients(outputs[received], *pairs)[0],
    )


def batch_rows(
    batch: Mapping[str, torch.Tensor],
    outputs: Mapping[str, torch.Tensor],
    index: torch.Tensor,
    window: torch.Tensor,
) -> torch.Tensor:
    """How each window of a batch did: (windows, 5) float32, columns as in `schema.OF_A_WINDOW`.

    batch: with the labels, in tokens. outputs: of the model, (windows, tokens) each.
    index: (windows,) of the question in the data. window: (windows,) 0 = the first of its context.
    Losses are cross-entropies in nats; their mean over start, end and windows is the batch's loss.
    right: 1 if the highest start and end logit are the labels. Nothing waits for a GPU.
    """
    starts, ends = (batch[f"{end}_positions"].reshape(-1) for end in ("start", "end"))
    start_logits, end_logits = outputs["start_logits"], outputs["end_logits"]
    with torch.no_grad():
        right = (start_logits.argmax(-1) == starts) & (end_logits.argmax(-1) == ends)
        start_loss = cross_entropy(start_logits.float(), starts, reduction="none")
        end_loss = cross_entropy(end_logits.float(), ends, reduction="none")
        columns = [index.to(starts.device), window.to(starts.device), start_loss, end_loss, right]
        return torch.stack([column.float() for column in columns], dim=1)
