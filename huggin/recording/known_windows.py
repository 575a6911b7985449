"""Which question of the training data each window of a batch is, by a hash of its tokens.

A stock Trainer, or a loop of one's own, gives the model tokens and labels, and nothing that says
where in the data they come from.
"""

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np
import torch

from huggin.common.errors import UserError
from huggin.common.progress import progress
from huggin.qa.records import OF_A_QUESTION, Record, normalised
from huggin.recording.probe import batch_rows

NEEDED = ("input_ids", "start_positions", "end_positions")
MASK = "attention_mask"
OWN_IDS = ("id", "example_id")  # columns that are equal in all windows of a question
LONGEST = 1 << 17  # tokens of a window; what comes after them does not count
FACTORS = torch.from_numpy(np.random.default_rng(0).integers(1, 2**62, LONGEST + 2))


class KnownWindows:
    """The windows that a model is trained on, and the texts of their questions."""

    def __init__(self, data: Any, tokenizer: Any = None) -> None:
        """Read the data once.

        data: a sequence of windows, such as the Trainer's train_dataset: dictionaries with
        `input_ids`, `start_positions`, `end_positions`, and maybe `attention_mask`. Windows with
        the same `id` (or `example_id`) are of one question; without such a column each has its
        own. Texts come from the columns `question`, `context` and `answers`. tokenizer: where
        there are none, it decodes them from the tokens.
        Raises UserError for anything else.
        """
        if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
            raise UserError("the training data is no sequence of windows, so none is known again")
        self.records: list[Record | None] = []
        questions: dict[Any, int] = {}
        windows: Counter[int] = Counter()  # of each question
        known = []
        for number in progress(range(len(data)), label="reading the data", unit="windows"):
            row = data[number]
            if missing := [name for name in NEEDED if name not in row]:
                raise UserError(f"row {number} of the training data has no {', '.join(missing)}")
            key = next((str(row[name]) for name in OWN_IDS if name in row), number)
            index = questions.setdefault(key, len(questions))
            if index == len(self.records):
                self.records.append(_record(row, str(index), tokenizer))
            names = [name for name in (*NEEDED, MASK) if name in row]
            found = hashes({name: torch.as_tensor(row[name])[None] for name in names})
            known.append((found.item(), index, windows[index]))
            windows[index] += 1
        columns = torch.tensor(sorted(known), dtype=torch.int64).reshape(-1, 3)
        self._known, self._index, self._window = columns.T.contiguous()

    def rows(self, batch: Mapping[str, Any], outputs: Any) -> torch.Tensor | None:
        """How each window of a batch did: what `batch_rows` gives; None if it cannot be known.

        batch: what the model was given. outputs: what it gave. A window that is not in the data
        has NaN for its index, and is not recorded. Nothing waits for a GPU.
        """
        is_known = isinstance(outputs, Mapping) and "start_logits" in outputs
        if not is_known or any(batch.get(name) is None for name in NEEDED) or not len(self._known):
            return None
        found = hashes(batch)
        if self._known.device != found.device:
            moved = (each.to(found.device) for each in (self._known, self._index, self._window))
            self._known, self._index, self._window = moved
        place = torch.searchsorted(self._known, found).clamp(max=len(self._known) - 1)
        index = torch.where(self._known[place] == found, self._index[place].float(), torch.nan)
        return batch_rows(batch, outputs, index, self._window[place])

    @property
    def texts(self) -> list[Record]:
        """The questions as records; none if the text of one is not known."""
        known = [record for record in self.records if record is not None]
        return known if len(known) == len(self.records) else []


def hashes(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """A hash of each window's tokens and labels, (windows,) int64; padding does not count."""
    ids = batch["input_ids"]
    mask = batch.get(MASK)
    mask = torch.ones_like(ids) if mask is None or mask.shape != ids.shape else mask.long()
    factors = FACTORS.to(ids.device)
    place = (mask.cumsum(-1) - 1).clamp(0, LONGEST - 1)
    labels = torch.stack([batch[name].reshape(-1) for name in NEEDED[1:]], dim=1)
    of_labels = (labels * factors[LONGEST:]).sum(-1)  # int64 wraps around
    return (mask * (ids + 1) * factors[place]).sum(-1) + of_labels


def _record(row: Mapping[str, Any], number: str, tokenizer: Any) -> Record | None:
    """The question of a window by its columns, else by its tokens; None if it is not known."""
    if all(row.get(name) for name in OF_A_QUESTION):
        return normalised({"id": number, **row}, f"question {number} of the training data")
    return _decoded(row, number, tokenizer) if tokenizer is not None else None


def _decoded(row: Mapping[str, Any], number: str, tokenizer: Any) -> Record | None:
    """The question and the part of the context that a window has, read from its tokens."""
    ids = [int(each) for each in row["input_ids"]]
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    groups = groupby(range(len(ids)), lambda place: ids[place] in special)
    texts = [list(places) for is_special, places in groups if not is_special]
    if len(texts) < 2:
        return None
    question, first, behind = texts[0], texts[1][0], texts[1][-1] + 1
    start, end = (int(row[name]) for name in NEEDED[1:])
    context = tokenizer.decode(ids[first:behind])
    answer = ""
    begin = 0
    if first <= start <= end < behind:  # else this window does not hold the answer
        begin = len(tokenizer.decode(ids[first:start]))
        answer = context[begin : len(tokenizer.decode(ids[first : end + 1]))]
        begin += len(answer) - len(answer.lstrip())
    places = {answer.strip(): begin} if answer.strip() else {}
    return {
        "id": number,
        "question": tokenizer.decode(ids[question[0] : question[-1] + 1]),
        "context": context,
        "answers": {"text": list(places), "answer_start": list(places.values())},
    }
