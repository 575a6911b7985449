"""LIME's four steps, for anything that can be asked about masks: a picture, a text, a function.

A predictor, targets and a request go in; an explanation of each target comes out
(Ribeiro et al. 2016, https://arxiv.org/abs/1602.04938).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from huggin.common.text import printable
from huggin.lime.adjusted import adjusted
from huggin.lime.explained import (
    AnyPredictor,
    Explained,
    Request,
    SceneT,
    TargetT,
    least_effect,
)
from huggin.lime.masks import Masks, distance_weights, random_perturbations
from huggin.lime.quality import stability
from huggin.lime.surrogate import is_stable, linear_regression_coefficients

BATCH = 250  # masks that `until_stable` adds at a time, or a fifth if that is more
Say = Callable[[str], None]


def explain(
    predictor: AnyPredictor[SceneT, TargetT],
    targets: Sequence[TargetT],
    request: Request,
    say: Say = lambda _: None,
) -> list[Explained[SceneT, TargetT]]:
    """LIME's four steps; one explanation per target, all from the same predictions."""
    say("\nStep 1/4: random perturbations")
    masks = random_perturbations(
        request.sampler,
        predictor.scene.count,
        request.samples,
        request.seed,
        request.kernel_width,
    )
    request = replace(request, samples=len(masks.on))
    _tell_masks(masks, request, say)

    say("Step 2/4: predictions")
    answers = predictor.predictions(masks.on)
    for line in predictor.told(answers):
        say(f"  {printable(line)}")

    say("Step 3/4: distance weights")
    weights = distance_weights(masks)
    reach = f"{weights.min():.4f} to {weights.max():.4f}"
    say(f"  {weights.shape}, by the cosine distance from the full mask: {reach}")

    say("Step 4/4: linear regression coefficients")
    found = []
    for target in targets:
        scores = answers.score(target, request.scale)
        least = least_effect(request.scale, scores)
        surrogate = linear_regression_coefficients(masks, scores, weights, least)
        if request.adjust:
            surrogate = adjusted(masks, scores, weights, surrogate)
        kept = answers.kept(target)
        sure = np.nan if request.scale == "value" else answers.probability_of(target)
        one = Explained(predictor.scene, target, request, masks, scores, kept, surrogate, sure)
        _tell_coefficients(one, say)
        found.append(one)
    return found


def _tell_masks(masks: Masks, request: Request, say: Say) -> None:
    example = np.array2string(masks.on[1].astype(int), max_line_width=500, threshold=64)
    drawn = "all that there are" if masks.complete else request.sampler
    say(f"  masks: {masks.on.shape}, {drawn}, 1 where a segment is seen")
    say(f"  e.g. masks[1]: {example}")


def _tell_coefficients(one: Explained, say: Say) -> None:
    found = one.surrogate.coefficients
    shapes = f"{found.shape} from masks {one.masks.on.shape} and scores {one.scores.shape}"
    say(f"  {printable(one.target.name)}: {shapes}")
    how = ", adjusted by a proxy" if one.surrogate.adjusted else ""
    say(f"  lowest {found.min():.4g}, highest {found.max():.4g}{how}")


def until_stable(
    predictor: AnyPredictor[SceneT, TargetT],
    explanations: list[Explained[SceneT, TargetT]],
    most: int,
    say: Say,
) -> list[Explained[SceneT, TargetT]]:
    """Add masks until the standard errors say that fresh ones would find the same top segments.

    most: the number of masks at which it gives up.
    """
    targets = [one.target for one in explanations]
    while not all(
        one.masks.complete or is_stable(one.surrogate, one.request.top) for one in explanations
    ):
        request = explanations[0].request
        if request.samples >= most:
            why = "segments are too close to each other or to 0"
            say(f"\nNOT STABLE after {request.samples} masks: {why}")
            return explanations
        count = max(request.samples + BATCH, int(1.2 * request.samples))
        more = replace(request, samples=min(count, most))
        explanations = explain(predictor, targets, more)
    why = "the top segments stand out by more than chance"
    say(f"\nstable after {explanations[0].request.samples} masks: {why}")
    return explanations


def repeated(
    predictor: AnyPredictor[SceneT, TargetT],
    one: Explained[SceneT, TargetT],
    repeats: int,
    say: Say,
) -> dict[str, float]:
    """Explain with fresh masks, and say how far the explanations agree: what `stability` returns.

    The answers to masks of an earlier start come from the predictor's file.
    """
    surrogates = [one.surrogate]
    for number in range(1, repeats):
        request = replace(one.request, seed=one.request.seed + number)
        surrogates.append(explain(predictor, [one.target], request)[0].surrogate)
    agreement = stability(surrogates, one.request.top)
    say(
        f"{repeats} explanations: "
        f"Jaccard@{one.request.top} {agreement['jaccard']:.3f}, "
        f"Kendall's W {agreement['kendall_w']:.3f}, same sign {agreement['same_sign']:.3f}"
    )
    return agreement
