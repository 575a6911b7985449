"""A run's model before its questions: load both, ask, and look inside an answer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from huggin.answer_recording import AnswerFacts
from huggin.bert import load_trained
from huggin.config import Config
from huggin.efficacy import Asked, Efficacy, ask, draw_questions, efficacy_of, until_first_right
from huggin.files import write_json
from huggin.questions import load_questions
from huggin.run_facts import model_type_state
from huggin.run_folder import RunFolder
from huggin.squad import TrackedSample, refuse_long_questions, track_sample

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

AHEAD = 8  # batches of questions whose windows are sorted by length together


@dataclass(frozen=True)
class Examination:
    """One model of a run, and the questions that it is asked."""

    config: Config
    run: RunFolder
    records: "Dataset"
    tokenizer: "PreTrainedTokenizerFast"
    model: "PreTrainedModel"
    step: int

    @classmethod
    def load(cls, config: Config, run: RunFolder, folder: Path, split: str | None) -> "Examination":
        """The model in `folder` and the questions of `split` (validation, if there are any). Raises UserError."""
        tokenizer, model, step = load_trained(folder)
        held_out = config.data.dataset_name or config.data.validation_file
        records = load_questions(config.data, split or ("validation" if held_out else "train"), config.model.cache_dir)
        refuse_long_questions(records, tokenizer, config.data)
        return cls(config, run, records, tokenizer, model, step)

    @property
    def state(self) -> str:
        """The model-type-state: class, whether pretrained, step, data."""
        facts = {
            "model_class": type(self.model).__name__,
            "pretrained": self.config.model.pretrained_model,
            "data_name": self.config.data_name,
        }
        return model_type_state(facts, self.step)

    def ask(
        self, seed: int | None, limit: int | None, skip: Collection[int], batch_size: int, until_right: bool
    ) -> list[Asked]:
        """Ask random questions, none twice and none of `skip`: `limit` of them, or up to the first right answer."""
        indices = draw_questions(len(self.records), seed, skip)[:limit]
        ahead = 1 if until_right else AHEAD
        asked = ask(self.model, self.tokenizer, self.records, indices, self.config.data, batch_size, ahead)
        shown = tqdm(asked, total=len(indices), desc="asking", unit=" questions", delay=2, leave=False)
        return list(until_first_right(shown) if until_right else shown)

    def efficacy(self, asked: Sequence[Asked]) -> Efficacy:
        """How good the model is by these questions."""
        return efficacy_of(asked, self.step)

    def write_predictions(self, path: Path, asked: Sequence[Asked]) -> None:
        """Write the answers as SQuAD's official script reads them: {id: text}."""
        write_json(path, {one.record["id"]: one.answer.text for one in asked})

    def facts_of(self, one: Asked) -> tuple[AnswerFacts, TrackedSample]:
        """An answer in words and tokens, and the window that it was given in."""
        sample = track_sample(one.record, one.index, self.tokenizer, self.config.data, one.answer.window)
        facts = AnswerFacts(
            step=self.step,
            index=one.index,
            question=one.record["question"],
            context=one.record["context"],
            expected=sample.answer,
            answered=one.answer.text,
            right=one.right,
            confidence=one.answer.confidence,
            tokens=sample.tokens,
            parts=sample.parts,
            gold_start=sample.gold_start,
            gold_end=sample.gold_end,
            start=one.answer.start,
            end=one.answer.end,
        )
        return facts, sample
