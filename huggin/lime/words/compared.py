"""What LIME is compared with: leave-one-out, integrated gradients, shares of the last nodes.

Leave-one-out and integrated gradients give every segment a number, as LIME does. Do they agree, and
is any of their orders better than chance? The shares belong to nodes and not to words: they say
which hidden units carry the answer at its own tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import torch
from captum.attr import LayerIntegratedGradients
from scipy.stats import hypergeom, spearmanr
from torch import Tensor

from huggin.common.progress import progress
from huggin.common.site import Site
from huggin.common.text import in_columns, short
from huggin.lime.explained import known, verdict
from huggin.lime.masks import random_perturbations
from huggin.lime.quality import Scores, curves_of, gain
from huggin.lime.words.predictions import (
    SpanTarget,
    TextModel,
    TextPredictor,
    TokenSpan,
    best_token_spans,
    score_of,
    span_logs,
)
from huggin.lime.words.scene import LONG, NEVER, TextScene
from huggin.model.device import copy_to_host
from huggin.model.hooks import hooked, undisturbed
from huggin.model.loading import head_of, name_of_head

LIME = "LIME"
RANDOM = "random"
RANDOM_ORDERS = 9  # with their reverses 18: one more is above all in 1 of 20
POINTS = 12  # of a curve, so that a long text is not asked hundreds of times
CHANCE = 0.05  # that two methods of noise are said to agree
MOST_TOP = 3  # the top is at most one segment in so many: methods share most of a longer one
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

    def in_words(self, rival: str, half: int) -> str:
        """Which nodes carry the answer. rival: the text of the rival span; half: nodes for half."""
        first = ", ".join(f"{node} ({self.shares[node]:+.2f})" for node in self.ranking[:NODES])
        lead = f"lead of {self.lead:+.3g} over {short(rival, LONG)}"
        return f"last layer: {half} nodes give half of its {lead}; the first: {first}"


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


@dataclass(frozen=True)
class Curve:
    """What hiding (deletion) and showing (insertion) the first segments of an order does."""

    shown: list[int]  # how many segments are hidden or shown at each point
    deletion: list[float]
    insertion: list[float]
    deletion_auc: float
    insertion_auc: float
    gains: list[float] = field(default_factory=list)  # of each random order

    @property
    def gain(self) -> float:
        """The area under the insertion curve less that under the deletion curve."""
        return self.insertion_auc - self.deletion_auc


@dataclass(frozen=True)
class Compared:
    """How far methods agree, and what hiding and showing the segments in their orders does."""

    values: dict[str, list[float]]  # of each method, LIME first: (segments,)
    rank_correlation: list[tuple[str, str, float | None]]  # Spearman's; None if one is constant
    top: int
    shared_top: list[tuple[str, str, int]]  # how many of the `top` highest they have in common
    curves: dict[str, Curve]  # of each method and of random orders

    def with_lime(self, name: str) -> tuple[float | None, int]:
        """Rank correlation and shared top segments of a method and LIME."""
        pair = (LIME, name)
        rho = next(number for *names, number in self.rank_correlation if tuple(names) == pair)
        shared = next(number for *names, number in self.shared_top if tuple(names) == pair)
        return rho, shared

    def agrees(self, name: str) -> bool:
        """Whether a method shares more of the top segments with LIME than chance lets it.

        By chance the number that they share has the hypergeometric distribution. The rank
        correlation does not count: it is low where most segments hardly matter, because their
        order is chance.
        """
        _, shared = self.with_lime(name)
        count = len(self.values[name])
        return bool(hypergeom.sf(shared - 1, count, self.top, self.top) <= CHANCE)

    @property
    def beats_chance(self) -> list[str]:
        """The methods whose gain is above that of random orders and their reverses, the best first.

        The reverse of an order sees the same masks, so its gain is the opposite.
        """
        chance = max(map(abs, self.curves[RANDOM].gains))
        good = [name for name in self.values if self.curves[name].gain > chance]
        return sorted(good, key=lambda name: self.curves[name].gain, reverse=True)

    def table(self) -> list[str]:
        """The methods beside each other, a line each."""
        head = ("method", "rank correlation", "top shared", "deletion area", "insertion area")
        return in_columns([head, *map(self._row, self.curves)])

    def _row(self, name: str) -> tuple[str, ...]:
        curve = self.curves[name]
        areas = (f"{curve.deletion_auc:.3f}", f"{curve.insertion_auc:.3f}")
        if name in (LIME, RANDOM):
            return (name, "-", "-", *areas)
        rho, shared = self.with_lime(name)
        number = "nan" if rho is None else f"{rho:.2f}"
        return (name, number, f"{shared} of {self.top}", *areas)

    def verdict(self, against: Sequence[str]) -> str:
        """One sentence: which of the methods to rely on. against: what else speaks against it."""
        good = self.beats_chance
        if not good:
            why = "hiding segments in their orders changes the score no faster than at random"
            return f"Verdict: rely on none of the rankings: {'; '.join([why, *against])}."
        others = [name for name in self.values if name != LIME]
        agreeing = [name for name in others if self.agrees(name)]
        if LIME in good and agreeing == others:
            what = (
                "all methods share more of them than by chance, and hiding them changes the score"
            )
            return verdict(f"{what} faster than at random", against)
        if LIME in good and agreeing:
            what = f"rely on what LIME and {agreeing[0]} both rank high; the other method disagrees"
        else:
            why = (
                "the methods disagree on the top segments; its order changes the score the fastest"
            )
            what = f"trust {good[0]} most: {why}"
        return f"Verdict: {'; '.join([what, *against])}."


def compare(values: Mapping[str, np.ndarray], scores: Scores, top: int, seed: int) -> Compared:
    """Compare methods (name -> (segments,)), and draw their deletion and insertion curves.

    top: how many segments count as the top ones; a third of all at most. The random orders'
    areas are means over RANDOM_ORDERS, and `gains` has each one's.
    """
    orders = {name: np.argsort(-found, kind="stable") for name, found in values.items()}
    curves = {name: Curve(**curves_of([order], scores, POINTS)) for name, order in orders.items()}
    rng = np.random.default_rng(seed)
    count = len(next(iter(values.values())))
    each = [curves_of([rng.permutation(count)], scores, POINTS) for _ in range(RANDOM_ORDERS)]
    mean = {name: np.mean([one[name] for one in each], axis=0).tolist() for name in each[0]}
    curves[RANDOM] = Curve(**mean, gains=list(map(gain, each)))
    top = min(top, max(1, count // MOST_TOP))
    highest = {name: set(order[:top].tolist()) for name, order in orders.items()}
    pairs = list(combinations(values, 2))
    return Compared(
        values={name: found.tolist() for name, found in values.items()},
        rank_correlation=[
            (one, other, _rank_correlation(values[one], values[other])) for one, other in pairs
        ],
        top=top,
        shared_top=[(one, other, len(highest[one] & highest[other])) for one, other in pairs],
        curves=curves,
    )


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Spearman's; None if one of the two is constant."""
    if min(np.ptp(one), np.ptp(other)) == 0:
        return None
    return known(spearmanr(one, other).statistic)
