"""What was measured of a run's models <-> RUN/efficacy.json."""

import json
from dataclasses import asdict, dataclass

from huggin.common.errors import UserError
from huggin.common.files import write_json
from huggin.recording.run_folder import RunFolder


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


def trained_on_in_words(trained_on: int, asked: int) -> str:
    """What a score does not say by itself: how many of its questions are training questions."""
    if trained_on == 0:
        return ""
    which = "all" if trained_on == asked else f"{trained_on} of them"
    return f" ({which} from the training data: this shows what it remembers, not what it can answer)"


def keep_efficacy(run: RunFolder, efficacy: Efficacy) -> None:
    """Keep what was measured in RUN/efficacy.json; of two for a step and its data, the one with more questions."""
    kept = {(entry.data, entry.step): entry for entry in read_efficacy(run)}
    key = (efficacy.data, efficacy.step)
    if key not in kept or kept[key].asked <= efficacy.asked:
        kept[key] = efficacy
    write_json(run.efficacy, [asdict(kept[key]) for key in sorted(kept)])


def read_efficacy(run: RunFolder) -> list[Efficacy]:
    """What was measured of a run's models, by data and step."""
    if not run.efficacy.is_file():
        return []
    try:
        return [Efficacy(**entry) for entry in json.loads(run.efficacy.read_text(encoding="utf-8"))]
    except (ValueError, TypeError):
        raise UserError(
            f"{run.efficacy}: not readable; delete it and run test-qa-efficacy.py again"
        ) from None
