"""Fine-tuning by transformers 4: seconds of some training steps.

Arguments: WAY FOLDER QUESTIONS BATCH COUNT. WAY is `example`, the steps of transformers' example
run_qa.py as its README starts it (windows padded to 384 tokens), or `plain`, a loop of PyTorch
that pads to the longest window of a batch. FOLDER holds a config and a tokenizer, QUESTIONS a JSON
list of records. COUNT: how many batches stand for all of an epoch. A request is {"batches": n}; it
trains on the next n of them.
"""

import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
os.environ["USE_TF"] = "0"  # transformers 4 cannot use the Keras that is installed beside it

import torch  # noqa: E402
from by_steps import BySteps, typical_batches  # noqa: E402
from datasets import Dataset, disable_progress_bars  # noqa: E402
from measure import serve  # noqa: E402
from torch.utils.data import DataLoader, Sampler  # noqa: E402
from transformers import (  # noqa: E402
    AutoConfig,
    AutoModelForQuestionAnswering,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    default_data_collator,
    get_linear_schedule_with_warmup,
)

LONGEST = 384  # tokens, as in the README of the example, like the numbers below
STRIDE = 128
RATE = 3e-5
MANY = 14_754  # steps: 2 epochs of SQuAD in batches of 12


class Cycle(Sampler[int]):
    """The indices of some batches again and again."""

    def __init__(self, batches: Sequence[Sequence[int]]) -> None:
        self._indices = [index for batch in batches for index in batch]

    def __len__(self) -> int:
        return MANY * len(self._indices)

    def __iter__(self) -> Iterator[int]:
        for _ in range(MANY):
            yield from self._indices


def main() -> None:
    """Answer requests with the seconds, and how many windows were trained on."""
    way, folder, questions, size, count = sys.argv[1:]
    disable_progress_bars()
    torch.manual_seed(42)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForQuestionAnswering.from_config(AutoConfig.from_pretrained(folder))
    records = Dataset.from_list(json.loads(Path(questions).read_text(encoding="utf-8")))
    label = partial(labelled, tokenizer, way == "example")
    features = records.map(
        label, batched=True, remove_columns=records.column_names, new_fingerprint=way
    )
    lengths = [len(tokens) for tokens in features["input_ids"]]
    order = random.Random(42).sample(range(len(lengths)), len(lengths))
    batches = typical_batches(lengths, order, int(size), int(count))
    start = start_example if way == "example" else start_loop
    steps = BySteps()
    start(steps, model, tokenizer, features, int(size), Cycle(batches))
    serve(lambda batches: {"seconds": steps.go(batches), "windows": batches * int(size)})


def labelled(tokenizer: Any, pad: bool, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The windows of some questions; their labels are the tokens of the answer, or [CLS]."""
    encoded = tokenizer(
        [question.lstrip() for question in batch["question"]],
        batch["context"],
        truncation="only_second",
        max_length=LONGEST,
        stride=STRIDE,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding="max_length" if pad else False,
    )
    columns = {name: encoded[name] for name in ("input_ids", "token_type_ids", "attention_mask")}
    spans = []
    for row, record in enumerate(encoded["overflow_to_sample_mapping"]):
        answers = batch["answers"][record]
        first = answers["answer_start"][0]
        last = first + len(answers["text"][0])
        places = zip(encoded.sequence_ids(row), encoded["offset_mapping"][row], strict=True)
        inside = [
            token
            for token, (part, (begin, end)) in enumerate(places)
            if part == 1 and begin < last and end > first
        ]
        spans.append((inside[0], inside[-1]) if inside else (0, 0))
    columns["start_positions"] = [start for start, _ in spans]
    columns["end_positions"] = [end for _, end in spans]
    return columns


def start_example(
    steps: BySteps, model: Any, tokenizer: Any, features: Dataset, size: int, sampler: Cycle
) -> None:
    """Train by Hugging Face's Trainer, as the example does."""

    class Gate(TrainerCallback):
        """Waits before each step."""

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            steps.step_begins()

    class OnTypicalBatches(Trainer):
        """Trains on the batches of the sampler."""

        def _get_train_sampler(self, *_: Any, **__: Any) -> Cycle:
            return sampler

    settings = TrainingArguments(
        output_dir="run",
        per_device_train_batch_size=size,
        learning_rate=RATE,
        max_steps=MANY,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        use_cpu=not torch.cuda.is_available(),
    )
    trainer = OnTypicalBatches(
        model=model,
        args=settings,
        train_dataset=features,
        processing_class=tokenizer,
        data_collator=default_data_collator,
        callbacks=[Gate()],
    )
    steps.start(trainer.train)


def start_loop(
    steps: BySteps, model: Any, tokenizer: Any, features: Dataset, size: int, sampler: Cycle
) -> None:
    """Train by a loop of PyTorch, each batch padded to its longest window."""
    loader = DataLoader(
        features, size, sampler=sampler, collate_fn=DataCollatorWithPadding(tokenizer)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, MANY)

    def train() -> None:
        model.train()
        for batch in loader:
            steps.step_begins()
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()

    steps.start(train)


if __name__ == "__main__":
    main()
