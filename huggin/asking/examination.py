"""Evaluate a run's model: load it and the questions, ask, and look inside one answer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from huggin.asking.questions import (
    Asked,
    ask,
    batch_size_on,
    draw_questions,
    efficacy_of,
    until_first_right,
)
from huggin.asking.run_and_cfg import Trained
from huggin.common.errors import BadValue
from huggin.common.files import write_json
from huggin.common.progress import progress
from huggin.model.device import choose_device
from huggin.model.fast_linear import speed_up
from huggin.model.hooks import refuse_blind_no_answer
from huggin.model.loading import load_trained, match_tokenizer
from huggin.qa.arguments import DataArguments
from huggin.qa.config import Config
from huggin.qa.features import refuse_long_questions, track_sample
from huggin.qa.questions import load_questions
from huggin.recording.answer import AnswerFacts
from huggin.recording.results import Efficacy
from huggin.recording.run_facts import model_type_state
from huggin.recording.run_folder import RunFolder

AHEAD = 8  # batches of questions whose windows are sorted by length together


@dataclass(frozen=True)
class Examination:
    """One model of a run, and the questions that it is asked."""

    trained: Trained
    data: DataArguments  # that is asked, with the run's settings
    run: RunFolder
    records: Dataset
    asked_data: str  # its name
    tokenizer: PreTrainedTokenizerFast
    model: PreTrainedModel
    step: int
    trained_on: Collection[int] = field(default=frozenset())  # indices of records

    @classmethod
    def load(
        cls,
        config: Config,
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
        place = choose_device(device, config.training.use_cpu)
        tokenizer, model, step = load_trained(folder, place, torch.bfloat16 if bf16 else None)
        trained = Trained.of(run, config)
        split, data = trained.data_asked(config, split)
        cache_dir = config.model.cache_dir
        records = load_questions(data, split, cache_dir)
        match_tokenizer(tokenizer, model, data.max_seq_length)
        if data.version_2_with_negative:
            refuse_blind_no_answer(tokenizer, model)
        refuse_long_questions(records, tokenizer, data)
        return cls(
            trained=trained,
            data=data,
            run=run,
            records=records,
            asked_data=_name_of(trained, data, split),
            tokenizer=tokenizer,
            model=speed_up(model),
            step=step,
            trained_on=trained.trained_on(records, split, cache_dir),
        )

    @property
    def state(self) -> str:
        """The model-type-state; it ends with the data asked if that is not the training data."""
        name = self.trained.data_name
        if self.asked_data != name:
            name = f"{name}-{self.asked_data}"
        model = type(self.model).__name__
        return model_type_state(model, self.trained.pretrained, self.step, name)

    def refuse_repeated_ids(self, path: Path) -> None:
        """Raise UserError if two questions have one id, of which a file can keep only one."""
        ids = self.records["id"][:]
        first = {id_: at for at, id_ in reversed(list(enumerate(ids)))}
        repeated = next((at for at, id_ in enumerate(ids) if first[id_] != at), None)
        if repeated is not None:
            what = f"records {first[ids[repeated]] + 1} and {repeated + 1} have one id"
            problem = f"{what}, {ids[repeated]!r}; give each question its own id"
            raise BadValue("predictions", path, problem)

    def ask(
        self,
        seed: int | None,
        limit: int | None,
        skip: Collection[int],
        batch_size: int | None,
        until_right: bool,
    ) -> list[Asked]:
        """Ask random questions, none twice and none of `skip`.

        limit: how many; with `until_right` the first right answer ends it earlier.
        batch_size: windows at a time; default: 16 on a CPU, 64 on an accelerator.
        """
        batch_size = batch_size or batch_size_on(self.model.device)
        indices = draw_questions(len(self.records), seed, skip)[:limit]
        ahead = 1 if until_right else AHEAD
        asked = ask(self.model, self.tokenizer, self.records, indices, self.data, batch_size, ahead)
        shown = progress(asked, label="asking", unit="questions", total=len(indices))
        return list(until_first_right(shown) if until_right else shown)

    def efficacy(self, asked: Sequence[Asked]) -> Efficacy:
        """How good the model is by these questions."""
        trained_on = sum(one.index in self.trained_on for one in asked)
        squad2 = self.data.version_2_with_negative
        return efficacy_of(asked, self.step, self.asked_data, trained_on, squad2)

    def write_predictions(self, path: Path, asked: Sequence[Asked]) -> None:
        """Write the answers in the format of SQuAD's official script: {id: text}."""
        write_json(path, {one.record["id"]: one.answer.text for one in asked})

    def facts_of(self, one: Asked) -> AnswerFacts:
        """An answer, and the window that it was given in."""
        window = track_sample(one.record, one.index, self.tokenizer, self.data, one.answer.window)
        return AnswerFacts(
            state=self.state,
            step=self.step,
            window=window,
            answered=one.answer.text,
            right=one.right,
            confidence=one.answer.confidence,
            start=one.answer.start,
            end=one.answer.end,
            trained_on=one.index in self.trained_on,
        )


def _name_of(trained: Trained, asked: DataArguments, split: str) -> str:
    """The name of the data asked: on the Hub, the validation split has the plain name."""
    file = asked.train_file if split == "train" else asked.validation_file
    name = Path(file or asked.dataset_name or trained.data_name).name
    return name if file or split == "validation" else f"{name}-train"
