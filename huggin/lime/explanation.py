"""What LIME found in a picture or a text: the numbers, in words and as JSON, and how far to trust.

`Explanation.in_words` says what matters, `details` the rest, `as_json` every number: those are the
rows of the database, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

import numpy as np

from huggin.lime.choices import WIDTH
from huggin.lime.masks import Masks
from huggin.lime.predictor import Of, SceneT, Target
from huggin.lime.surrogate import Surrogate

TRUSTED = 0.5  # held-out R² below which the explanation warns of itself
AIM = 0.05  # the gap between both R² that the advised number of masks would have
SAME = 0.6  # Jaccard index from which on two lists of top segments are called the same
NOTABLE = 0.01  # share of the variance from which on interactions are told
NUMBERS = ("local_prediction", "intercept", "r2", "held_out_r2", "effective_samples", "proxy_r2")
UNSURE = 0.05  # probability below which the model itself hardly says what is explained


@dataclass(frozen=True)
class Request:
    """How an explanation is made."""

    sampler: str
    samples: int
    seed: int
    scale: str  # probability, logit, or the value of a model that returns values
    top: int  # how many segments count as the top ones
    segmenter: str
    fill: str
    kernel_width: float = WIDTH
    adjust: bool = True  # by a proxy, where that is more exact


@dataclass(frozen=True)
class Explanation(Generic[SceneT, Of]):
    """Why a model gives a target its score."""

    scene: SceneT
    target: Target[Of]
    request: Request
    masks: Masks
    scores: np.ndarray  # (masks,) the model's, that of the full scene first
    kept: float  # share of the masks that leave the model's answer as it is
    surrogate: Surrogate
    probability: float = float("nan")  # of the target in the full scene; NaN if it has none
    stability: Mapping[str, float] | None = None  # of repeats with fresh masks, see quality.py
    curves: Mapping[str, Any] = field(default_factory=dict)  # by orders of segments: quality.py
    believe: str = ""  # the verdict

    @property
    def top(self) -> np.ndarray:
        """The numbers of the top segments, highest first; only those that speak for the target."""
        return self.surrogate.top(self.request.top)

    @property
    def against(self) -> np.ndarray:
        """As many segments at most that speak against the target, lowest first."""
        return self.surrogate.against(self.request.top)

    # In words

    def in_words(self) -> list[str]:
        """The score, which segments make it, and what is wrong with that, a line each."""
        if self.surrogate.constant:
            return [self.nothing_to_explain()]
        kind = self.scene.kind
        kept_line = self.scene.kept_in_words(self.target, self.kept)
        return [
            self.score_in_words(),
            f"{kind} for it: {self._named(self.top)}",
            f"{kind} against it: {self._named(self.against)}",
            *([kept_line] if kept_line else []),
            *([f"LOW R²: {self._why_low()}"] if self.surrogate.held_out_r2 < TRUSTED else []),
        ]

    def details(self) -> list[str]:
        """How well the surrogate says what the model says, and who counts together."""
        surrogate = self.surrogate
        if surrogate.constant:
            return []
        unknown = "not known (scores that do not vary, or no more masks than coefficients)"
        both = (surrogate.r2, surrogate.held_out_r2)
        r2, held_out = (f"{value:.3f}" if np.isfinite(value) else unknown for value in both)
        how = "over all masks" if self.masks.complete else f"in-sample, {held_out} held out"
        local = f"{surrogate.local_prediction:.4g}, the model's: {self.scores[0]:.4g}"
        return [
            f"R² of the linear surrogate: {r2} {how}",
            f"local prediction: {local}",
            f"effective samples: {surrogate.effective_samples:.0f} of {len(self.scores)}",
            *self._interactions_in_words(),
        ]

    def nothing_to_explain(self) -> str:
        """The one line for a score that no segment changes."""
        by = f", within {np.ptp(self.scores):.2g}," if np.ptp(self.scores) else ""
        what = f"its {self.request.scale} is {self.scores[0]:.4g}{by} whatever is hidden"
        return f"{self.target.name}: nothing to explain, {what}"

    def score_in_words(self) -> str:
        """The score of the full scene, and its mean over the masks. A logit's probability first."""
        scale = self.request.scale
        full = f"{scale} {self.scores[0]:.4g}"
        if self.target.minus is not None:
            formula = {"logit": "ln(p / q)", "probability": "p - q", "value": "difference"}[scale]
            p = "" if scale == "value" else f"p {self.probability:.4g}, "
            full = f"{p}{formula} {self.scores[0]:.4g}"
        elif scale == "logit":
            full = f"probability {self.probability:.4g} ({full})"
        mean = f"{self.scores.mean():.4g} on average over {len(self.scores)} masks"
        return f"{self.target.name}: {full} in the full {self.scene.thing}, {mean}"

    def _named(self, segments: np.ndarray) -> str:
        """Segments with their coefficients and standard errors."""
        errors = self.surrogate.standard_errors
        named = []
        for segment in segments.tolist():
            spread = f" ± {errors[segment]:.2g}" if np.isfinite(errors[segment]) else ""
            effect = f"{self.surrogate.coefficients[segment]:+.3g}{spread}"
            named.append(f"{self.scene.name_of(segment)} ({effect})")
        return ", ".join(named) or "none beyond chance"

    def _interactions_in_words(self) -> list[str]:
        """What the proxy explains, whether it adjusted the coefficients, the strongest pairs."""
        surrogate = self.surrogate
        if self.masks.complete:
            return [f"exact: these are all {len(self.scores)} masks"]
        if np.isnan(surrogate.interactions):
            return []
        how = "adjusted by it" if surrogate.adjusted else "not adjusted, it would gain too little"
        share = f"interactions explain at least {100 * surrogate.interactions:.0f} % more"
        line = f"{share} of the variance, as a proxy has learned them; coefficients {how}"
        name = self.scene.name_of
        pairs = [f"{name(x.first)} and {name(x.second)} ({x.beyond:+.2g})" for x in surrogate.pairs]
        lines = [line] if surrogate.interactions >= NOTABLE else []
        return lines + ([f"count together, beyond their sum: {', '.join(pairs)}"] if pairs else [])

    def _why_low(self) -> str:
        """Too few masks, or segments that interact.

        The in-sample R² falls as masks are added, the held-out R² rises, both towards the same
        value. With a share h of coefficients by masks, their distances from 1 are (1 - h) and
        1 / (1 - h) times that of the limit, so this is their geometric mean.
        """
        surrogate = self.surrogate
        masks = len(self.scores)
        if self.masks.complete:
            return "segments interact, as all masks were asked; a coefficient is only an average"
        limit = 1 - float(np.sqrt((1 - surrogate.r2) * (1 - surrogate.held_out_r2)))
        if limit < TRUSTED:
            why = f"more masks would bring the held-out R² to about {limit:.2f} only"
            return f"segments interact, {why}; a coefficient is only an average over the masks"
        gap = surrogate.r2 - surrogate.held_out_r2
        enough = int(np.ceil(masks * max(gap / AIM, 2) / 100)) * 100
        reason = f"{masks} masks are too few for {self.scene.count} segments"
        return f"{reason}; give about --samples {enough}"

    def doubts(self) -> list[str]:
        """What speaks against relying on the top segments, a clause each."""
        held_out = self.surrogate.held_out_r2
        doubts = []
        if not len(self.top):
            doubts.append("no segment speaks for it beyond chance")
        if np.isnan(held_out):
            doubts.append("nothing says how well the surrogate predicts")
        if held_out < TRUSTED:
            doubts.append(self._r2_in_words())
        if self.probability < UNSURE:
            doubts.append(f"the model itself gives it a probability of {self.probability:.2g}")
        if self.stability and self.stability["jaccard"] < SAME:
            agreement = f"Jaccard {self.stability['jaccard']:.2f}"
            doubts.append(f"fresh masks find other top segments ({agreement})")
        return doubts + self.scene.doubts(self.kept)

    def verdict(self, doubts: Sequence[str]) -> str:
        """The verdict. doubts: all that speaks against it."""
        return verdict("" if doubts else self._r2_in_words(), doubts)

    def _r2_in_words(self) -> str:
        which = "R² over all masks" if self.masks.complete else "held-out R²"
        return f"the {which} is {self.surrogate.held_out_r2:.2f}"

    # As numbers

    def as_json(self) -> dict[str, Any]:
        """Every number, those of the database included; None if one is not known."""
        surrogate = self.surrogate
        scene = self.scene.as_json(self.target)
        errors = map(known, surrogate.standard_errors)
        ranks = (np.argsort(surrogate.ranking()) + 1).tolist()  # 1: the highest coefficient
        rows = zip(surrogate.coefficients.tolist(), errors, ranks, scene["segments"], strict=True)
        segments = [
            {"segment": at, "coefficient": size, "standard_error": error, "rank": rank, **facts}
            for at, (size, error, rank, facts) in enumerate(rows)
        ]
        curves = {name: vars(curve).copy() for name, curve in self.curves.items()}
        for curve in curves.values():
            del curve["gains"]  # of each random order
        return {
            "target": self.target.name,
            **vars(self.request),
            "model_prediction": float(self.scores[0]),
            "mean_prediction": float(self.scores.mean()),
            **{name: known(getattr(surrogate, name)) for name in NUMBERS},
            "kept": self.kept,
            "adjusted": surrogate.adjusted,
            "pairs": [vars(pair) for pair in surrogate.pairs],
            "top_segments": self.top.tolist(),
            "segments_against": self.against.tolist(),
            "masks": ["".join(map(str, row)) for row in self.masks.on.astype(int)],
            "predictions": self.scores.tolist(),
            **scene,
            "segments": segments,
            **({"stability": self.stability} if self.stability else {}),
            **({"faithfulness": curves} if curves else {}),
        }


def verdict(support: str, against: Sequence[str]) -> str:
    """One sentence from all that was found for and against relying on the top segments."""
    how = "take the top segments with care" if against else "rely on the top segments"
    return f"Verdict: {how}: {'; '.join(filter(None, [*against, support]))}."


def known(value: float) -> float | None:
    """A number for JSON and the database; None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None
