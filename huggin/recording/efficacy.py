"""What was measured of a run's models <-> RUN/efficacy.json."""

from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from huggin.common.errors import UserError
from huggin.common.files import read_text, write_json
from huggin.recording.run_facts import first_problem
from huggin.recording.run_folder import RunFolder

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
    f1_interval: tuple[float, float]  # Wilson's for a share of that size; F1 varies less


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
