"""LIME's four steps, for anything that can be asked about masks: a picture, a text.

A predictor, targets and a request go in; an explanation of each target comes out
(Ribeiro et al. 2016, https://arxiv.org/abs/1602.04938).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from huggin.lime.adjusted import adjusted
from huggin.lime.choices import LEAST
from huggin.lime.explanation import Explanation, Request
from huggin.lime.masks import Masks, distance_weights, random_perturbations
from huggin.lime.predictor import Of, Predictor, SceneT, Target
from huggin.lime.quality import (
    LEAVE_ONE_OUT,
    LIME,
    POINTS,
    RANDOM_ORDERS,
    Compared,
    compare,
    leave_one_out,
    stability,
)
from huggin.lime.surrogate import is_stable, linear_regression_coefficients

BATCH = 250  # masks that `until_stable` adds at a time, or a fifth if that is more
VALUE_ROUNDING = 1e-5  # relative size of changes of a value that its model may make by rounding
Say = Callable[[str], None]


class Report:
    """The lines about an explanation: each is kept, and told as soon as it is known."""

    def __init__(self, say: Say, verbose: bool) -> None:
        self.lines: list[str] = []
        self._say = say
        self._verbose = verbose

    def tell(self, *lines: str) -> None:
        """What everybody wants to know."""
        for line in lines:
            self.lines.append(line)
            self._say(line)

    def detail(self, *lines: str) -> None:
        """What is told if the report is verbose."""
        if self._verbose:
            self.tell(*lines)


def explain(
    predictor: Predictor[SceneT, Of],
    targets: Sequence[Target[Of]],
    request: Request,
    say: Say = lambda _: None,
) -> list[Explanation[SceneT, Of]]:
    """LIME's four steps; one explanation per target, all from the same predictions.

    say: told what each step does.
    """
    scene = predictor.scene
    say("\nStep 1/4: random perturbations")
    how = (request.samples, request.seed, request.kernel_width)
    masks = random_perturbations(request.sampler, scene.count, *how)
    request = replace(request, samples=len(masks.on))
    _tell_masks(masks, request, say)

    say("Step 2/4: predictions")
    answers = predictor.predictions(masks.on)
    say("\n".join(f"  {line}" for line in scene.details(answers)))

    say("Step 3/4: distance weights")
    weights = distance_weights(masks)
    reach = f"{weights.min():.4f} to {weights.max():.4f}"
    say(f"  {weights.shape}, by the cosine distance from the full mask: {reach}")

    say("Step 4/4: linear regression coefficients")
    explanations = []
    for target in targets:
        scores = answers.score(target, request.scale)
        least = LEAST.get(request.scale, VALUE_ROUNDING * float(np.abs(scores).max()))
        surrogate = linear_regression_coefficients(masks, scores, weights, least)
        if request.adjust:
            surrogate = adjusted(masks, scores, weights, surrogate)
        kept = scene.kept(target, answers)
        sure = np.nan if request.scale == "value" else answers.probability_of(target)
        explanation = Explanation(scene, target, request, masks, scores, kept, surrogate, sure)
        _tell_coefficients(explanation, say)
        explanations.append(explanation)
    return explanations


def _tell_masks(masks: Masks, request: Request, say: Say) -> None:
    example = np.array2string(masks.on[1].astype(int), max_line_width=500, threshold=64)
    drawn = "all that there are" if masks.complete else request.sampler
    say(f"  masks: {masks.on.shape}, {drawn}, 1 where a segment is seen")
    say(f"  e.g. masks[1]: {example}")


def _tell_coefficients(explanation: Explanation[SceneT, Of], say: Say) -> None:
    values = explanation.surrogate.coefficients
    sources = f"masks {explanation.masks.on.shape} and scores {explanation.scores.shape}"
    say(f"  {explanation.target.name}: {values.shape} from {sources}")
    how = ", adjusted by a proxy" if explanation.surrogate.adjusted else ""
    say(f"  lowest {values.min():.4g}, highest {values.max():.4g}{how}")


def until_stable(
    predictor: Predictor[SceneT, Of],
    explanations: list[Explanation[SceneT, Of]],
    most: int,
    say: Say,
) -> list[Explanation[SceneT, Of]]:
    """Add masks until the standard errors say that fresh ones would find the same top segments.

    most: the number of masks at which it gives up.
    """
    targets = [explanation.target for explanation in explanations]
    while not all(map(is_steady, explanations)):
        request = explanations[0].request
        if request.samples >= most:
            say(f"NOT STABLE after {most} masks: segments are too close to each other or to 0")
            return explanations
        count = max(request.samples + BATCH, int(1.2 * request.samples))
        more = replace(request, samples=min(count, most))
        explanations = explain(predictor, targets, more)
    samples = explanations[0].request.samples
    say(f"stable after {samples} masks: the top segments stand out by more than chance")
    return explanations


def is_steady(explanation: Explanation[SceneT, Of]) -> bool:
    """Whether fresh masks would find the same top segments."""
    return explanation.masks.complete or is_stable(explanation.surrogate, explanation.request.top)


def repeated(
    predictor: Predictor[SceneT, Of], explanation: Explanation[SceneT, Of], repeats: int, say: Say
) -> Explanation[SceneT, Of]:
    """Explain with fresh masks; the explanation with its stability, which is said.

    The answers to masks of an earlier start come from the predictor's file.
    """
    request = explanation.request
    fresh = [replace(request, seed=request.seed + number) for number in range(1, repeats)]
    others = [explain(predictor, [explanation.target], again) for again in fresh]
    surrogates = [explanation.surrogate, *(other.surrogate for [other] in others)]
    agreement = stability(surrogates, request.top)
    say(
        f"{repeats} explanations: "
        f"Jaccard@{request.top} {agreement['jaccard']:.3f}, "
        f"Kendall's W {agreement['kendall_w']:.3f}, same sign {agreement['same_sign']:.3f}"
    )
    return replace(explanation, stability=agreement)


def compared(
    predictor: Predictor[SceneT, Of],
    explanation: Explanation[SceneT, Of],
    others: Mapping[str, np.ndarray],
    random_orders: int = RANDOM_ORDERS,
    points: int | None = POINTS,
) -> Compared:
    """LIME's coefficients beside leave-one-out and other methods, see `compare`."""

    def scores(on: np.ndarray) -> np.ndarray:
        return predictor.scores(on, explanation.target, explanation.request.scale)

    alone = leave_one_out(scores, explanation.scene.count)
    values = {LIME: explanation.surrogate.coefficients, LEAVE_ONE_OUT: alone, **others}
    request = explanation.request
    return compare(values, scores, request.top, request.seed, random_orders, points)
