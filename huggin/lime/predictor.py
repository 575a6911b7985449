"""LIME's step 2, predictions: masks -> a model's answers, a batch at a time and none twice.

A scene is what is explained, cut into segments, and the model that is asked about it. Masked
pictures or texts are never all held in memory. Answers are kept in a file under a hash of
everything that they depend on, so that a later start does not ask again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from huggin.common.errors import BadValue
from huggin.common.files import replacing
from huggin.common.progress import progress
from huggin.common.streams import warn
from huggin.common.text import one_line

SMALLEST = np.finfo(np.float32).tiny
Of = TypeVar("Of")  # what a score is of: a class, or a span of tokens
Rows = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Target(Generic[Of]):
    """What is explained: the score of `plus`, or that of `plus` over `minus`."""

    name: str
    plus: Of
    minus: Of | None = None

    @property
    def both(self) -> list[Of]:
        """`plus`, and `minus` if there is one."""
        return [self.plus] if self.minus is None else [self.plus, self.minus]


@dataclass(frozen=True)
class Answers(Generic[Of]):
    """A model's answers to masks; the first mask shows everything."""

    about: tuple[Of, ...]  # what was asked about
    sure: np.ndarray  # (masks, about) float32: the probability of each, or its logarithm
    rest: np.ndarray  # (masks, about) float32: that of all else together; exact, unlike 1 - p
    best: np.ndarray  # (masks, 1 or 2) int64: the most probable class, or span
    in_logs: bool

    def score(self, target: Target[Of], scale: str) -> np.ndarray:
        """The target's score for each mask (masks,) float64.

        scale: `probability`, or `logit` = ln(p / (1 - p)). The score of a contrast is the
        difference of two probabilities p - q, or ln(p / q). Raises BadValue if a probability
        rounds to 0 or 1, and so has no logit.
        """
        p, *others = (self._column(self.sure, of) for of in target.both)
        if scale == "logit":
            other = others[0] if others else self._column(self.rest, target.plus)
            return self._log(p) - self._log(other)
        return self._probability(p) - sum(map(self._probability, others))

    def probability_of(self, target: Target[Of]) -> float:
        """The probability of the target's `plus` if everything is shown."""
        return float(self._probability(self._column(self.sure, target.plus))[0])

    def _column(self, columns: np.ndarray, of: Of) -> np.ndarray:
        return columns[:, self.about.index(of)].astype(float)

    def _log(self, values: np.ndarray) -> np.ndarray:
        if self.in_logs:
            return values
        if lost := int((values < SMALLEST).sum()):
            what = f"in {lost} of {len(values)} answers a probability rounds to 0 or 1"
            raise BadValue("score", "logit", f"{what}; explain the probability")
        return np.log(values)

    def _probability(self, values: np.ndarray) -> np.ndarray:
        return np.exp(values) if self.in_logs else values


class AnyScene(Protocol[Of]):
    """What is explained, cut into segments each of which can be hidden, and whom to ask."""

    thing: ClassVar[str]  # picture or text
    in_logs: ClassVar[bool]  # whether rows hold logarithms of probabilities
    kind: str  # what a segment is: segments, words, sentences or spans

    @property
    def count(self) -> int:
        """How many segments there are."""

    @property
    def batch(self) -> int:
        """How many masks are asked about at a time."""

    def name_of(self, segment: int) -> str:
        """What a segment is called, for people."""

    def rows(self, about: tuple[Of, ...]) -> Rows:
        """The function: masks (batch, segments) bool -> rows (batch, columns) float32.

        The columns are those of `Answers`: `sure`, `rest` and `best`.
        """

    def key(self, about: tuple[Of, ...]) -> str:
        """A hash that changes when an answer may change."""

    def kept(self, target: Target[Of], answers: Answers[Of]) -> float:
        """The share of the masks, without the full one, that leave an answer as it is.

        It is the model's answer to the full text, or the target's class as the first answer.
        """

    def kept_in_words(self, target: Target[Of], kept: float) -> str:
        """That share."""

    def doubts(self, kept: float) -> list[str]:
        """What that share says against the top segments, a clause each."""
        return []

    def details(self, answers: Answers[Of]) -> list[str]:
        """What was asked and answered, a line each."""

    def as_json(self, target: Target[Of]) -> dict[str, Any]:
        """What is said of it beside the numbers; in `segments`, a dictionary for each of them."""


SceneT = TypeVar("SceneT", bound=AnyScene)


class Predictor(Generic[SceneT, Of]):
    """Asks about the masks of one scene, and keeps each answer under its mask."""

    def __init__(self, scene: SceneT, targets: Sequence[Target[Of]], file: Path | None) -> None:
        """file: where the answers are kept as `.npz`; None: nowhere."""
        self.scene = scene
        self._about = tuple(dict.fromkeys(of for target in targets for of in target.both))
        self._rows = scene.rows(self._about)
        self._key = scene.key(self._about)
        self._file = file
        self._known: dict[bytes, np.ndarray] = {}  # a packed mask -> its row (columns,)
        self._load()

    def predictions(self, on: np.ndarray) -> Answers[Of]:
        """The answers to masks (masks, segments) bool. Shows a progress bar if it takes long."""
        packed = [row.tobytes() for row in np.packbits(on, axis=1)]
        new = {key: row for row, key in enumerate(packed) if key not in self._known}
        if new:
            try:
                self._ask(on[list(new.values())], list(new))
            finally:  # Ctrl-C keeps what was answered
                self._save()
        rows = np.stack([self._known[key] for key in packed])
        sure, rest, best = np.split(rows, [len(self._about), 2 * len(self._about)], axis=1)
        return Answers(self._about, sure, rest, best.astype(np.int64), self.scene.in_logs)

    def scores(self, on: np.ndarray, target: Target[Of], scale: str) -> np.ndarray:
        """The target's score for each mask (masks,)."""
        return self.predictions(on).score(target, scale)

    def _ask(self, on: np.ndarray, keys: list[bytes]) -> None:
        batch = self.scene.batch
        with progress(total=len(keys), label="predicting", unit=f"{self.scene.thing}s") as bar:
            for first in range(0, len(keys), batch):
                masks = on[first : first + batch]
                # always as many: a smaller last batch might give other last digits
                rows = self._rows(np.resize(masks, (batch, on.shape[1])))[: len(masks)]
                self._known |= zip(keys[first : first + batch], rows)
                bar.update(len(masks))

    def _load(self) -> None:
        if self._file is None:
            return
        try:
            with np.load(self._file, allow_pickle=False) as saved:
                if str(saved["key"]) == self._key:
                    masks = (mask.tobytes() for mask in saved["masks"])
                    self._known = dict(zip(masks, saved["answers"], strict=True))
        except FileNotFoundError:
            return
        except Exception as error:  # whatever a broken file makes NumPy raise
            warn(f"{self._file}: not read ({one_line(error)}); predicting anew")

    def _save(self) -> None:
        if not self._known or self._file is None:  # Ctrl-C before the first answer
            return
        masks = np.frombuffer(b"".join(self._known), np.uint8).reshape(len(self._known), -1)
        answers = np.stack(list(self._known.values()))
        with replacing(self._file) as temporary, temporary.open("wb") as file:
            np.savez(file, key=np.array(self._key), masks=masks, answers=answers)
