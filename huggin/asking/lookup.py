"""Questions of a run's data -> text, by index or by words."""

import random
from dataclasses import dataclass
from typing import Self

from datasets import Dataset
from transformers import PreTrainedTokenizerFast

from huggin.common.errors import UserError
from huggin.model.loading import load_tokenizer
from huggin.qa.config import Config
from huggin.qa.questions import default_split, load_questions

SHOWN = 20  # questions that a search prints


@dataclass(frozen=True)
class Lookup:
    """The questions of one split, with the run's tokenizer."""

    records: Dataset
    tokenizer: PreTrainedTokenizerFast

    @classmethod
    def load(cls, config: Config, split: str | None) -> Self:
        """The questions of `split` (validation, if there are any). Raises UserError where they cannot be read."""
        records = load_questions(
            config.data, split or default_split(config.data), config.model.cache_dir
        )
        return cls(records, load_tokenizer(config.model))

    @property
    def last(self) -> int:
        """The largest index."""
        return len(self.records) - 1

    def index_of(self, word: str | None) -> int:
        """An index from what was typed: a number, or `random` (also for nothing). Raises UserError."""
        if word in (None, "random"):
            return random.randrange(len(self.records))
        if not word.isdecimal() or len(word) > 18 or int(word) > self.last:
            raise UserError(
                f"{word[:40]}: no such question; there are 0 to {self.last}, or: random"
            )
        return int(word)

    def describe(self, index: int) -> str:
        """A record in words: index, id, question, context, expected answers, their starts, token length."""
        record = self.records[index]
        answers = record["answers"]
        tokens = len(self.tokenizer(record["question"], record["context"])["input_ids"])
        rows = (
            ("index", f"{index} (id {record['id']})"),
            ("question", record["question"]),
            ("context", record["context"]),
            ("expected", " | ".join(answers["text"]) or "(no answer)"),
            ("its start", " | ".join(map(str, answers["answer_start"])) or "-"),
            ("tokens", str(tokens)),
        )
        return "\n".join(f"{name:10} {text}" for name, text in rows)

    def search(self, words: str) -> str:
        """The questions that hold all words, in any case, a line each. Raises UserError where none does."""
        wanted = words.casefold().split()
        questions = enumerate(self.records["question"])
        found = [
            (index, text)
            for index, text in questions
            if all(word in text.casefold() for word in wanted)
        ]
        if not found:
            raise UserError(f"--search {words}: no question holds all of these words")
        more = f"\n... and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        return "\n".join(f"{index}: {text}" for index, text in found[:SHOWN]) + more
