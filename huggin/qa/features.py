"""Questions and contexts -> features.

A feature is a question and one window of its context as tokens, `[CLS] question [SEP] window [SEP]`, as in Hugging
Face's question-answering example: windows overlap by `doc_stride`, and where a window does not hold the answer the
answer is [CLS].
"""

import random
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerFast

from huggin.common.errors import UserError
from huggin.common.window import Window
from huggin.qa.arguments import DataArguments


def training_features(
    records: Dataset, tokenizer: PreTrainedTokenizerFast, data: DataArguments
) -> Dataset:
    """Features with `start_positions` and `end_positions`, in tokens, and `record`, the index in `records`, and
    `window`, 0 for the first of a context.

    Raises UserError for a question too long.
    """
    refuse_long_questions(records, tokenizer, data)

    def label(batch: dict[str, list[Any]], indices: list[int]) -> dict[str, list[Any]]:
        encoded = tokenize(batch["question"], batch["context"], tokenizer, data)
        spans = [
            answer_tokens(encoded, window, batch["answers"][record], tokenizer)
            for window, record in enumerate(encoded["overflow_to_sample_mapping"])
        ]
        kept = {name: encoded[name] for name in tokenizer.model_input_names}
        owners = encoded["overflow_to_sample_mapping"]
        kept["record"] = [indices[record] for record in owners]
        kept["window"] = [at - owners.index(record) for at, record in enumerate(owners)]
        return {
            **kept,
            "start_positions": [s for s, _ in spans],
            "end_positions": [e for _, e in spans],
        }

    columns = records.column_names
    return records.map(
        label, batched=True, with_indices=True, remove_columns=columns, desc="training features"
    )


def answers_in_no_window(records: Dataset, features: Dataset) -> int:
    """How many answers no window holds as a whole, so that they are trained as no answer; features: of training."""
    held = {
        record
        for record, end in zip(features["record"][:], features["end_positions"][:])
        if end > 0
    }
    return sum(
        bool(answers["text"]) and record not in held
        for record, answers in enumerate(records["answers"][:])
    )


def evaluation_features(
    records: Dataset, tokenizer: PreTrainedTokenizerFast, data: DataArguments
) -> Dataset:
    """Features as `windows` has them; `record` is the index in `records`."""
    refuse_long_questions(records, tokenizer, data)

    def place(batch: dict[str, list[Any]], indices: list[int]) -> dict[str, list[Any]]:
        placed = windows(batch["question"], batch["context"], tokenizer, data)
        return {**placed, "record": [indices[record] for record in placed["record"]]}

    columns = records.column_names
    return records.map(
        place, batched=True, with_indices=True, remove_columns=columns, desc="evaluation features"
    )


def windows(
    questions: list[str],
    contexts: list[str],
    tokenizer: PreTrainedTokenizerFast,
    data: DataArguments,
) -> dict[str, list[Any]]:
    """The model's inputs, `record` (whose window) and `offset_mapping` (None outside the context), a list each."""
    encoded = tokenize(questions, contexts, tokenizer, data)
    inputs = {name: encoded[name] for name in tokenizer.model_input_names}
    offsets = [
        context_offsets(encoded, window, tokenizer) for window in range(len(encoded["input_ids"]))
    ]
    return {**inputs, "record": encoded["overflow_to_sample_mapping"], "offset_mapping": offsets}


def tokenize(
    questions: list[str],
    contexts: list[str],
    tokenizer: PreTrainedTokenizerFast,
    data: DataArguments,
) -> Any:
    """Windows of at most `max_seq_length` tokens, unpadded, as a BatchEncoding with offsets."""
    questions = [
        question.lstrip() for question in questions
    ]  # its blanks would count as tokens of some tokenizers
    question_first = tokenizer.padding_side == "right"
    return tokenizer(
        questions if question_first else contexts,
        contexts if question_first else questions,
        truncation="only_second" if question_first else "only_first",
        max_length=data.max_seq_length,
        stride=data.doc_stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding=False,
    )


def refuse_long_questions(
    records: Dataset, tokenizer: PreTrainedTokenizerFast, data: DataArguments
) -> None:
    """Raise a UserError that names the first question that leaves no room for new context beside the stride."""
    room = (
        data.max_seq_length - data.doc_stride - tokenizer.num_special_tokens_to_add(pair=True) - 1
    )
    for start in range(0, len(records), 1000):
        batch = records[start : start + 1000]
        lengths = [
            len(ids) for ids in tokenizer(batch["question"], add_special_tokens=False)["input_ids"]
        ]
        if max(lengths) > room:
            row = next(row for row, length in enumerate(lengths) if length > room)
            where = f"record {start + row + 1} (id {batch['id'][row]!r})"
            raise UserError(
                f"{where}: a question of {lengths[row]} tokens; raise max_seq_length or lower doc_stride"
            )


def context_offsets(
    encoded: Any, window: int, tokenizer: PreTrainedTokenizerFast
) -> list[tuple[int, int] | None]:
    """Each token's place in the context, in characters; None for the question's and the special tokens."""
    context = 1 if tokenizer.padding_side == "right" else 0
    parts = encoded.sequence_ids(window)
    return [
        place if part == context else None
        for place, part in zip(encoded["offset_mapping"][window], parts)
    ]


def answer_tokens(
    encoded: Any, window: int, answers: dict[str, list[Any]], tokenizer: PreTrainedTokenizerFast
) -> tuple[int, int]:
    """First and last token of the first answer; [CLS] twice where the window does not hold all of it."""
    ids = encoded["input_ids"][window]
    cls = ids.index(tokenizer.cls_token_id) if tokenizer.cls_token_id in ids else 0
    if not answers["text"]:
        return cls, cls
    text = answers["text"][0]
    first = answers["answer_start"][0] + len(text) - len(text.lstrip())
    last = first + len(text.strip())
    places = [
        (t, place)
        for t, place in enumerate(context_offsets(encoded, window, tokenizer))
        if place is not None
    ]
    if not places or places[0][1][0] > first or places[-1][1][1] < last:
        return cls, cls
    start = max(token for token, place in places if place[0] <= first)
    end = min(token for token, place in places if place[1] >= last)
    return start, end


def track_samples(
    records: Dataset, count: int, seed: int, tokenizer: PreTrainedTokenizerFast, data: DataArguments
) -> list[Window]:
    """The first record and `count - 1` others that `seed` draws, as features."""
    count = min(count, len(records))
    others = random.Random(seed).sample(range(1, len(records)), count - 1)
    return [track_sample(records[index], index, tokenizer, data) for index in (0, *sorted(others))]


def track_sample(
    record: dict[str, Any],
    index: int,
    tokenizer: PreTrainedTokenizerFast,
    data: DataArguments,
    window: int | None = None,
) -> Window:
    """One window of a record: the given one, else the first that holds the answer, else the first."""
    encoded = tokenize([record["question"]], [record["context"]], tokenizer, data)
    spans = [
        answer_tokens(encoded, at, record["answers"], tokenizer)
        for at in range(len(encoded["input_ids"]))
    ]
    if window is None:
        window = next((at for at, span in enumerate(spans) if span[1] > 0), 0)
    names = ("context", "question") if tokenizer.padding_side == "left" else ("question", "context")
    return Window(
        index=index,
        question=record["question"],
        context=record["context"],
        answer=next(iter(record["answers"]["text"]), ""),
        inputs={name: encoded[name][window] for name in tokenizer.model_input_names},
        tokens=tokenizer.convert_ids_to_tokens(encoded["input_ids"][window]),
        parts=["special" if part is None else names[part] for part in encoded.sequence_ids(window)],
        offsets=encoded["offset_mapping"][window],
        gold_start=spans[window][0],
        gold_end=spans[window][1],
    )
