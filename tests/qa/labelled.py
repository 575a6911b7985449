"""The labels of records, and what they say when they are read back."""

from typing import Any

import numpy as np
from datasets import Dataset

from huggin.qa.answers import ranked_answers
from huggin.qa.arguments import DataArguments
from huggin.qa.features import evaluation_features, training_features

DATA = DataArguments(max_seq_length=384, doc_stride=128, max_answer_length=384)


class Labelled:
    """The labels of records, their tokens' places, and what the labels say."""

    def __init__(self, records: Dataset, tokenizer: Any, data: DataArguments = DATA) -> None:
        labels = training_features(records, tokenizer, data)
        self.features = evaluation_features(records, tokenizer, data)
        self.owners = self.features["record"][:]
        self.offsets = list(self.features["offset_mapping"])
        self.spans = list(zip(labels["start_positions"][:], labels["end_positions"][:]))
        self.texts = self._read_back(records, data)

    def windows_of(self, record: int) -> list[int]:
        """The windows that hold the answer of a record."""
        rows = range(len(self.owners))
        return [row for row in rows if self.owners[row] == record and self.spans[row][1] > 0]

    def _read_back(self, records: Dataset, data: DataArguments) -> list[str]:
        """The answers of a model whose logits are the labels."""
        longest = max(map(len, self.offsets))
        logits = np.zeros((2, len(self.spans), longest), dtype=np.float32)
        for row, span in enumerate(self.spans):
            if span[1] > 0:
                logits[[0, 1], row, span] = 9
        ranked = ranked_answers(records["context"], self.features, *logits, data, most=1)
        return [best.text for (best,) in ranked]
