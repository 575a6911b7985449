"""Evaluate a run's model: load it and the questions, ask, and look inside one answer.

huggin.examine("runs/sample", 20).in_words()
"""

from collections.abc import Collection, Mapping, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from datasets import Dataset

from huggin.analysis.scores import Details, Given, details_of
from huggin.asking.answering import TrainedModel
from huggin.asking.questions import Asked, draw_questions, efficacy_of
from huggin.asking.run_and_cfg import TrainedWith
from huggin.common.errors import BadValue
from huggin.common.files import write_json
from huggin.common.text import InWords, storable
from huggin.model.device import choose_device
from huggin.model.fast_linear import speed_up
from huggin.qa.given import Keys
from huggin.qa.questions import load_questions
from huggin.recording.answer import AnswerFacts
from huggin.recording.checkpoints import models_of
from huggin.recording.results import Efficacy, keep_efficacy, parts_in_words, trained_on_in_words
from huggin.recording.run_facts import given_for, model_type_state
from huggin.recording.run_folder import RunFolder, one_at_a_time

SHOWN = 20  # wrong answers that are listed if nobody says which


@dataclass(frozen=True)
class Examined(InWords):
    """Questions that were asked, and the score over all of them."""

    run: Path
    state: str  # the model-type-state
    asked: list[Asked]
    efficacy: Efficacy
    until_right: bool  # the first right answer ended the asking: then EM would be one by their
    # number for any model, so there is none
    trained_on: Collection[int] = frozenset()  # indices of those in the training data

    @property
    def details(self) -> Details:
        """The score by kind of question, the errors by kind, and the calibration."""
        same = ("record", "exact_match", "f1", "probability", "lead", "f1_of_span")
        questions = []
        for question in self.asked:
            own: dict[str, Any] = {name: getattr(question, name) for name in same}
            trained_on = question.index in self.trained_on
            questions.append(Given(place=question.answer.place, trained_on=trained_on, **own))
        return details_of(questions)

    def keep_details(self) -> None:
        """Write the details into the run, where the page finds them."""
        details = self.details
        measurement = {"step": self.efficacy.step, "data": self.efficacy.data}
        results = {"tables": details.tables(), "verdicts": details.verdicts()}
        write_json(RunFolder(self.run).details, measurement | results)

    def in_words(self, show: str | None = None) -> str:
        """The score, below the answers that are shown.

        show: `wrong`, `right` or `all`; default: the first 20 wrong ones, or the right one that
        ended the asking.
        """
        answers = [each for each in self.asked if show == "all" or each.right == (show == "right")]
        more = []
        if show is None and self.until_right:
            answers = [each for each in self.asked if each.right]
        elif show is None and len(answers) > SHOWN:
            more = [f"and {len(answers) - SHOWN} more wrong answers\n"]
            answers = answers[:SHOWN]
        lines = [f"{each.in_words()}\n" for each in answers]
        return "\n".join([*lines, *more, *self._score()])

    def _score(self) -> list[str]:
        efficacy = self.efficacy
        subject = f"{self.run}, step {efficacy.step:,}, asked {efficacy.data}"
        score = f"{subject}: {efficacy.correct}/{efficacy.asked} right"
        if self.until_right:
            return [score]
        em_low, em_high = efficacy.exact_match_interval
        f1_low, f1_high = efficacy.f1_interval
        em = f"EM {efficacy.exact_match:.1f} % (95 %: {em_low:.1f} to {em_high:.1f})"
        f1 = f"F1 {efficacy.f1:.1f} % (95 %: {f1_low:.1f} to {f1_high:.1f})"
        note = trained_on_in_words(efficacy.trained_on, efficacy.asked)
        return [score, f"{em}, {f1}{note}", *parts_in_words(efficacy.parts)]

    def as_json(self) -> dict[str, Any]:
        """The score, and each question with the expected and the actual answer."""
        names = ("index", "expected", "answered", "right", "f1", "confidence")
        answers = [dict(zip(names, question.as_row(), strict=True)) for question in self.asked]
        whose = {"run": str(self.run), "state": self.state}
        return {**whose, **asdict(self.efficacy), "answers": answers}


@dataclass(frozen=True)
class Examination:
    """One model of a run, and the questions that it is asked."""

    trained: TrainedModel
    records: Dataset
    asked_data: str  # its name
    state: str  # the model-type-state; it ends with the data asked if that is not the training data
    trained_on: Set[int] = field(default=frozenset())  # indices of records

    @classmethod
    def load(
        cls,
        config: Keys,
        run: RunFolder,
        folder: Path,
        split: str | None,
        device: str | None = None,
        bf16: bool = False,
    ) -> Self:
        """The model in `folder` and the questions of `split`.

        config: says which questions are asked. What the run is comes from its recording.
        split: `train` or `validation`; default: validation if the data has such questions.
        device: where to compute; default: the accelerator, unless the cfg says use_cpu.
        bf16: compute in bfloat16.
        Raises UserError if one of them cannot be used.
        """
        place = choose_device(device, config.use_cpu)
        facts = TrainedWith.of(run, config)
        number = torch.bfloat16 if bf16 else None
        trained = TrainedModel.in_folder(run, folder, facts.data, place, number)
        split, data = facts.data_asked(config, split)
        cache_dir = config.model.cache_dir
        records = trained.fitting(load_questions(data, split, cache_dir))
        file = data.train_file if split == "train" else data.validation_file
        asked = Path(file or data.dataset_name or facts.data_name).name
        if split == "train" and not file:  # on the Hub, the validation split has the plain name
            asked += "-train"
        name = facts.data_name if asked == facts.data_name else f"{facts.data_name}-{asked}"
        kind = type(trained.model).__name__
        state = model_type_state(kind, facts.pretrained, trained.step, name)
        speed_up(trained.model)
        return cls(trained, records, asked, state, facts.trained_on(records, split, cache_dir))

    def refuse_repeated_ids(self, path: Path) -> None:
        """Raise UserError if two questions have one id, of which a file can keep only one."""
        first: dict[str, int] = {}
        for number, id_ in enumerate(self.records["id"], start=1):
            if first.setdefault(id_, number) != number:
                what = f"records {first[id_]} and {number} have one id, {id_!r}"
                raise BadValue("predictions", path, f"{what}; give each question its own id")

    def not_of(self, expected: Mapping[int, str]) -> set[int]:
        """The indices whose expected answer is another one than in the data, or that it lacks.

        expected: by the index of the question.
        """
        indices = [index for index in expected if 0 <= index < len(self.records)]
        answers = [answer["text"] for answer in self.records.select(indices)["answers"]]
        expected_now = {at: storable(next(iter(texts), "")) for at, texts in zip(indices, answers)}
        return {index for index, text in expected.items() if expected_now.get(index) != text}

    def ask(
        self,
        samples: int | None = None,
        *,
        until_right: bool = False,
        seed: int | None = None,
        skip: Collection[int] = (),
        batch_size: int | None = None,
    ) -> Examined:
        """Ask random questions, none twice and none of `skip`.

        samples: how many; with `until_right` the first right answer ends it earlier.
        batch_size: windows at a time; default: 16 on a CPU, 64 on an accelerator.
        """
        indices = draw_questions(len(self.records), seed, skip)[:samples]
        options: dict[str, Any] = {"batch_size": batch_size} if batch_size else {}
        options |= {"ahead": 1} if until_right else {}
        asked = self.trained.asked(self.records, indices, **options)
        answered = []
        for question in asked:
            answered.append(question)
            if until_right and question.right:
                break
        trained_on = self.trained_on & {question.index for question in answered}
        squad2 = self.trained.data.version_2_with_negative
        scored = (answered, self.trained.step, self.asked_data, len(trained_on), squad2)
        whose = (self.trained.run.path, self.state)
        return Examined(*whose, answered, efficacy_of(*scored), until_right, trained_on)

    def keep(self, examined: Examined) -> None:
        """Keep the score, if it is one, and the inside of the first right answer, else the last."""
        run = self.trained.run
        run.recording.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(run.recording):
            if not examined.until_right:
                keep_efficacy(run, examined.efficacy)
            right = (question for question in examined.asked if question.right)
            self.trained.keep_inside(self.facts_of(next(right, examined.asked[-1])))

    def facts_of(self, question: Asked) -> AnswerFacts:
        """An answer, and the window that it was given in."""
        trained_on = question.index in self.trained_on
        facts = {"state": self.state, "trained_on": trained_on, "right": question.right}
        return self.trained.facts_of(question.index, question.record, question.answer, **facts)


def examine(
    run: str | Path,
    samples: int | None = None,
    *,
    until_right: bool = False,
    split: str | None = None,
    seed: int | None = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
) -> Examined:
    """Ask a trained model questions of its data: what `huggin test-qa-efficacy` does.

    run: its folder, or its cfg.json. samples: how many; default: all. until_right: stop at the
    first right answer. split: `train` or `validation`; default: validation, if there is any. seed:
    draws them. checkpoint: the folder of one of the run's; default: its newest model. device: where
    to compute; default: the accelerator. The score is kept in RUN/efficacy.json, and one answer in
    the recording; only the command writes into the database.

    >>> import huggin
    >>> examined = huggin.examine("runs/sample", samples=3, seed=1)
    >>> examined.efficacy.asked, len(examined.as_json()["answers"])
    (3, 3)

    Raises UserError if the model or its data cannot be used.
    """
    config = given_for(Path(run), [])
    folder = RunFolder(config.output_dir)
    (model,) = models_of(folder, Path(checkpoint) if checkpoint else None)
    examination = Examination.load(config, folder, model, split, device)
    examined = examination.ask(samples, until_right=until_right, seed=seed)
    examination.keep(examined)
    return examined
