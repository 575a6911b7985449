"""Questions of a run's data -> text, by index or by words."""

import random
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from datasets import Dataset

from huggin.common.errors import BadValue, UserError
from huggin.common.progress import loading
from huggin.qa.arguments import ModelArguments
from huggin.qa.given import Keys
from huggin.qa.labels import plain_question
from huggin.qa.questions import default_split, load_questions

SHOWN = 20  # questions that a search prints


@dataclass(frozen=True)
class Lookup:
    """The questions of one split, with the run's tokenizer."""

    records: Dataset
    model: ModelArguments

    @classmethod
    def load(cls, config: Keys, split: str | None) -> Self:
        """The questions of `split`; None is validation if the data has such questions.

        Raises UserError if they cannot be read.
        """
        split = split or default_split(config.data)
        records = load_questions(config.data, split, config.model.cache_dir)
        return cls(records, config.model)

    @cached_property
    def tokenizer(self) -> Any:
        """The run's tokenizer, loaded when it is first needed, which takes seconds."""
        loading("the tokenizer")
        from huggin.model.loading import load_tokenizer

        return load_tokenizer(self.model)

    @property
    def last(self) -> int:
        """The largest index."""
        return len(self.records) - 1

    def index_of(self, word: str | None) -> int:
        """An index from what was typed: a number, or `random`, which None stands for, too.

        Raises UserError if there is no such question.
        """
        if word in (None, "random"):
            return random.randrange(len(self.records))
        if not word.isdecimal() or len(word) > 18 or int(word) > self.last:
            numbers = f"there are 0 to {self.last}, or: random"
            raise UserError(f"{word[:40]}: no such question; {numbers}")
        return int(word)

    def describe(self, index: int) -> str:
        """A record in words: index, id, question, context, answers and their places, tokens."""
        record = self.records[index]
        answers = record["answers"]
        tokens = self.tokenizer(plain_question(record["question"]), record["context"])
        rows = (
            ("index", f"{index} (id {record['id']})"),
            ("question", record["question"]),
            ("context", record["context"]),
            ("expected", " | ".join(answers["text"]) or "(no answer)"),
            ("its start", " | ".join(map(str, answers["answer_start"])) or "-"),
            ("tokens", str(len(tokens["input_ids"]))),
        )
        return "\n".join(f"{name:10} {text}" for name, text in rows)

    def search(self, words: str) -> str:
        """The questions that contain all words, in any case, a line each.

        Raises BadValue if none does.
        """
        wanted = words.casefold().split()
        matches = [
            (index, text)
            for index, text in enumerate(self.records["question"])
            if all(word in text.casefold() for word in wanted)
        ]
        if not matches:
            raise BadValue("search", words, "no question holds all of these words")
        more = f"\n... and {len(matches) - SHOWN} more" if len(matches) > SHOWN else ""
        return "\n".join(f"{index}: {text}" for index, text in matches[:SHOWN]) + more
