"""What rewinding a run's model found <-> RUN/rewind.json."""

from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from huggin.common.errors import UserError
from huggin.common.files import read_text, write_json
from huggin.recording.run_facts import first_problem
from huggin.recording.run_folder import RunFolder

NOT_READABLE = "delete the file and run huggin rewind again"


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


def keep_rewound(run: RunFolder, rewound: Rewound) -> None:
    """Keep what was found in RUN/rewind.json, in the place of what was found at this step."""
    kept = {entry.step: entry for entry in read_all_rewound(run)} | {rewound.step: rewound}
    write_json(run.rewound, [asdict(kept[step]) for step in sorted(kept)])


def read_rewound(run: RunFolder) -> Rewound | None:
    """What was found at the latest step; None if the run was never rewound.

    Raises UserError for a damaged file.
    """
    kept = read_all_rewound(run)
    return kept[-1] if kept else None


def read_all_rewound(run: RunFolder) -> list[Rewound]:
    """What was found, by step. Raises UserError for a damaged file."""
    try:
        text = read_text(run.rewound)
    except FileNotFoundError:
        return []
    try:
        entries = TypeAdapter(list[Rewound]).validate_json(text, strict=True)
    except ValidationError as error:
        raise UserError(f"{run.rewound}: {first_problem(error)}; {NOT_READABLE}") from None
    for number, entry in enumerate(entries):
        if problem := _problem_with(entry):
            raise UserError(f"{run.rewound}: {number}.{problem}; {NOT_READABLE}")
    return entries


def _problem_with(entry: Rewound) -> str | None:
    """What does not fit together, in words, or None."""
    asked = len(entry.questions)
    of_parts = [answers for part in entry.parts for answers in (part.put_back, part.alone)]
    for answers in (entry.trained, entry.untrained, *of_parts):
        if {len(answers.loss), len(answers.answer), len(answers.right)} != {asked}:
            return f"loss, answer, right: not one for each of the {asked} questions"
    if not asked or not entry.parts:
        return "questions, parts: there are none"
    if any(part.parameters < 1 for part in entry.parts):
        return "parts: one has no parameters"
    return None
