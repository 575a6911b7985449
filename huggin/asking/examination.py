"""A run's model before its questions: load both, ask, and look inside an answer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from datasets import Dataset
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from huggin.asking.questions import Asked, ask, draw_questions, efficacy_of, until_first_right
from huggin.common.errors import UserError
from huggin.common.files import write_json
from huggin.model.device import choose_device
from huggin.model.fast_linear import speed_up
from huggin.model.loading import load_trained, match_tokenizer
from huggin.qa.config import Config
from huggin.qa.features import refuse_long_questions, track_sample
from huggin.qa.questions import default_split, load_questions
from huggin.recording.answer import AnswerFacts
from huggin.recording.efficacy import Efficacy
from huggin.recording.run_facts import model_type_state
from huggin.recording.run_folder import RunFolder

BATCH_ON_CPU = 16
BATCH_ON_ACCELERATOR = 64
AHEAD = 8  # batches of questions whose windows are sorted by length together


@dataclass(frozen=True)
class Examination:
    """One model of a run, and the questions that it is asked."""

    config: Config
    run: RunFolder
    records: Dataset
    asked_data: str  # its name
    tokenizer: PreTrainedTokenizerFast
    model: PreTrainedModel
    step: int

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
        """The model in `folder` and the questions of `split` (validation, if there are any).

        device: where to compute; default: the accelerator, unless the cfg says use_cpu.
        bf16: compute in bfloat16.
        Raises UserError if one of them cannot be used.
        """
        place = choose_device(device, config.training.use_cpu)
        tokenizer, model, step = load_trained(folder, place, torch.bfloat16 if bf16 else None)
        split = split or default_split(config.data)
        records = load_questions(config.data, split, config.model.cache_dir)
        match_tokenizer(tokenizer, model, config.data.max_seq_length)
        refuse_long_questions(records, tokenizer, config.data)
        return cls(config, run, records, _name_of(config, split), tokenizer, speed_up(model), step)

    @property
    def state(self) -> str:
        """The model-type-state; it ends with the data asked if that is not what it was trained on."""
        trained_on = self.config.data_name
        asked = self.asked_data
        name = trained_on if asked == trained_on else f"{trained_on}-{asked}"
        pretrained = self.config.model.pretrained_model
        return model_type_state(type(self.model).__name__, pretrained, self.step, name)

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
        batch_size = batch_size or self._batch_size
        indices = draw_questions(len(self.records), seed, skip)[:limit]
        ahead = 1 if until_right else AHEAD
        asked = ask(
            self.model, self.tokenizer, self.records, indices, self.config.data, batch_size, ahead
        )
        shown = tqdm(
            asked, total=len(indices), desc="asking", unit=" questions", delay=2, leave=False
        )
        return list(until_first_right(shown) if until_right else shown)

    @property
    def _batch_size(self) -> int:
        on_cpu = self.model.device.type == "cpu"
        return BATCH_ON_CPU if on_cpu else BATCH_ON_ACCELERATOR

    def efficacy(self, asked: Sequence[Asked]) -> Efficacy:
        """How good the model is by these questions."""
        return efficacy_of(asked, self.step, self.asked_data)

    def write_predictions(self, path: Path, asked: Sequence[Asked]) -> None:
        """Write the answers as SQuAD's official script reads them: {id: text}."""
        texts = {one.record["id"]: one.answer.text for one in asked}
        if len(texts) < len(asked):
            raise UserError(
                f"{path}: not written: ids of questions occur twice in the data; give each its own"
            )
        write_json(path, texts)

    def facts_of(self, one: Asked) -> AnswerFacts:
        """An answer, and the window that it was given in."""
        return AnswerFacts(
            state=self.state,
            step=self.step,
            window=track_sample(
                one.record, one.index, self.tokenizer, self.config.data, one.answer.window
            ),
            answered=one.answer.text,
            right=one.right,
            confidence=one.answer.confidence,
            start=one.answer.start,
            end=one.answer.end,
        )


def _name_of(config: Config, split: str) -> str:
    """The name of the data that is asked: the training data's own, for its usual split."""
    data = config.data
    if data.dataset_name:
        return config.data_name if split == "validation" else f"{config.data_name}-train"
    return Path((data.train_file if split == "train" else data.validation_file) or "").name
