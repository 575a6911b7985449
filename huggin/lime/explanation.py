"""What LIME found, in one place: as words, as JSON, and as rows of the database."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from huggin.lime.choices import WIDTH
from huggin.lime.classifier import first_answers
from huggin.lime.labels import Target
from huggin.lime.masks import Masks
from huggin.lime.scene import Scene
from huggin.lime.surrogate import Surrogate

TRUSTED = 0.5  # held-out R² below which the explanation warns of itself
GAP = 0.1  # between in-sample and held-out R²: above it, more masks are needed to tell why
AIM = 0.05  # the gap that the advised number of masks would have


@dataclass(frozen=True)
class Request:
    """How an explanation is made."""

    sampler: str
    samples: int
    seed: int
    scale: str  # probability or logit
    top: int  # how many segments count as the top ones
    segmenter: str
    fill: str
    kernel_width: float = WIDTH


@dataclass(frozen=True)
class Explanation:
    """Why a classifier gives a picture its score."""

    scene: Scene
    target: Target
    request: Request
    masks: Masks
    scores: np.ndarray  # (masks,) the classifier's, that of the full picture first
    kept: float  # share of the masked pictures whose most probable class is the target's `plus`
    surrogate: Surrogate

    @property
    def top(self) -> np.ndarray:
        """The numbers of the top segments, highest first; only those that speak for the class."""
        return self.surrogate.top(self.request.top)

    @property
    def against(self) -> np.ndarray:
        """As many segments at most that speak against the class, lowest first."""
        return self.surrogate.against(self.request.top)


def introduction(scene: Scene) -> list[str]:
    """What is explained, what was read from the model, and its first answers, a line each."""
    classifier = scene.classifier
    probabilities = classifier.predict(scene.picture)
    best = first_answers(probabilities, 3)
    lines = [f"{scene.name}: {scene.count} segments, {classifier.name}"]
    lines += [f"  {fact}" for fact in classifier.facts]
    for index in best:
        name = classifier.labels.names[index]
        lines.append(f"  {probabilities[index]:.4f} {name} (class {index})")
    ties = np.flatnonzero(probabilities == probabilities[best[0]])
    if len(ties) > 1:
        first = classifier.labels.names[best[0]]
        lines.append(f"  TIE: {len(ties)} classes have this probability; {first} is explained")
    return lines


def in_words(explanation: Explanation) -> list[str]:
    """The facts of an explanation, a line each."""
    surrogate = explanation.surrogate
    if surrogate.constant:
        return [nothing_to_explain(explanation)]
    scores = explanation.scores
    coefficients = surrogate.coefficients
    ranked = ", ".join(f"{segment} ({coefficients[segment]:+.3g})" for segment in explanation.top)
    in_sample = _number(surrogate.r2)
    held_out = _number(surrogate.held_out_r2)
    lines = [
        _scores_in_words(explanation),
        f"top segments of {explanation.scene.count}: "
        + (ranked or "none speaks for it beyond chance"),
        f"R² of the linear surrogate: {in_sample} in-sample, {held_out} held out",
        f"local prediction: {surrogate.local_prediction:.4g}, the model's: {scores[0]:.4g}",
        f"effective samples: {surrogate.effective_samples:.0f} of {len(scores)}",
    ]
    if surrogate.held_out_r2 < TRUSTED:
        lines.append(f"LOW R²: {_why_low(explanation)}")
    return lines


def nothing_to_explain(explanation: Explanation) -> str:
    """The one line for a score that no segment changes."""
    scale = explanation.request.scale
    score = explanation.scores[0]
    what = f"its {scale} is {score:.4g} whatever is hidden"
    return f"{explanation.target.name}: nothing to explain, {what}"


def _why_low(explanation: Explanation) -> str:
    """Too few masks, or segments that interact: the in-sample R² falls as masks are added.

    Both R² approach the same value, from above and from below, and their gap shrinks in
    proportion to the number of masks.
    """
    surrogate = explanation.surrogate
    gap = surrogate.r2 - surrogate.held_out_r2
    masks = len(explanation.scores)
    if gap > GAP and explanation.request.sampler != "leave-one-out":
        enough = int(np.ceil(masks * gap / AIM / 100)) * 100
        reason = f"{masks} masks are too few for {explanation.scene.count} segments"
        return f"{reason}; give about --samples {enough}"
    return "segments interact; a coefficient is only an average over the masks"


def _scores_in_words(explanation: Explanation) -> str:
    scores = explanation.scores
    first = explanation.scene.classifier.labels.names[explanation.target.plus]
    return (
        f"{explanation.target.name}: {explanation.request.scale} {scores[0]:.4g} in the full "
        f"picture, {scores.mean():.4g} on average over {len(scores)} masks; "
        f"{first} is the first answer in {explanation.kept:.0%} of them"
    )


def _number(value: float) -> str:
    unknown = "not known (scores that do not vary, or no more masks than coefficients)"
    return f"{value:.3f}" if np.isfinite(value) else unknown


def as_row(explanation: Explanation) -> dict[str, Any]:
    """An explanation's row in the database; None if a number is not known."""
    scene = explanation.scene
    surrogate = explanation.surrogate
    return {
        "picture": scene.name,
        "model": scene.classifier.name,
        "target": explanation.target.name,
        **vars(explanation.request),
        "model_prediction": float(explanation.scores[0]),
        "local_prediction": surrogate.local_prediction,
        "r2": _known(surrogate.r2),
        "held_out_r2": _known(surrogate.held_out_r2),
        "effective_samples": surrogate.effective_samples,
    }


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Every number of an explanation; null if one is not known."""
    return {
        **as_row(explanation),
        "model_facts": list(explanation.scene.classifier.facts),
        "input_size": list(explanation.scene.classifier.size),
        "classes": len(explanation.scene.classifier.labels.names),
        "class": explanation.target.plus,
        "minus_class": explanation.target.minus,
        "model_sha256": explanation.scene.classifier.fingerprint,
        "mean_prediction": float(explanation.scores.mean()),
        "kept": explanation.kept,
        "intercept": explanation.surrogate.intercept,
        "top_segments": explanation.top.tolist(),
        "segments_against": explanation.against.tolist(),
        "segments": segment_rows(explanation),
        "masks": ["".join(map(str, row)) for row in explanation.masks.on.astype(int)],
        "predictions": explanation.scores.tolist(),
    }


def segment_rows(explanation: Explanation) -> list[dict[str, Any]]:
    """A dictionary per segment: its number, coefficient, standard error, rank and area.

    Rank 1 is the highest coefficient; area is the share of the pixels. The standard error is None
    if it is not known.
    """
    surrogate = explanation.surrogate
    segments = explanation.scene.segments
    ranks = np.argsort(surrogate.ranking()) + 1
    shares = np.bincount(segments.ravel()) / segments.size
    return [
        {
            "segment": segment,
            "coefficient": float(surrogate.coefficients[segment]),
            "standard_error": _known(surrogate.standard_errors[segment]),
            "rank": int(ranks[segment]),
            "area": float(shares[segment]),
        }
        for segment in range(len(ranks))
    ]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
