"""What is known of an explained answer, as it is kept: explanation.json <-> dataclasses.

The figures are drawn from these dataclasses alone, so a PDF can draw them later.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, TypeAdapter, ValidationError

from huggin.common.errors import UserError
from huggin.common.files import read_text
from huggin.lime.explanation import Explanation
from huggin.lime.quality import Compared
from huggin.lime.surrogate import CHANCE, Pair
from huggin.lime.words.scene import TextScene, TokenSpan
from huggin.lime.words.text import cut, label, place_of_token, text_of, whole_of
from huggin.recording.run_facts import first_problem

FILE = "explanation.json"
OUTLYING = 0.95  # quantile of the coefficients' sizes that others may be twice as large as
AGAIN = "run huggin lime-answer again, it writes a new one"
TextExplanation = Explanation[TextScene, TokenSpan]


@dataclass(frozen=True)
class Asked:
    """The question that is explained, and who answered what."""

    name: str  # such as "question 7"
    question: str
    context: str
    answer: str
    expected: str  # "" if it is not known
    right: bool | None
    model: str  # model-type-state
    step: int
    model_hash: str
    run: str = ""  # its folder; older versions kept none

    @property
    def whose(self) -> str:
        """Whose answer it is: the run's folder and the step."""
        return f"{self.run}, step {self.step:,}" if self.run else self.model


@dataclass(frozen=True)
class Segment:
    """A segment and what LIME found of it."""

    segment: int
    part: str  # question or context
    first: int  # character
    last: int  # the character behind it
    text: str
    coefficient: float
    standard_error: float | None
    rank: int  # 1 is the highest coefficient
    area: float  # share of the tokens that can be hidden


@dataclass(frozen=True)
class Piece:
    """A word of the text, as it is drawn."""

    part: str
    text: str
    after_blank: bool  # whether a blank stands before it
    segment: int | None  # None: never hidden
    is_answer: bool
    is_expected: bool


class Finding(BaseModel, extra="allow", frozen=True):
    """One explanation: how it was made, what was found, how far to trust it.

    It also keeps all other numbers of `Explanation.as_json`, by their names there.
    """

    kind: str  # words, sentences or spans
    hide: str
    target: str
    scale: str
    samples: int
    held_out_r2: float | None
    kept: float  # share of the masks on which the model gives the same answer
    top_segments: list[int]
    segments_against: list[int]
    segments: list[Segment]
    pieces: list[Piece]
    stability: dict[str, float] | None = None
    agreement: Compared | None = None
    integrated: dict[str, Any] | None = None  # change, missing, steps of integrated gradients
    believe: str = ""
    adjusted: bool = False  # by a proxy
    proxy_r2: float | None = None
    pairs: list[Pair] = []  # that count together most
    least: float = 0.0  # a smaller coefficient is no effect

    def label(self, segment: Segment, length: int) -> str:
        """What a segment is called, see `huggin.lime.words.text.label`."""
        texts = [other.text for other in self.segments]
        return label(segment.segment, texts, segment.part, length)

    def is_clear(self, segment: Segment) -> bool:
        """Whether a coefficient differs from 0 by more than chance, and counts as an effect."""
        chance = CHANCE * (segment.standard_error or 0)
        return abs(segment.coefficient) > max(chance, self.least)

    @property
    def largest(self) -> float:
        """The size that has the full colour: the largest coefficient's; 1 if all are 0.

        An outlier, twice as large as the 95th percentile or more, would bleach all others, so it is
        that percentile then.
        """
        usual, most = np.quantile(self._sizes, (OUTLYING, 1))
        return float(usual if 0 < 2 * usual <= most else most) or 1.0

    @property
    def beyond(self) -> int:
        """How many coefficients are larger than `largest`."""
        return int((self._sizes > self.largest).sum())

    @property
    def usual_error(self) -> float:
        """The median standard error; 0 if none is known."""
        errors = [segment.standard_error for segment in self.segments]
        return float(np.median([error for error in errors if error is not None] or [0.0]))

    @property
    def _sizes(self) -> np.ndarray:
        return np.abs([segment.coefficient for segment in self.segments])

    def how_in_words(self) -> str:
        """How it was made, and how well it holds."""
        held_out = "not known" if self.held_out_r2 is None else f"{self.held_out_r2:.2f}"
        stays = f"same answer in {100 * self.kept:.0f} % of the masked texts"
        return f"{self.samples} masks by {self.hide}; held-out R² {held_out}; {stays}"


@dataclass(frozen=True)
class ByStep:
    """The same segments explained at each checkpoint."""

    steps: list[int]
    scores: list[float]  # of the full text
    answers: list[str]  # the model's at each step
    is_answer: list[bool]  # whether what is explained is the answer
    held_out_r2: list[float | None]
    coefficients: list[list[float]]  # (steps, segments)
    standard_errors: list[list[float | None]]  # (steps, segments)

    def in_words(self, tops: Sequence[set[int]], highest: int) -> str:
        """Since when the words with the highest coefficients are the last model's.

        tops: the top segments of each step, of which there are at most `highest`.
        """
        last = tops[-1]
        if not last:
            return "no segment speaks for the answer at the last step, so none can be followed"
        different = [at for at, top in enumerate(tops) if 2 * len(last & top) < len(last)]
        since = different[-1] + 1 if different else 0
        return (
            f"from step {self.steps[since]} on, at least {-(-len(last) // 2)} of the {len(last)} "
            f"top segments of the final model are among the {highest} highest"
        )


@dataclass(frozen=True)
class Kept:
    """All that is kept of one question."""

    asked: Asked
    findings: list[Finding]
    by_step: ByStep | None = None
    nodes: dict[str, Any] | None = None  # huggin.lime.words.rivals.NodeShares
    schema: int = 1

    def as_json(self) -> dict[str, Any]:
        """Every number, as in explanation.json."""
        numbers: dict[str, Any] = TypeAdapter(Kept).dump_python(self)
        return numbers

    def rows(self) -> list[dict[str, Any]]:
        """What the database keeps of each finding, and its segments."""
        asked = self.asked
        text = {"kind": "words", "picture": f"{asked.name}: {asked.question}", "model": asked.model}
        return [finding.model_dump() | text for finding in self.findings]


def finding_of(
    explained: TextExplanation, answer: TokenSpan, expected: TokenSpan | None, more: dict[str, Any]
) -> Finding:
    """Sum up an explanation. answer, expected: spans of tokens; more: other fields."""
    pieces = _pieces(explained.scene, answer, expected)
    words = {"pieces": pieces, "least": explained.surrogate.smallest}
    return Finding.model_validate(explained.as_json() | words | more)


def _pieces(scene: TextScene, answer: TokenSpan, expected: TokenSpan | None) -> list[Piece]:
    """The words of the window in their order."""
    window = scene.window
    tokens = range(len(window.tokens))
    places = [place_of_token(window, token) for token in tokens]
    answers = places[answer[0] : answer[1] + 1]
    wanted = places[expected[0] : expected[1] + 1] if expected else []
    pieces = []
    for word in cut(window, "words"):
        own_tokens = [token for token in tokens if word.overlaps(places[token])]
        if not own_tokens:
            continue  # not in the window
        before = whole_of(window, word.part)[: word.first]
        after_blank = not before or before[-1].isspace()
        owners = (int(scene.segment_of[token]) for token in own_tokens)
        segment = next((owner for owner in owners if owner >= 0), None)
        marks = [any(map(word.overlaps, span)) for span in (answers, wanted)]
        pieces.append(Piece(word.part, text_of(window, word), after_blank, segment, *marks))
    return pieces


def read_kept(folder: Path) -> Kept:
    """Read explanation.json. Raises UserError if it is damaged, OSError if it is missing."""
    path = folder / FILE
    try:
        kept = TypeAdapter(Kept).validate_json(read_text(path))
    except ValidationError as error:
        raise UserError(f"{path}: {first_problem(error)}; {AGAIN}") from None
    if not kept.findings or not all(map(_fits_together, kept.findings)):
        raise UserError(f"{path}: its parts do not fit together; {AGAIN}")
    return kept


def _fits_together(finding: Finding) -> bool:
    """Whether words and methods speak of the segments that there are."""
    count = len(finding.segments)
    numbers = [piece.segment for piece in finding.pieces if piece.segment is not None]
    numbers += [*finding.top_segments, *finding.segments_against]
    lengths = {count}
    if finding.agreement:
        lengths |= {len(values) for values in finding.agreement.values.values()}
    return count > 0 and all(0 <= number < count for number in numbers) and lengths == {count}


def all_kept(folder: Path) -> Iterator[Kept]:
    """The explanations in the folders of `folder`, the newest first."""
    files = sorted(folder.glob(f"*/{FILE}"), key=lambda file: -file.stat().st_mtime)
    return (read_kept(file.parent) for file in files)
