"""One batch is tried before anything is written or deleted, and nothing of it remains."""

import hashlib
import shutil

import pytest
import torch
from torch import nn
from transformers import AutoConfig

from huggin.training.trial import unchanged
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


def test_a_batch_that_was_tried_leaves_nothing_in_the_model():
    """BatchNorm's means, a module that counts, a buffer that is replaced, a new attribute."""

    class Counting(nn.BatchNorm1d):
        passes = 0

        def forward(self, given):
            self.passes += 1
            self.seen = given
            self.num_batches_tracked = self.num_batches_tracked + 5
            return super().forward(given)

    model = nn.Sequential(nn.Linear(3, 4), Counting(4)).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    attributes = [set(vars(module)) for module in model.modules()]
    with unchanged(model):
        model.train()
        model(torch.ones(2, 3)).sum().backward()
    assert [set(vars(module)) for module in model.modules()] == attributes
    assert (model[1].passes, model[1].training) == (0, False)
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert all(tensor.grad is None for tensor in model.parameters())
