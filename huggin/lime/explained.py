"""What LIME found in any scene, a picture or a text: the numbers, and how far to trust them."""

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from huggin.lime.choices import WIDTH
from huggin.lime.masks import Masks
from huggin.lime.surrogate import Surrogate

TRUSTED = 0.5  # held-out R² below which the explanation warns of itself
GAP = 0.1  # between in-sample and held-out R²: above it, more masks are needed to tell why
AIM = 0.05  # the gap that the advised number of masks would have


class AnyScene(Protocol):
    """What is explained: something that is cut into segments, each of which can be hidden."""

    @property
    def count(self) -> int:
        """How many segments there are."""


class AnyTarget(Protocol):
    """Whose score is explained."""

    @property
    def name(self) -> str:
        """Its name for people."""


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


class AnyPredictor(Protocol[OfScene, OfTarget]):
    """Asks a model about the masks of a scene."""

    @property
    def scene(self) -> OfScene:
        """What is explained."""

    def predictions(self, on: np.ndarray) -> AnyAnswers[OfTarget]:
        """The answers to masks (masks, segments) bool."""

    def scores(self, on: np.ndarray, target: OfTarget, scale: str) -> np.ndarray:
        """The target's score for each mask (masks,)."""

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

    @property
    def top(self) -> np.ndarray:
        """The numbers of the top segments, highest first; only those that speak for the target."""
        return self.surrogate.top(self.request.top)

    @property
    def against(self) -> np.ndarray:
        """As many segments at most that speak against the target, lowest first."""
        return self.surrogate.against(self.request.top)


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
    return lines


def nothing_to_explain(explained: Explained) -> str:
    """The one line for a score that no segment changes."""
    scale = explained.request.scale
    score = explained.scores[0]
    what = f"its {scale} is {score:.4g} whatever is hidden"
    return f"{explained.target.name}: nothing to explain, {what}"


def _why_low(explained: Explained) -> str:
    """Too few masks, or segments that interact: the in-sample R² falls as masks are added.

    Both R² approach the same value, from above and from below, and their gap shrinks in
    proportion to the number of masks.
    """
    surrogate = explained.surrogate
    gap = surrogate.r2 - surrogate.held_out_r2
    masks = len(explained.scores)
    if gap > GAP and explained.request.sampler != "leave-one-out":
        enough = int(np.ceil(masks * gap / AIM / 100)) * 100
        reason = f"{masks} masks are too few for {explained.scene.count} segments"
        return f"{reason}; give about --samples {enough}"
    return "segments interact; a coefficient is only an average over the masks"


def _number(value: float) -> str:
    unknown = "not known (scores that do not vary, or no more masks than coefficients)"
    return f"{value:.3f}" if np.isfinite(value) else unknown


def known(value: float) -> float | None:
    """A number for JSON and the database; None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None
