"""Chosen questions of a run's data -> windows with their labels; a model -> how it answers them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from huggin.asking.questions import logits_of
from huggin.qa.answers import Answer, best_answers, score_answer
from huggin.qa.arguments import DataArguments
from huggin.qa.features import evaluation_features
from huggin.recording.results import Answers

DATA_OF = {"train": "training data", "validation": "validation data"}


@dataclass(frozen=True)
class Exam:
    """Questions of a run's data, as windows with their labels."""

    data_name: str
    data: DataArguments
    indices: list[int]
    records: list[dict[str, Any]]
    placed: dict[str, list[Any]]  # columns of `evaluation_features`
    starts: np.ndarray  # (windows,) the labels, in tokens
    ends: np.ndarray  # (windows,)
    tokenizer: PreTrainedTokenizerFast

    @classmethod
    def of(
        cls,
        data: DataArguments,
        tokenizer: PreTrainedTokenizerFast,
        records: Dataset,
        indices: Sequence[int],
        split: str = "train",
    ) -> Self:
        """The questions of `indices` among `records`, which are those of the split.

        Raises UserError for a question that is too long.
        """
        chosen = records.select(indices)
        placed = evaluation_features(chosen, tokenizer, data).to_dict()
        file = data.train_file if split == "train" else data.validation_file
        name = Path(file or data.dataset_name or "").name
        return cls(
            data_name=f"{name} ({DATA_OF[split]})",
            data=data,
            indices=list(indices),
            records=chosen.to_list(),
            placed=placed,
            starts=np.array(placed["start_positions"]),
            ends=np.array(placed["end_positions"]),
            tokenizer=tokenizer,
        )

    def logits(
        self,
        model: PreTrainedModel,
        batch_size: int,
        done: Callable[[int], Any] = lambda _: None,
    ) -> np.ndarray:
        """Start and end logits, (2, windows, tokens), padded with -inf.

        done: called with the number of windows of each batch.
        """
        return logits_of(model, self.tokenizer, self.placed, batch_size, done)

    def best(self, logits: np.ndarray) -> list[Answer]:
        """The best answer to each question by logits (2, windows, tokens)."""
        contexts = [record["context"] for record in self.records]
        return best_answers(contexts, self.placed, logits[0], logits[1], self.data)

    def answers(
        self,
        model: PreTrainedModel,
        batch_size: int,
        done: Callable[[int], Any] = lambda _: None,
    ) -> Answers:
        """How a model answers. done: as for `logits`."""
        logits = self.logits(model, batch_size, done)
        texts = [answer.text for answer in self.best(logits)]
        scores = [
            score_answer(text, record["answers"], self.data.version_2_with_negative)
            for text, record in zip(texts, self.records, strict=True)
        ]
        return Answers(
            loss=self._losses(logits).tolist(),
            answer=texts,
            right=[exact_match == 100 for exact_match, _ in scores],
        )

    def _losses(self, logits: np.ndarray) -> np.ndarray:
        """The loss of each question, (questions,): the mean over start, end and its windows."""
        of_windows = sum(self.cross_entropies(logits)) / 2
        owner = np.array(self.placed["record"])
        return np.bincount(owner, of_windows) / np.bincount(owner)

    def cross_entropies(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cross-entropy of the label's start and end in each window, (windows,) nats each."""
        return cross_entropy(logits[0], self.starts), cross_entropy(logits[1], self.ends)


def cross_entropy(logits: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The cross-entropy of each row in nats, (rows,). logits: (rows, tokens). places: (rows,)."""
    values = logits.astype(np.float64)
    highest = values.max(axis=1, keepdims=True)
    total = np.log(np.exp(values - highest).sum(axis=1)) + highest[:, 0]
    return total - values[np.arange(len(values)), places]
