"""One batch is tried before anything is written or deleted, and nothing of it remains."""

import hashlib
import random
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from datasets import Dataset
from torch import nn
from transformers import (
    AutoConfig,
    AutoTokenizer,
    BertForQuestionAnswering,
    Trainer,
    TrainingArguments,
)

from huggin.qa.features import padded
from huggin.training.start import try_a_batch
from tests.conftest import TOKENIZER
from tests.model.test_families import SMALL
from tests.training.test_training import train


def hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def model_of(folder, family, **more):
    """A model that cannot be watched, and trains only on texts of some lengths or separators."""
    AutoConfig.for_model(family, **{**SMALL, **more}).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / name, folder)
    return str(folder)


REFORMER = {
    "attention_head_size": 8,
    "axial_pos_embds": False,
    "attn_layers": ["local", "local"],
    "is_decoder": False,
    "feed_forward_size": 16,
    "lsh_attn_chunk_length": 16,
    "local_attn_chunk_length": 16,
}


@pytest.mark.parametrize(
    ("family", "more", "said"),
    [
        ("reformer", REFORMER, "ReformerForQuestionAnswering: a batch of 2 x "),
        ("longformer", {"attention_window": 8}, "There should be exactly three separator tokens"),
    ],
)
def test_a_first_pass_that_fails_leaves_the_old_run_as_it_was(
    tiny_run, tmp_path, tiny_cfg, family, more, said
):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    before = hashes(run)
    model = model_of(tmp_path / family, family, **more)
    keys = {"model_name_or_path": model, "record": False, "overwrite_output_dir": True}
    done = train(tmp_path, tiny_cfg(**keys))
    assert done.returncode == 2, done.stderr
    (error,) = [line for line in done.stderr.splitlines() if ": error: " in line]
    assert said in error
    assert error.endswith("nothing was changed")
    assert hashes(run) == before


def test_a_dry_run_tries_a_batch(tmp_path, tiny_cfg):
    model = model_of(tmp_path / "reformer", "reformer", **REFORMER)
    keys = {"model_name_or_path": model, "record": False, "dry_run": True}
    done = train(tmp_path, tiny_cfg(**keys))
    assert (done.returncode, "does not pass" in done.stderr) == (2, True)
    assert not (tmp_path / "run").exists()


class Counting(nn.BatchNorm1d):
    """Its means change with each pass, it counts, and it draws."""

    passes = 0

    def forward(self, given, *_args, **_kwargs):
        self.passes += 1
        random.random(), np.random.random()
        return super().forward(given.transpose(1, 2)).transpose(1, 2)


def test_a_batch_that_was_tried_leaves_nothing(tmp_path):
    model = BertForQuestionAnswering(AutoConfig.for_model("bert", **SMALL)).eval()
    model.bert.encoder.layer.append(Counting(16))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    labels = {"start_positions": 1, "end_positions": 2}
    data = Dataset.from_list([{"input_ids": [2, 7, 3, *([9] * more)], **labels} for more in (0, 5)])
    collate = partial(padded, AutoTokenizer.from_pretrained(TOKENIZER))
    trainer = Trainer(
        model, TrainingArguments(str(tmp_path)), train_dataset=data, data_collator=collate
    )
    states = (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist())
    try_a_batch(trainer)
    assert (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()) == states
    assert (model.bert.encoder.layer[-1].passes, model.training) == (0, False)
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert all(tensor.grad is None for tensor in model.parameters())
