"""What was measured of a run's models <-> RUN/efficacy.json, and its evaluations while training."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from huggin.common.errors import UserError
from huggin.common.files import read_text, write_json
from huggin.common.statistics import wilson_interval
from huggin.recording.run_facts import first_problem
from huggin.recording.run_folder import RunFolder

ANEW = "run run_qa.py again, it writes a new one"
NOT_READABLE = "delete the file and run test-qa-efficacy.py again"


@dataclass(frozen=True)
class Efficacy:
    """How good a model is after `step` steps, in percent, with 95 % intervals."""

    step: int
    data: str  # what was asked
    asked: int
    correct: int
    exact_match: float
    exact_match_interval: tuple[float, float]  # Wilson's
    f1: float
    f1_interval: tuple[float, float]  # Wilson's, as if F1 were a share: rather too wide
    trained_on: int = 0  # how many of the questions asked the model was trained on
    parts: dict[str, float] = field(default_factory=dict)  # SQuAD 2.0: HasAns_exact, NoAns_f1, ...
    loss: float | None = None  # mean cross-entropy in nats; None where it was not measured
    loss_error: float = 0.0  # its standard error


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
    kept = {(entry.data, entry.step): entry for entry in read_efficacy(run)}
    key = (efficacy.data, efficacy.step)
    if key not in kept or kept[key].asked <= efficacy.asked:
        kept[key] = efficacy
    write_json(run.efficacy, [asdict(kept[key]) for key in sorted(kept)])


def read_efficacy(run: RunFolder) -> list[Efficacy]:
    """What was measured of a run's models, by data and step.

    Raises UserError for a damaged file.
    """
    try:
        text = read_text(run.efficacy)
    except FileNotFoundError:
        return []
    try:
        entries = TypeAdapter(list[Efficacy]).validate_json(text, strict=True)
    except ValidationError as error:
        raise UserError(f"{run.efficacy}: {first_problem(error)}; {NOT_READABLE}") from None
    for number, entry in enumerate(entries):
        if problem := _problem_with(entry):
            raise UserError(f"{run.efficacy}: {number}.{problem}; {NOT_READABLE}")
    return entries


def _problem_with(entry: Efficacy) -> str | None:
    """What of a measurement cannot be true, in words, or None."""
    if entry.step < 0:
        return f"step: {entry.step} is negative"
    if not 0 <= entry.correct <= entry.asked or entry.asked == 0:
        return f"correct: {entry.correct} of {entry.asked} questions"
    if not 0 <= entry.trained_on <= entry.asked:
        return f"trained_on: {entry.trained_on} of {entry.asked} questions"
    measured = {
        "exact_match": (entry.exact_match, entry.exact_match_interval),
        "f1": (entry.f1, entry.f1_interval),
    }
    for name, (value, (low, high)) in measured.items():
        if not 0 <= value <= 100:
            return f"{name}: {value:g} is no percentage"
        if not 0 <= low <= high <= 100:
            return f"{name}_interval: {low:g} to {high:g} is no interval of percentages"
    return None


def read_evaluations(run: RunFolder) -> list[Efficacy]:
    """The evaluations while a run was trained, and the one at its end, by step.

    Raises UserError if a file of the run cannot be read.
    """
    found = {}
    for path, scores in _scores_of(run):
        try:
            entry = _as_efficacy(scores)
            problem = _problem_with(entry)
        except (KeyError, TypeError, ValueError, ArithmeticError):
            problem = "its scores are not readable"
        if problem:
            raise UserError(f"{path}: {problem}; {ANEW}")
        found[entry.step] = entry
    return [found[step] for step in sorted(found)]


def _scores_of(run: RunFolder) -> list[tuple[Path, dict[str, Any]]]:
    """The scores that the Trainer logged, and those that run_qa.py kept, with their files."""
    found = []
    if run.trainer_state.is_file():
        state = _read_object(run.trainer_state)
        history = state.get("log_history", [])
        if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
            raise UserError(f"{run.trainer_state}: log_history: must be a list of objects; {ANEW}")
        found += [(run.trainer_state, row) for row in history if "eval_exact_match" in row]
    if run.eval_results.is_file():
        found.append((run.eval_results, _read_object(run.eval_results)))
    return found


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(read_text(path))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UserError(f"{path}: not readable; {ANEW}")
    return value


def _as_efficacy(scores: dict[str, Any]) -> Efficacy:
    """What the Trainer's evaluation found; its EM is a share of whole questions."""
    asked = scores["eval_samples"]
    exact_match = scores["eval_exact_match"]
    f1 = scores["eval_f1"]
    return Efficacy(
        step=int(scores["step"]),
        data="evaluated while training",
        asked=asked,
        correct=round(exact_match / 100 * asked),
        exact_match=exact_match,
        exact_match_interval=wilson_interval(exact_match / 100 * asked, asked),
        f1=f1,
        f1_interval=wilson_interval(f1 / 100 * asked, asked),
        loss=float(scores["eval_loss"]) if "eval_loss" in scores else None,
        loss_error=float(scores.get("eval_loss_error", 0.0)),
    )
