"""What was found out about a run's models: their scores, and what rewinding them did.

efficacy.json and rewind.json hold what commands measured, by step; trainer_state.json and
eval_results.json hold the evaluations that the Trainer and run_qa.py made.
"""

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError
from pydantic.dataclasses import dataclass as validated

from huggin.common.errors import Damaged, UserError
from huggin.common.files import write_json
from huggin.common.statistics import half_interval, wilson_interval
from huggin.common.text import one_line
from huggin.recording.run_facts import AtLeastOne, AtLeastZero, first_problem, id_of, read_as
from huggin.recording.run_folder import RunFolder

AT_LEAST = 2  # evaluations of a training that are worth a figure of their own
ROUNDING = 1e-6  # of a percentage
ANEW = "run run_qa.py again, it writes a new one"
KeptT = TypeVar("KeptT", "Efficacy", "Rewound")


Percent = Annotated[float, Field(ge=0, le=100)]
Interval = tuple[Percent, Percent]


@validated(frozen=True)
class Efficacy:
    """How good a model is after `step` steps, in percent, with 95 % intervals.

    Raises ValueError for what cannot be true.
    """

    step: AtLeastZero
    data: str  # what was asked
    asked: AtLeastOne
    correct: AtLeastZero
    exact_match: Percent
    exact_match_interval: Interval  # Wilson's
    f1: Percent
    f1_interval: Interval  # Wilson's, as if F1 were a share: rather too wide
    trained_on: AtLeastZero = 0  # how many of the questions asked the model was trained on
    parts: dict[str, int | float] = field(default_factory=dict)  # of SQuAD 2.0: HasAns_f1, ...
    loss: float | None = None  # mean cross-entropy in nats; None where it was not measured
    loss_error: float = 0.0  # its standard error; NaN if it is not known
    run_id: str = ""  # of the recording beside it; empty if nothing was recorded

    @property
    def loss_spread(self) -> float:
        """Half of the 95 % interval of the loss; NaN if it is not known."""
        return float(half_interval(self.loss_error, self.asked))

    def __post_init__(self) -> None:
        """Raise ValueError for what does not fit together."""
        if self.correct > self.asked or self.trained_on > self.asked:
            counted = f"correct: {self.correct}, trained_on: {self.trained_on}"
            raise ValueError(f"{counted}: more than the {self.asked} questions")
        if min(self.loss or 0.0, self.loss_error) < 0:
            raise ValueError(f"loss: {self.loss}, loss_error: {self.loss_error}: one is negative")
        for name in ("exact_match", "f1"):
            value, (low, high) = getattr(self, name), getattr(self, f"{name}_interval")
            if not low - ROUNDING <= value <= high + ROUNDING:
                raise ValueError(f"{name}: {value:g} is not within {low:g} to {high:g}")


def efficacy_from(
    step: int, data: str, asked: int, exact_match: float, f1: float, **more: Any
) -> Efficacy:
    """Mean scores in percent over `asked` questions, with their intervals; more: other fields."""
    right = exact_match / 100 * asked
    of_em = wilson_interval(right, asked)
    of_f1 = wilson_interval(f1 / 100 * asked, asked)
    return Efficacy(step, data, asked, round(right), exact_match, of_em, f1, of_f1, **more)


def parts_in_words(scores: dict[str, float], prefix: str = "") -> list[str]:
    """A line for the questions with an answer, and one for those without, if they are scored."""
    lines = []
    for name, kind in (("HasAns", "with"), ("NoAns", "without")):
        if f"{prefix}{name}_total" in scores:
            em, f1, total = (scores[f"{prefix}{name}_{what}"] for what in ("exact", "f1", "total"))
            em_and_f1 = f"{name}: EM {em:.1f} %, F1 {f1:.1f} %"
            lines.append(f"{em_and_f1} over {total} questions {kind} an answer")
    return lines


def trained_on_in_words(trained_on: int, asked: int) -> str:
    """What a score does not say by itself: how many of its questions are training questions."""
    if trained_on == 0:
        return ""
    which = "all" if trained_on == asked else f"{trained_on} of them"
    return (
        f" ({which} from the training data: this shows what it remembers, not what it can answer)"
    )


def keep_efficacy(run: RunFolder, efficacy: Efficacy) -> None:
    """Keep what was measured in RUN/efficacy.json.

    Of two measurements of one step with the same data, the one with more questions is kept.
    """
    by_key = {(entry.data, entry.step): entry for entry in read_efficacy(run)}
    key = (efficacy.data, efficacy.step)
    if key not in by_key or by_key[key].asked <= efficacy.asked:
        by_key[key] = efficacy
    by_key[key] = replace(by_key[key], run_id=id_of(run))
    write_json(run.efficacy, [asdict(by_key[key]) for key in sorted(by_key)])


def read_efficacy(run: RunFolder) -> list[Efficacy]:
    """What was measured of a run's models, by data and step.

    Raises UserError for a damaged file.
    """
    return _read_kept(run, run.efficacy, list[Efficacy], "test-qa-efficacy.py")


def _read_kept(run: RunFolder, path: Path, kind: type[list[KeptT]], command: str) -> list[KeptT]:
    """The entries of a file, none if it is missing. command: writes such a file."""
    advice = f"delete the file and run {command} again"
    try:
        entries = read_as(path, kind, advice)
    except FileNotFoundError:
        return []
    run_id = id_of(run)
    if run_id and {entry.run_id for entry in entries} - {"", run_id}:
        raise Damaged(f"{path}: measured in another run; {advice}")
    return entries


def read_evaluations(run: RunFolder) -> list[Efficacy]:
    """The evaluations while a run was trained, and the one at its end, by step.

    Raises UserError if a file of the run cannot be read.
    """
    by_step: dict[int, Efficacy] = {}
    if run.trainer_state.is_file():
        history = read_as(run.trainer_state, dict[str, Any], ANEW).get("log_history", [])
        if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
            raise UserError(f"{run.trainer_state}: log_history: must be a list of objects; {ANEW}")
        logged = (row for row in history if "eval_exact_match" in row)
        entries = (_as_efficacy(row, run.trainer_state) for row in logged)
        by_step = {entry.step: entry for entry in entries}
    if last := final_evaluation(run):
        by_step[last.step] = last
    return [by_step[step] for step in sorted(by_step)]


def measured(run: RunFolder) -> list[Efficacy]:
    """All that was measured of a run. Raises UserError if nothing was."""
    asked = read_efficacy(run)
    evaluated = read_evaluations(run)
    if not asked and len(evaluated) < AT_LEAST:
        advice = "run test-qa-efficacy.py CFG --checkpoints --all first"
        raise UserError(f"{run.path}: no efficacy measured; {advice}")
    return [*asked, *evaluated]


def final_evaluation(run: RunFolder) -> Efficacy | None:
    """The evaluation at the end of a training, None if there was none.

    Raises UserError if it cannot be read.
    """
    if not run.eval_results.is_file():
        return None
    return _as_efficacy(read_as(run.eval_results, dict[str, Any], ANEW), run.eval_results)


def _as_efficacy(scores: dict[str, Any], path: Path) -> Efficacy:
    """What an evaluation found, as the Trainer writes it; its EM is a share of whole questions.

    path: the file that says so.
    """
    try:
        return efficacy_from(
            int(scores["step"]),
            "evaluated while training",
            scores["eval_samples"],
            scores["eval_exact_match"],
            scores["eval_f1"],
            trained_on=int(scores.get("trained_on", 0)),
            loss=float(scores["eval_loss"]) if "eval_loss" in scores else None,
            loss_error=float(scores.get("eval_loss_error", math.nan)),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        why = first_problem(error) if isinstance(error, ValidationError) else one_line(error)
        what = f"its scores are not readable: {why}"
        raise UserError(f"{path}: {what}; {ANEW}") from None


@dataclass(frozen=True)
class Answers:
    """How one mixture of trained and untrained parts answers the questions, one value each."""

    loss: list[float]  # of start and end, mean over the question's windows, in nats
    answer: list[str]  # "" if there is none
    right: list[bool]  # whether the answer is exactly one of those expected


@dataclass(frozen=True)
class PartRewound:
    """A part of the model: what it is worth, and how far its weights have moved."""

    part: str  # `layer 3`
    parameters: int
    distance: float  # Euclidean, between the weights before and after the training
    put_back: Answers  # this part alone is as before the training
    alone: Answers  # this part alone is trained

    @property
    def moved(self) -> float:
        """The root mean square of the change of the part's weights."""
        return self.distance / self.parameters**0.5


@dataclass(frozen=True)
class Rewound:
    """What rewinding found at one step of a run."""

    step: int  # of the trained model
    data: str  # what was asked
    seed: int  # that drew the questions
    questions: list[int]  # their indices in the data
    trained: Answers  # nothing is put back
    untrained: Answers  # everything is put back
    parts: list[PartRewound]  # in the order of a forward pass
    run_id: str = ""  # of the recording beside it; empty for one of an older version

    def __post_init__(self) -> None:
        """Raise ValueError for what does not fit together."""
        asked = len(self.questions)
        of_parts = [answers for part in self.parts for answers in (part.put_back, part.alone)]
        for answers in (self.trained, self.untrained, *of_parts):
            if {len(answers.loss), len(answers.answer), len(answers.right)} != {asked}:
                raise ValueError(f"loss, answer, right: not one for each of the {asked} questions")
        if not asked or not self.parts:
            raise ValueError("questions, parts: there are none")
        if any(part.parameters < 1 for part in self.parts):
            raise ValueError("parts: one has no parameters")


def keep_rewound(run: RunFolder, rewound: Rewound) -> None:
    """Keep what was found in RUN/rewind.json, in the place of what was found at this step."""
    here = replace(rewound, run_id=id_of(run))
    by_step = {entry.step: entry for entry in read_all_rewound(run)} | {here.step: here}
    write_json(run.rewound, [asdict(by_step[step]) for step in sorted(by_step)])


def read_all_rewound(run: RunFolder) -> list[Rewound]:
    """What was found, by step. Raises UserError for a damaged file."""
    return _read_kept(run, run.rewound, list[Rewound], "huggin rewind")
