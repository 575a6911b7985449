"""What a mean score hides: kinds of questions, kinds of errors, and what a probability is worth."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from huggin.analysis.questions import Grouping, Record, groupings
from huggin.common.statistics import half_interval, wilson_interval
from huggin.common.text import in_columns, sentence_around

BINS = 10  # of probabilities, with equally many questions each
FEWEST = 50  # questions that say anything about probabilities
DRAWS = 1000  # of answers that are right as often as their probabilities say
MISSED = "says that there is no answer, and there is one"
INVENTED = "answers where there is no answer"
EDGE = "begins or ends at another word than the expected answer"
SENTENCE = "other words of the right sentence"
ELSEWHERE = "another sentence"
ERRORS = (EDGE, SENTENCE, ELSEWHERE, MISSED, INVENTED)


Table = list[tuple[str, ...]]  # the heads, then the rows


@dataclass(frozen=True)
class Given:
    """A model's answer to one question, and its score."""

    record: Record
    place: tuple[int, int]  # its characters in the context; equal if it says that there is none
    exact_match: float  # 0 or 100 percent
    f1: float  # percent
    probability: float  # that the model gives it
    trained_on: bool  # whether the question is in the training data
    lead: float = math.nan  # of [CLS] over the best span, in logits; NaN if it is never an answer
    f1_of_span: float = math.nan  # of the best span, in percent


@dataclass(frozen=True)
class Kind:
    """How good a model is on some of the questions, in percent."""

    of: str  # `by question word`
    name: str  # `who`
    asked: int
    exact_match: float
    interval: tuple[float, float]  # 95 %, Wilson's
    f1: float


@dataclass(frozen=True)
class Calibration:
    """The probabilities of answers beside how often they were right, all as shares."""

    bins: list[tuple[int, float, float]]  # questions, mean probability, share of right answers
    error: float  # expected calibration error: the mean distance between the two
    usual_error: float  # what it is, in the mean, for probabilities that are true
    largest_error: float  # which true probabilities exceed in 5 of 100 cases
    too_sure: float  # mean probability less share of right answers
    half: float  # of its 95 % interval

    def table(self) -> Table:
        """The bins, below their heads."""
        rows = [(f"{said:.2f}", f"{right:.2f}", str(count)) for count, said, right in self.bins]
        return [("probability", "right", "questions"), *rows]

    def in_words(self) -> str:
        """The error, and what to think of the probabilities."""
        error = f"calibration error {self.error:.3f}"
        usual = f"{self.usual_error:.3f} on average, and seldom over {self.largest_error:.3f}"
        return f"{error}; probabilities that are true would have {usual}: {self._verdict()}"

    def _verdict(self) -> str:
        if self.error <= self.largest_error:
            return "these may be true"
        if abs(self.too_sure) <= self.half:
            return "too sure of some answers, and not sure enough of others"
        return "it is too sure" if self.too_sure > 0 else "it is not sure enough"


@dataclass(frozen=True)
class Threshold:
    """From which lead of [CLS] on "no answer" gives the highest F1, in percent."""

    lead: float  # in logits: `null_score_diff_threshold`
    f1: float  # with it
    before: float  # without it
    gain: float  # where it was chosen on the other half of the questions
    half: float  # of its 95 % interval

    def in_words(self) -> str:
        """The threshold, and what it is worth on questions that it was not chosen on."""
        better = f"F1 {self.f1:.1f} % instead of {self.before:.1f} %"
        interval = f"95 %: {self.gain - self.half:.1f} to {self.gain + self.half:.1f}"
        gain = (
            f"on questions that it was not chosen on it gains {self.gain:.1f} points ({interval})"
        )
        return f"best null_score_diff_threshold {self.lead:.2f}: {better}; {gain}"


@dataclass(frozen=True)
class Details:
    """What the score of a model is made of."""

    kinds: list[Kind]
    errors: dict[str, int]  # how many wrong answers of each kind of ERRORS
    calibration: Calibration | None  # None for fewer than FEWEST questions
    threshold: Threshold | None = None  # likewise, and of a model that cannot say "no answer"

    def in_words(self) -> str:
        """The tables, and what to think of probabilities and threshold."""
        tables = ["\n".join(in_columns(table)) for table in self.tables()]
        return "\n\n".join([*tables, *self.verdicts()])

    def tables(self) -> list[Table]:
        """The scores of each kind, the wrong answers by kind, the calibration."""
        tables: list[Table] = []
        for of in dict.fromkeys(kind.of for kind in self.kinds):
            rows = [_row(kind) for kind in self.kinds if kind.of == of]
            tables.append([(of, "EM", "95 %", "F1", "questions"), *rows])
        wrong = [(name, str(count)) for name, count in self.errors.items() if count]
        tables += [[("wrong answers", "questions"), *wrong]] if wrong else []
        return [*tables, *([self.calibration.table()] if self.calibration else [])]

    def verdicts(self) -> list[str]:
        """What to think of the probabilities, and of the threshold of "no answer"."""
        return [each.in_words() for each in (self.calibration, self.threshold) if each]

    def as_json(self) -> dict[str, Any]:
        """The same as numbers."""
        return asdict(self)


@dataclass(frozen=True)
class KeptDetails:
    """What a run keeps of the details of its model: DATA asked after STEP."""

    step: int
    data: str
    tables: list[list[list[str]]]  # as `Details.tables`
    verdicts: list[str]


def _row(kind: Kind) -> tuple[str, str, str, str, str]:
    low, high = kind.interval
    interval = f"{low:.0f} to {high:.0f}"
    return kind.name, f"{kind.exact_match:.1f}", interval, f"{kind.f1:.1f}", str(kind.asked)


def details_of(given: Sequence[Given]) -> Details:
    """The scores by kind of question, the errors by kind, and the calibration."""
    errors = Counter(error_of(each) for each in given if each.exact_match < 100)
    probabilities = np.array([each.probability for each in given])
    right = np.array([each.exact_match == 100 for each in given])
    is_enough = len(given) >= FEWEST and np.isfinite(probabilities).all()
    calibration = calibration_of(probabilities, right) if is_enough else None
    threshold = threshold_of(given) if len(given) >= FEWEST else None
    return Details(_kinds(given), {name: errors[name] for name in ERRORS}, calibration, threshold)


def _kinds(given: Sequence[Given]) -> list[Kind]:
    trained_on = np.array([int(each.trained_on) for each in given])
    known = Grouping("trained", "by the training", ["not trained on", "trained on"], trained_on)
    exact_match = np.array([each.exact_match for each in given])
    f1 = np.array([each.f1 for each in given])
    kinds = []
    for grouping in (*groupings([each.record for each in given]), known):
        places = np.unique(grouping.kind)
        for place in places if len(places) > 1 else ():
            rows = grouping.kind == place
            asked = int(rows.sum())
            em = float(exact_match[rows].mean())
            interval = wilson_interval(em / 100 * asked, asked)
            name = grouping.names[place]
            kinds.append(Kind(grouping.title, name, asked, em, interval, float(f1[rows].mean())))
    return kinds


def error_of(given: Given) -> str:
    """Of which kind of ERRORS a wrong answer is, by its place in the context."""
    answers = given.record["answers"]
    if not answers["text"]:
        return INVENTED
    begin, end = given.place
    if begin == end:
        return MISSED
    pairs = zip(answers["text"], answers["answer_start"], strict=True)
    expected = [(first, first + len(text)) for text, first in pairs]
    if any(first < end and begin < behind for first, behind in expected):
        return EDGE
    sentences = [sentence_around(given.record["context"], place) for place in expected]
    inside = any(first < end and begin < behind for first, behind in sentences)
    return SENTENCE if inside else ELSEWHERE


def calibration_of(probabilities: np.ndarray, right: np.ndarray) -> Calibration:
    """probabilities: (questions,) of the answers given. right: (questions,) bool.

    The expected calibration error (Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602)
    is above 0 for true probabilities, too, as each bin holds few questions. How far above, is
    found by drawing right and wrong answers from the probabilities themselves.
    """
    order = np.array_split(np.argsort(probabilities, kind="stable"), BINS)
    said = np.array([probabilities[rows].mean() for rows in order])
    counts = np.array([len(rows) for rows in order])

    def error(of: np.ndarray) -> float:
        shares = np.array([of[rows].mean() for rows in order])
        return float(counts @ np.abs(said - shares) / len(of))

    rng = np.random.default_rng(0)
    errors = [error(rng.random(len(right)) < probabilities) for _ in range(DRAWS)]
    gaps = probabilities - right
    standard_error = float(gaps.std(ddof=1)) / len(gaps) ** 0.5
    return Calibration(
        bins=[
            (len(rows), float(probabilities[rows].mean()), float(right[rows].mean()))
            for rows in order
        ],
        error=error(right),
        usual_error=float(np.mean(errors)),
        largest_error=float(np.quantile(errors, 0.95)),
        too_sure=float(gaps.mean()),
        half=float(half_interval(standard_error, len(gaps))),
    )


def threshold_of(given: Sequence[Given]) -> Threshold | None:
    """The best threshold of "no answer"; None if a lead is not known.

    Its gain is measured on each half of the questions with the threshold of the other half.
    """
    rows = [
        (each.lead, each.f1_of_span, 0 if each.record["answers"]["text"] else 100, each.f1)
        for each in given
    ]
    lead, span, no_answer, before = np.array(rows, float).T
    if not np.isfinite(lead).all():
        return None
    best = _best_lead(lead, span, no_answer)
    halves = np.random.default_rng(0).permutation(len(given)) % 2 == 0
    after = np.zeros(len(given))
    for half in (halves, ~halves):
        chosen = _best_lead(lead[half], span[half], no_answer[half])
        after[~half] = np.where(lead > chosen, no_answer, span)[~half]
    gains = after - before
    spread = float(half_interval(gains.std(ddof=1) / len(gains) ** 0.5, len(gains)))
    f1 = float(np.where(lead > best, no_answer, span).mean())
    return Threshold(best, f1, float(before.mean()), float(gains.mean()), spread)


def _best_lead(lead: np.ndarray, span: np.ndarray, no_answer: np.ndarray) -> float:
    """The lead above which "no answer" is best, halfway between two of them; (questions,) each."""
    order = np.argsort(lead, kind="stable")
    ordered = np.append(lead[order], lead.max() + 1)
    gained = np.append(0, np.cumsum((span - no_answer)[order]))  # with so many spans as answers
    cuts = np.append(0, np.flatnonzero(np.diff(ordered)) + 1)  # never between equal leads
    at = cuts[np.argmax(gained[cuts])]
    below = ordered[at - 1] if at else ordered[0] - 1
    return float((below + ordered[at]) / 2)
