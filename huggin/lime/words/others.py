"""What needs no surrogate: leave-one-out, integrated gradients, and the shares of the last nodes.

Each method of the first two gives every segment a number, as LIME does. The shares belong to nodes
and not to words: they say which hidden units carry the answer at its own tokens.
"""

from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import LayerIntegratedGradients
from torch import Tensor

from huggin.common.progress import progress
from huggin.common.site import Site
from huggin.lime.masks import random_perturbations
from huggin.lime.words.predictions import SpanTarget, TextModel, TextPredictor
from huggin.lime.words.scene import NEVER, TextScene
from huggin.lime.words.scores import TokenSpan, best_token_spans, score_of, span_logs
from huggin.model.device import copy_to_host
from huggin.model.hooks import hooked, undisturbed
from huggin.model.loading import head_of, name_of_head

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


def leave_one_out(predictor: TextPredictor, target: SpanTarget, scale: str) -> np.ndarray:
    """How much the score falls when each segment alone is hidden: (segments,)."""
    count = predictor.scene.count
    on = random_perturbations("leave-one-out", count, count + 1, seed=0).on
    scores = predictor.scores(on, target, scale)
    return scores[0] - scores[1:]


def integrated_gradients(
    scene: TextScene, text_model: TextModel, target: SpanTarget, scale: str
) -> Integrated:
    """Integrated gradients (Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365).

    The path leads from the text with all segments hidden to the full text, in the space of the
    token embeddings. Hidden is [MASK], or [PAD] with `pad` or if there is no [MASK]: embeddings
    cannot be deleted. The attributions of all tokens add up to the change of the score (they are
    complete). Steps are doubled until they do so to 1 %, or until there are 1,024.
    """
    steps = FIRST_STEPS
    with progress(total=MOST_STEPS, label="integrated gradients", unit="steps") as bar:
        while True:
            found = _integrated(scene, text_model, target, scale, steps)
            bar.update(steps)
            if found.error <= COMPLETE or steps >= MOST_STEPS:
                return found
            steps *= 2


def _integrated(
    scene: TextScene, text_model: TextModel, target: SpanTarget, scale: str, steps: int
) -> Integrated:
    model = text_model.model
    inputs = inputs_of(scene, text_model)
    ids = inputs.pop("input_ids")
    hidden = torch.from_numpy(scene.segment_of != NEVER).to(ids.device)
    substitute = "pad" if scene.hide == "pad" or _has_no_mask(text_model) else "mask"
    baseline = ids.masked_fill(hidden, text_model.substitute(substitute))

    def score(rows: Tensor) -> Tensor:
        """Token ids (texts, tokens) -> scores (texts,)."""
        more = {name: row.expand(len(rows), -1) for name, row in inputs.items()}
        output = model(input_ids=rows, **more)
        start = output.start_logits.float()
        end = output.end_logits.float()
        logs = [span_logs(start, end, span) for span in target.spans]
        return score_of(logs[0], logs[1] if target.minus else None, scale)

    method = LayerIntegratedGradients(score, model.get_input_embeddings())
    attributed = method.attribute(
        ids, baselines=baseline, n_steps=steps, internal_batch_size=text_model.batch
    )
    with torch.no_grad():
        change = float(score(ids) - score(baseline))
    by_token = copy_to_host(attributed[0].sum(dim=1).detach().float()).wait().double().numpy()
    return Integrated(
        values=by_segment(scene, by_token),
        change=change,
        missing=change - float(by_token.sum()),
        steps=steps,
    )


def _has_no_mask(text_model: TextModel) -> bool:
    return text_model.tokenizer.mask_token_id is None


def inputs_of(scene: TextScene, text_model: TextModel) -> dict[str, Tensor]:
    """The model's inputs for the full text, each (1, tokens), on its device."""
    names = text_model.tokenizer.model_input_names
    given = {name: ids for name, ids in scene.window.inputs.items() if name in names}
    return {name: torch.tensor([ids]).to(text_model.model.device) for name, ids in given.items()}


def by_segment(scene: TextScene, by_token: np.ndarray) -> np.ndarray:
    """Sums over the tokens of each segment: (tokens,) -> (segments,)."""
    sums = np.zeros(scene.count + 1)  # the last place is NEVER's
    np.add.at(sums, scene.segment_of, by_token)
    return sums[:-1]


@dataclass(frozen=True)
class NodeShares:
    """What each node of the last layer gives to a span's lead over a rival span.

    The lead is the span's start and end logit less the rival's. The head is linear, so the shares
    add up to it exactly.
    """

    rival: TokenSpan
    shares: np.ndarray  # (hidden,)
    lead: float  # from the logits themselves

    @property
    def ranking(self) -> np.ndarray:
        """The nodes (hidden,), the one with the largest share first."""
        return np.argsort(-self.shares, kind="stable")


def node_shares(scene: TextScene, text_model: TextModel, target: SpanTarget) -> NodeShares:
    """The shares in the lead of the target's span over the other one of the contrast.

    Without a contrast the rival is the best span of the context that shares no token with it.
    """
    model = text_model.model
    site = Site(0, "head", name_of_head(model))
    with undisturbed(model), hooked(model, [site]) as outputs:
        output = model(**inputs_of(scene, text_model))
    start = copy_to_host(output.start_logits.float()).wait()
    end = copy_to_host(output.end_logits.float()).wait()
    rival = target.minus or _rival(scene, start, end, target.plus, text_model)
    states = copy_to_host(outputs[site][0].float()).wait().double().numpy()  # (tokens, hidden)
    weight = copy_to_host(head_of(model).weight.detach().float()).wait().double().numpy()
    differences = [states[mine] - states[other] for mine, other in zip(target.plus, rival)]
    lead = (start[0, target.plus[0]] - start[0, rival[0]]) + (
        end[0, target.plus[1]] - end[0, rival[1]]
    )
    shares = differences[0] * weight[0] + differences[1] * weight[1]
    return NodeShares(rival, shares, float(lead))


def _rival(
    scene: TextScene, start: Tensor, end: Tensor, span: TokenSpan, text_model: TextModel
) -> TokenSpan:
    allowed = torch.tensor([[part == "context" for part in scene.window.parts]])
    allowed[:, span[0] : span[1] + 1] = span == (0, 0)
    first, last = best_token_spans(start, end, allowed, text_model.data)[0].tolist()
    return first, last
