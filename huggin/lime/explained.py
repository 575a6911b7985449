"""What LIME found in any scene, a picture or a text: the numbers, and how far to trust them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from huggin.lime.choices import LEAST, WIDTH
from huggin.lime.masks import Masks
from huggin.lime.surrogate import Surrogate

TRUSTED = 0.5  # held-out R² below which the explanation warns of itself
AIM = 0.05  # the gap between both R² that the advised number of masks would have
VALUE_ROUNDING = 1e-5  # relative size of changes of a value that its model may make by rounding
UNSURE = 0.05  # probability below which the model itself hardly says what is explained


class AnyScene(Protocol):
    """What is explained: something that is cut into segments, each of which can be hidden."""

    @property
    def count(self) -> int:
        """How many segments there are."""

    def name_of(self, segment: int) -> str:
        """What a segment is called, for people."""


class AnyTarget(Protocol):
    """Whose score is explained."""

    @property
    def name(self) -> str:
        """Its name for people."""

    @property
    def minus(self) -> object | None:
        """What it is compared with, if it is a contrast."""


SceneT = TypeVar("SceneT", bound=AnyScene)
TargetT = TypeVar("TargetT", bound=AnyTarget)
OfScene = TypeVar("OfScene", bound=AnyScene, covariant=True)
OfTarget = TypeVar("OfTarget", bound=AnyTarget, contravariant=True)


class AnyAnswers(Protocol[OfTarget]):
    """A model's answers to masks."""

    def score(self, target: OfTarget, scale: str) -> np.ndarray:
        """The target's score for each mask (masks,) float64."""

    def kept(self, target: OfTarget) -> float:
        """The share of the masks, without the full one, that leave the model's answer as it is."""

    def probability_of(self, target: OfTarget) -> float:
        """The target's probability (not that of what it is compared with) in the full scene."""


class AnyPredictor(Protocol[OfScene, OfTarget]):
    """Asks a model about the masks of a scene."""

    @property
    def scene(self) -> OfScene:
        """What is explained."""

    def predictions(self, on: np.ndarray) -> AnyAnswers[OfTarget]:
        """The answers to masks (masks, segments) bool."""

    def told(self, answers: Any) -> list[str]:
        """What step 2 found, a line each. answers: what `predictions` returned."""


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
    adjust: bool = True  # by a proxy, where that is more exact


@dataclass(frozen=True)
class Explained(Generic[SceneT, TargetT]):
    """Why a model gives a target its score."""

    scene: SceneT
    target: TargetT
    request: Request
    masks: Masks
    scores: np.ndarray  # (masks,) the model's, that of the full scene first
    kept: float  # share of the masks that leave the model's answer as it is
    surrogate: Surrogate
    probability: float = float("nan")  # of the target in the full scene; NaN if it has none

    @property
    def top(self) -> np.ndarray:
        """The numbers of the top segments, highest first; only those that speak for the target."""
        return self.surrogate.top(self.request.top)

    @property
    def against(self) -> np.ndarray:
        """As many segments at most that speak against the target, lowest first."""
        return self.surrogate.against(self.request.top)


def least_effect(scale: str, scores: np.ndarray) -> float:
    """The smallest effect that counts; of values, what rounding may make of the largest."""
    return LEAST.get(scale, VALUE_ROUNDING * float(np.abs(scores).max()))


def score_in_words(explained: Explained, where: str) -> str:
    """The score of the full scene, and its mean over the masks. A logit's probability is first."""
    scale = explained.request.scale
    scores = explained.scores
    full = f"{scale} {scores[0]:.4g}"
    if explained.target.minus is not None:
        formula = {"logit": "ln(p / q)", "probability": "p - q", "value": "difference"}[scale]
        p = "" if scale == "value" else f"p {explained.probability:.4g}, "
        full = f"{p}{formula} {scores[0]:.4g}"
    elif scale == "logit":
        full = f"probability {explained.probability:.4g} ({full})"
    mean = f"{scores.mean():.4g} on average over {len(scores)} masks"
    return f"{explained.target.name}: {full} in the full {where}, {mean}"


def quality_in_words(explained: Explained) -> list[str]:
    """How well the surrogate says what the model says, a line each."""
    surrogate = explained.surrogate
    scores = explained.scores
    in_sample = _number(surrogate.r2)
    held_out = _number(surrogate.held_out_r2)
    lines = [
        f"R² of the linear surrogate: {in_sample} in-sample, {held_out} held out",
        f"local prediction: {surrogate.local_prediction:.4g}, the model's: {scores[0]:.4g}",
        f"effective samples: {surrogate.effective_samples:.0f} of {len(scores)}",
    ]
    if surrogate.held_out_r2 < TRUSTED:
        lines.append(f"LOW R²: {_why_low(explained)}")
    return lines + _interactions_in_words(explained)


def _interactions_in_words(explained: Explained) -> list[str]:
    """What the proxy explains, whether it adjusted the coefficients, and the strongest pairs."""
    surrogate = explained.surrogate
    if explained.masks.complete:
        return [f"exact: these are all {len(explained.scores)} masks"]
    if np.isnan(surrogate.interactions):
        return []
    how = "adjusted by it" if surrogate.adjusted else "not adjusted, it would gain too little"
    share = f"interactions explain at least {100 * surrogate.interactions:.0f} % more"
    lines = [f"{share} of the variance, as a proxy has learned them; coefficients {how}"]
    name = explained.scene.name_of
    pairs = [f"{name(x.first)} and {name(x.second)} ({x.beyond:+.2g})" for x in surrogate.pairs]
    return lines + ([f"count together, beyond their sum: {', '.join(pairs)}"] if pairs else [])


def nothing_to_explain(explained: Explained) -> str:
    """The one line for a score that no segment changes."""
    scale = explained.request.scale
    score = explained.scores[0]
    varies = np.ptp(explained.scores)
    by = f", within {varies:.2g}," if varies else ""
    what = f"its {scale} is {score:.4g}{by} whatever is hidden"
    return f"{explained.target.name}: nothing to explain, {what}"


def doubts(explained: Explained) -> list[str]:
    """What speaks against relying on the top segments, a clause each."""
    held_out = explained.surrogate.held_out_r2
    found = []
    if not len(explained.top):
        found.append("no segment speaks for it beyond chance")
    if np.isnan(held_out):
        found.append("nothing says how well the surrogate predicts")
    if held_out < TRUSTED:
        found.append(f"the held-out R² is {held_out:.2f}")
    if explained.probability < UNSURE:
        found.append(f"the model itself gives it a probability of {explained.probability:.2g}")
    return found


def verdict(support: str, against: Sequence[str]) -> str:
    """One sentence from all that was found for and against relying on the top segments."""
    if against:
        clauses = [*against, support] if support else against
        return f"Verdict: take the top segments with care: {'; '.join(clauses)}."
    return f"Verdict: rely on the top segments: {support}."


def verdict_on(explained: Explained, against: Sequence[str]) -> str:
    """The verdict on an explanation. against: what speaks against it beside its own `doubts`."""
    found = [*doubts(explained), *against]
    return verdict(
        "" if found else f"the held-out R² is {explained.surrogate.held_out_r2:.2f}", found
    )


def _why_low(explained: Explained) -> str:
    """Too few masks, or segments that interact.

    The in-sample R² falls as masks are added, the held-out R² rises, both towards the same value.
    With a share h of coefficients by masks, their distances from 1 are (1 - h) and 1 / (1 - h)
    times that of the limit, so this is their geometric mean.
    """
    surrogate = explained.surrogate
    masks = len(explained.scores)
    if explained.masks.complete:
        return "segments interact, as all masks were asked; a coefficient is only an average"
    limit = 1 - float(np.sqrt((1 - surrogate.r2) * (1 - surrogate.held_out_r2)))
    if limit < TRUSTED:
        why = f"more masks would bring the held-out R² to about {limit:.2f} only"
        return f"segments interact, {why}; a coefficient is only an average over the masks"
    gap = surrogate.r2 - surrogate.held_out_r2
    enough = int(np.ceil(masks * max(gap / AIM, 2) / 100)) * 100
    reason = f"{masks} masks are too few for {explained.scene.count} segments"
    return f"{reason}; give about --samples {enough}"


def _number(value: float) -> str:
    unknown = "not known (scores that do not vary, or no more masks than coefficients)"
    return f"{value:.3f}" if np.isfinite(value) else unknown


def numbers_of(explained: Explained) -> dict[str, Any]:
    """The numbers of an explanation of anything; None if one is not known."""
    surrogate = explained.surrogate
    return {
        "target": explained.target.name,
        **vars(explained.request),
        "model_prediction": float(explained.scores[0]),
        "mean_prediction": float(explained.scores.mean()),
        "local_prediction": surrogate.local_prediction,
        "intercept": surrogate.intercept,
        "r2": known(surrogate.r2),
        "held_out_r2": known(surrogate.held_out_r2),
        "effective_samples": surrogate.effective_samples,
        "kept": explained.kept,
        "adjusted": surrogate.adjusted,
        "proxy_r2": known(surrogate.proxy_r2),
        "pairs": [vars(pair) for pair in surrogate.pairs],
        "top_segments": explained.top.tolist(),
        "segments_against": explained.against.tolist(),
        "masks": ["".join(map(str, row)) for row in explained.masks.on.astype(int)],
        "predictions": explained.scores.tolist(),
    }


def segment_rows(explained: Explained, areas: np.ndarray) -> list[dict[str, Any]]:
    """A dictionary per segment: its number, coefficient, standard error, rank and area.

    Rank 1 is the highest coefficient. areas: (segments,) share of what can be hidden. The standard
    error is None if it is not known.
    """
    surrogate = explained.surrogate
    ranks = np.argsort(surrogate.ranking()) + 1
    return [
        {
            "segment": segment,
            "coefficient": float(surrogate.coefficients[segment]),
            "standard_error": known(surrogate.standard_errors[segment]),
            "rank": int(ranks[segment]),
            "area": float(areas[segment]),
        }
        for segment in range(len(ranks))
    ]


def known(value: float) -> float | None:
    """A number for JSON and the database; None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None
