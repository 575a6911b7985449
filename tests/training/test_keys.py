"""Keys of TrainingArguments that are said to work change what is trained, or what is kept."""

import json
from functools import partial

import pytest

from tests.conftest import train

pytestmark = pytest.mark.slow
SHORT = {"max_steps": 3, "do_eval": False, "probe_points": 2, "save_steps": 3, "logging_steps": 1}
CHANGES = (
    {"accelerator_config": {"use_seedable_sampler": False}},
    {"adam_beta1": 0.5},
    {"adam_beta2": 0.5},
    {"adam_epsilon": 0.1},
    {"bf16": True},
    {"data_seed": 7},
    {"gradient_accumulation_steps": 2},
    {"lr_scheduler_type": "cosine"},
    {"max_grad_norm": 0.01},
    {"neftune_noise_alpha": 5},
    {"optim": "sgd", "optim_args": "momentum=0.9"},
    {"train_sampling_strategy": "sequential"},
    {"warmup_steps": 3},
    {"weight_decay": 10.0},
)


def weights(folder):
    return (folder / "run" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def ends(made_once, tiny_cfg):
    """The trained weights with the defaults, and with an optimizer that takes arguments."""

    def end(name, **changes):
        return weights(made_once(name, partial(train, tiny_cfg(**SHORT, **changes))))

    return {end("short"), end("short-sgd", optim="sgd")}


@pytest.mark.parametrize("changes", CHANGES, ids=json.dumps)
def test_a_key_changes_the_training(tmp_path, tiny_cfg, ends, changes):
    train(tiny_cfg(**SHORT, **changes), tmp_path)
    assert weights(tmp_path) not in ends


def test_tokens_are_counted_if_that_is_asked(tmp_path, tiny_cfg):
    train(tiny_cfg(**SHORT, include_num_input_tokens_seen=True), tmp_path)
    state = json.loads((tmp_path / "run" / "trainer_state.json").read_text())
    assert state["num_input_tokens_seen"] > 0
