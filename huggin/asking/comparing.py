"""Ask two runs' models the same questions: is the second better than the first?

huggin.compare("runs/a", "runs/b").in_words()
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from huggin.analysis.comparison import Difference, Rights, difference
from huggin.asking.answering import TrainedModel
from huggin.asking.examination import Examination
from huggin.asking.questions import Asked, efficacy_of
from huggin.asking.run_and_cfg import TrainedWith
from huggin.common.text import InWords, short
from huggin.model.device import choose_device
from huggin.qa.features import refuse_long_questions
from huggin.recording.checkpoints import newest_model
from huggin.recording.results import Efficacy, trained_on_in_words
from huggin.recording.run_facts import given_for
from huggin.recording.run_folder import RunFolder

SHOWN = 10  # questions on which the models differ
LONGEST = 150  # characters of a text
ONE_SEED = "this compares two trained models; the same training with another seed gives another"


@dataclass(frozen=True)
class Answers:
    """How one run's model answered the questions."""

    run: Path
    asked: list[Asked]
    efficacy: Efficacy

    def in_words(self, letter: str) -> str:
        """The run, and its score."""
        efficacy = self.efficacy
        note = trained_on_in_words(efficacy.trained_on, efficacy.asked)
        score = f"EM {efficacy.exact_match:.1f} %, F1 {efficacy.f1:.1f} %"
        return f"{letter}  {self.run}, step {efficacy.step}: {score}{note}"

    def scores(self, name: str) -> np.ndarray:
        """A score of each question, (questions,), in percent: `exact_match` or `f1`."""
        return np.array([getattr(question, name) for question in self.asked])


@dataclass(frozen=True)
class Compared(InWords):
    """Two models' answers to the same questions. A is the first, B the second."""

    first: Answers
    second: Answers

    @property
    def differences(self) -> list[Difference]:
        """Of EM and F1."""
        contexts = [question.record["context"] for question in self.first.asked]
        places = np.unique(contexts, return_inverse=True)[1]
        names = {"EM": "exact_match", "F1": "f1"}
        return [
            difference(name, self.first.scores(score), self.second.scores(score), places)
            for name, score in names.items()
        ]

    @property
    def rights(self) -> Rights:
        """How many each answered right."""
        return Rights.of(*(each.scores("exact_match") == 100 for each in (self.first, self.second)))

    def in_words(self) -> str:
        """Both scores, their difference, and the questions that one alone answered right."""
        questions = f"{len(self.first.asked)} questions of {self.first.efficacy.data}"
        lines = [questions, self.first.in_words("A"), self.second.in_words("B")]
        lines += [each.in_words() for each in self.differences]
        lines += [self.rights.in_words(), ONE_SEED]
        pairs = zip(self.first.asked, self.second.asked, strict=True)
        apart = [pair for pair in pairs if pair[0].right != pair[1].right]
        lines += [_in_words(*pair) for pair in apart[:SHOWN]]
        if len(apart) > SHOWN:
            lines.append(f"and {len(apart) - SHOWN} more that one alone answered right")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The scores, the differences, and both answers to each question."""
        pairs = zip(self.first.asked, self.second.asked, strict=True)
        return {
            "runs": [str(answers.run) for answers in (self.first, self.second)],
            "scores": [asdict(answers.efficacy) for answers in (self.first, self.second)],
            "differences": [
                {**asdict(each), "is_significant": each.is_significant} for each in self.differences
            ],
            "right": asdict(self.rights) | {"p": self.rights.p_value},
            "questions": [
                {
                    "index": first.index,
                    "question": first.record["question"],
                    "expected": first.record["answers"]["text"],
                    "answered": [first.answer.text, second.answer.text],
                    "exact_match": [first.exact_match, second.exact_match],
                    "f1": [first.f1, second.f1],
                }
                for first, second in pairs
            ],
        }


def _in_words(first: Asked, second: Asked) -> str:
    question, expected = first.in_words().splitlines()[:2]
    lines = [question, f"  text: {short(first.record['context'], LONGEST)}", expected]
    for letter, asked in (("A", first), ("B", second)):
        which = "right" if asked.right else "wrong"
        lines.append(f"  {letter} {which}: {asked.answer.text or '(no answer)'}")
    return "\n".join(lines)


def compare(
    first: str | Path,
    second: str | Path,
    samples: int | None = None,
    *,
    split: str | None = None,
    seed: int | None = None,
    device: str | None = None,
) -> Compared:
    """Ask two runs' newest models the same questions: what `huggin compare` does.

    first, second: the runs' folders, or their cfg.json. The questions are those of the first run;
    `split` is `train` or `validation`, by default validation if there is any. samples: how many;
    default: all; `seed` draws them. device: where to compute; default: the accelerator.

    >>> import huggin
    >>> compared = huggin.compare("runs/sample", "runs/sample", samples=4, seed=1)
    >>> [each.points for each in compared.differences]
    [0.0, 0.0]

    Raises UserError if a model or the data cannot be used. Nothing is kept in the runs.
    """
    config = given_for(Path(first), [])
    run = RunFolder(config.output_dir)
    examination = Examination.load(config, run, newest_model(run), split, device)
    asked = examination.ask(samples, seed=seed)
    indices = [question.index for question in asked.asked]
    own = Answers(run.path, asked.asked, asked.efficacy)
    return Compared(own, _ask_another(Path(second), examination, indices, device))


def _ask_another(
    named: Path, examination: Examination, indices: Sequence[int], device: str | None
) -> Answers:
    """Ask another run's model the questions of an examination."""
    config = given_for(named, [])
    run = RunFolder(config.output_dir)
    facts = TrainedWith.of(run, config)
    place = choose_device(device, config.use_cpu)
    model = TrainedModel.in_folder(run, newest_model(run), facts.data, place)
    refuse_long_questions(examination.records, model.tokenizer, model.data)
    asked = list(model.asked(examination.records, indices))
    shared = facts.trained_on(examination.records, "validation", config.model.cache_dir)
    trained_on = len(shared.intersection(indices))
    squad2 = model.data.version_2_with_negative
    data = examination.asked_data
    return Answers(run.path, asked, efficacy_of(asked, model.step, data, trained_on, squad2))
