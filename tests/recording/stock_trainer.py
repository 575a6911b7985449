"""A stock Trainer on some questions: python stock_trainer.py MODEL QUESTIONS FOLDER recorded|not.

torchrun starts it, as many times as it is told.
"""

import sys
from pathlib import Path

import torch
from datasets import Dataset
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForQuestionAnswering,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from huggin.qa.arguments import DataArguments
from huggin.qa.features import training_features
from huggin.qa.records import read_records
from huggin.recording import RecorderCallback, track

WINDOWS = 2  # in a step, of all processes


def main(model: str, questions: str, folder: str, recorded: str) -> None:
    """Train three passes; with dropout, which each process draws for itself."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    records = list(read_records(Path(questions)))
    data = DataArguments(max_seq_length=64, doc_stride=16)
    features = training_features(Dataset.from_list(records), tokenizer, data)
    samples = track(records[:1], tokenizer, 64, doc_stride=16)
    arguments = TrainingArguments(
        output_dir=folder,
        num_train_epochs=3,
        per_device_train_batch_size=WINDOWS,
        learning_rate=1e-3,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        ddp_backend="gloo",
    )
    arguments.per_device_train_batch_size //= arguments.world_size
    torch.manual_seed(0)
    trainer = Trainer(
        BertForQuestionAnswering(BertConfig.from_pretrained(model, hidden_dropout_prob=0.1)),
        arguments,
        train_dataset=features,
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[RecorderCallback(folder, samples, pretrained=False)] * (recorded == "recorded"),
    )
    trainer.train()
    trainer.save_model()


if __name__ == "__main__":
    main(*sys.argv[1:])
