"""What LIME over words is compared with: integrated gradients, and shares of the last nodes.

Integrated gradients give every segment a number, as LIME does. The shares belong to nodes and not
to words: they say which hidden units carry the answer at its own tokens.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from captum.attr import LayerIntegratedGradients
from torch import Tensor

from huggin.analysis.nodes import nodes_for_half
from huggin.common.progress import progress
from huggin.common.site import Site
from huggin.common.text import short
from huggin.lime.predictor import Target
from huggin.lime.words.scene import (
    NEVER,
    TextScene,
    TokenSpan,
    answer_text,
    best_token_spans,
    span_logs,
)
from huggin.lime.words.text import LONG
from huggin.model.device import copy_to_host
from huggin.model.hooks import hooked, undisturbed
from huggin.model.loading import head_of, name_of_head

NODES = 5  # that are named
COMPLETE = 0.01  # of the change of the score: what the attributions may miss
FIRST_STEPS = 32  # between the hidden and the full text
MOST_STEPS = 1024


@dataclass(frozen=True)
class Integrated:
    """Integrated gradients of a score over the token embeddings."""

    values: np.ndarray  # (segments,) in units of the score; what each adds
    change: float  # of the score, from all segments hidden to the full text
    missing: float  # change - sum of the attributions of all tokens
    steps: int

    @property
    def error(self) -> float:
        """What is missing, as a share of the change; 0 if nothing changes."""
        return abs(self.missing / self.change) if self.change else 0.0

    def in_words(self) -> str:
        """Whether they are complete."""
        complete = f"they miss {100 * self.error:.2f} % of the change of {self.change:+.4g}"
        return f"integrated gradients: {self.steps} steps; {complete}"


def integrated_gradients(scene: TextScene, target: Target[TokenSpan], scale: str) -> Integrated:
    """Integrated gradients (Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365).

    The path leads from the text with all segments hidden to the full text, in the space of the
    token embeddings. Hidden is [MASK], or [PAD] with `pad` or if there is no [MASK]: embeddings
    cannot be deleted. The attributions of all tokens add up to the change of the score (they are
    complete). Steps are doubled until they do so to 1 %, or until there are 1,024.
    """
    with progress(total=MOST_STEPS, label="integrated gradients", unit="steps") as bar:
        gradients = _integrated(scene, target, scale, FIRST_STEPS)
        while gradients.error > COMPLETE and gradients.steps < MOST_STEPS:
            bar.update(gradients.steps)
            gradients = _integrated(scene, target, scale, 2 * gradients.steps)
    return gradients


def _integrated(scene: TextScene, target: Target[TokenSpan], scale: str, steps: int) -> Integrated:
    text_model = scene.text_model
    inputs = inputs_of(scene)
    ids = inputs.pop("input_ids")
    hidden = torch.from_numpy(scene.segment_of != NEVER).to(ids.device)
    has_mask = text_model.tokenizer.mask_token_id is not None
    substitute = "mask" if has_mask and scene.hide != "pad" else "pad"
    baseline = ids.masked_fill(hidden, text_model.substitute(substitute))

    def score(rows: Tensor) -> Tensor:
        """Token ids (texts, tokens) -> scores (texts,)."""
        expanded = {name: row.expand(len(rows), -1) for name, row in inputs.items()}
        output = text_model.model(input_ids=rows, **expanded)
        start = output.start_logits.float()
        end = output.end_logits.float()
        log_p, log_rest = span_logs(start, end, target.plus)
        log_q = None if target.minus is None else span_logs(start, end, target.minus)[0]
        if scale == "logit":
            return log_p - (log_rest if log_q is None else log_q)
        return log_p.exp() if log_q is None else log_p.exp() - log_q.exp()

    method = LayerIntegratedGradients(score, text_model.model.get_input_embeddings())
    size = text_model.batch
    attributed = method.attribute(ids, baseline, n_steps=steps, internal_batch_size=size)
    with torch.no_grad():
        change = float(score(ids) - score(baseline))
    by_token = _as_array(attributed[0].sum(dim=1))
    in_segment = scene.segment_of != NEVER
    values = np.bincount(scene.segment_of[in_segment], by_token[in_segment], scene.count)
    return Integrated(values, change, change - float(by_token.sum()), steps)


def inputs_of(scene: TextScene) -> dict[str, Tensor]:
    """The model's inputs for the full text, each (1, tokens), on its device."""
    names = scene.text_model.tokenizer.model_input_names
    device = scene.text_model.model.device
    inputs = {name: ids for name, ids in scene.window.inputs.items() if name in names}
    return {name: torch.tensor([ids]).to(device) for name, ids in inputs.items()}


def _as_array(values: Tensor) -> np.ndarray:
    """Values of any device in float64."""
    return copy_to_host(values.detach().float()).wait().double().numpy()


@dataclass(frozen=True)
class NodeShares:
    """What each node of the last layer gives to a span's lead over a rival span.

    The lead is the span's start and end logit less the rival's. The head is linear, so the shares
    add up to it exactly.
    """

    rival: str  # the text of the span
    lead: float  # from the logits themselves
    shares: np.ndarray  # (hidden,)

    @property
    def ranking(self) -> np.ndarray:
        """The nodes (hidden,), the one with the largest share first."""
        return np.argsort(-self.shares, kind="stable")

    def in_words(self) -> str:
        """Which nodes carry the answer."""
        half = nodes_for_half(self.shares)
        first = ", ".join(f"{node} ({self.shares[node]:+.2f})" for node in self.ranking[:NODES])
        lead = f"lead of {self.lead:+.3g} over {short(self.rival, LONG)}"
        return f"last layer: {half} nodes give half of its {lead}; the first: {first}"

    def as_json(self) -> dict[str, Any]:
        """All of it, and how many nodes give half of the positive shares."""
        half = nodes_for_half(self.shares)
        facts = {"rival": self.rival, "lead": self.lead, "nodes_for_half": half}
        return {**facts, "shares": self.shares.tolist()}


def node_shares(scene: TextScene, target: Target[TokenSpan]) -> NodeShares:
    """The shares in the lead of the target's span over the other one of the contrast.

    Without a contrast the rival is the best span of the context that shares no token with it.
    """
    model = scene.text_model.model
    site = Site(0, "head", name_of_head(model))
    with undisturbed(model), hooked(model, [site]) as outputs:
        output = model(**inputs_of(scene))
    start = copy_to_host(output.start_logits.float()).wait()
    end = copy_to_host(output.end_logits.float()).wait()
    rival = target.minus
    if rival is None:
        allowed = torch.tensor([[part == "context" for part in scene.window.parts]])
        allowed[:, target.plus[0] : target.plus[1] + 1] = target.plus == (0, 0)
        data = scene.text_model.data
        first, last = best_token_spans(start, end, allowed, data)[0].tolist()
        rival = (first, last)
    states = _as_array(outputs[site][0])  # (tokens, hidden)
    weight = _as_array(head_of(model).weight)
    ends = list(zip((start[0], end[0]), target.plus, rival, strict=True))
    lead = float(sum(logits[mine] - logits[other] for logits, mine, other in ends))
    leads = [states[mine] - states[other] for _, mine, other in ends]
    shares = leads[0] * weight[0] + leads[1] * weight[1]
    return NodeShares(answer_text(scene.window, rival), lead, shares)
