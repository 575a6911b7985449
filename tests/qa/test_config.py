"""cfg.json and flags -> typed arguments, or one line with every problem."""

import json
from pathlib import Path
from typing import get_type_hints

import pytest
from transformers import TrainingArguments

from huggin.common.errors import UserError
from huggin.qa.config import read_config, trainer_defaults
from huggin.qa.given import trainer_keys
from tests.conftest import ROOT

REFUSED = {row["key"]: row["note"] for row in trainer_keys() if row["can be set"] == "no"}


def write(folder: Path, keys: object) -> Path:
    path = folder / "cfg.json"
    path.write_text(keys if isinstance(keys, str) else json.dumps(keys))
    return path


def refusal(folder: Path, keys: object, flags: list[str] | None = None) -> str:
    with pytest.raises(UserError) as refused:
        read_config(write(folder, keys), flags or [])
    return str(refused.value)


def test_json_is_typed(tmp_path, tiny_cfg):
    config = read_config(
        write(tmp_path, tiny_cfg(seed=7, lr_scheduler_kwargs={"a": 1}, warmup_steps=None)), []
    )
    assert (config.training.seed, config.training.lr_scheduler_kwargs) == (7, {"a": 1})
    assert config.data.max_seq_length == 64
    assert config.data_name == "questions.json"


def test_the_data_is_called_after_what_is_read(tmp_path, tiny_cfg):
    """A file is read before a data set on the Hub, which may hold the validation questions."""
    config = read_config(write(tmp_path, tiny_cfg(dataset_name="rajpurkar/squad")), [])
    assert config.data_name == "questions.json"


def test_strings_of_an_older_cfg_are_understood(tmp_path, tiny_cfg):
    keys = tiny_cfg(
        do_train="True", pretrained_model="False", learning_rate="3e-5", num_train_epochs="2"
    )
    config = read_config(write(tmp_path, keys), [])
    assert config.training.do_train is True
    assert config.model.pretrained_model is False
    assert config.training.learning_rate == 3e-5


def test_flags_win_over_the_json(tmp_path, tiny_cfg):
    flags = [
        "--seed=9",
        "--max-seq-length",
        "48",
        "--record",
        "false",
        "--fp16_full_eval",
        "--optim=galore_adamw",
        "--optim_target_modules",
        "a",
        "b",
    ]
    config = read_config(write(tmp_path, tiny_cfg(seed=7)), flags)
    assert (config.training.seed, config.data.max_seq_length, config.recording.record) == (
        9,
        48,
        False,
    )
    assert config.training.fp16_full_eval is True
    assert config.training.optim_target_modules == ["a", "b"]


def test_flags_alone(tiny):
    paths = [
        "--model_name_or_path",
        str(tiny / "model"),
        "--train_file",
        str(tiny / "questions.json"),
    ]
    config = read_config(None, ["--do_train", "--output_dir", "run", *paths])
    assert config.training.do_train is True


def test_inputs_beside_the_json_are_found_from_anywhere(tmp_path, tiny_cfg, monkeypatch, tiny):
    (tmp_path / "mine.json").write_text((tiny / "questions.json").read_text())
    cfg = write(tmp_path, tiny_cfg(train_file="mine.json"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert read_config(cfg, []).data.train_file == str(tmp_path / "mine.json")


def test_every_problem_is_named_at_once(tmp_path, tiny_cfg):
    keys = tiny_cfg(
        max_seq_lenght=3,
        num_train_epochs="three",
        node_layers="some",
        train_file="nope.json",
        seed=[1, 2],
    )
    text = refusal(tmp_path, keys)
    assert "max_seq_lenght: no such key; did you mean max_seq_length?" in text
    assert "num_train_epochs: must be a valid number, not 'three'" in text
    assert "node_layers: must be 'ends' or 'all', not 'some'" in text
    assert "train_file: no file nope.json" in text
    assert "seed: must be a valid integer, not [1, 2]" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"output_dir": None}, "output_dir: missing"),
        ({"do_train": False, "do_eval": False}, "do_train: set it, or do_eval, to true"),
        ({"train_file": None}, "train_file: missing"),
        ({"validation_file": None}, "validation_file: missing"),
        (
            {"validation_file": None, "do_eval": False, "probe_data": "validation"},
            "validation_file: missing, and probe_data is validation",
        ),
        ({"model_name_or_path": None}, "model_name_or_path: missing"),
        ({"doc_stride": 61}, "doc_stride: 61 must be from 0"),
        ({"probe_points": 1}, "probe_points: must be greater than or equal to 2, not 1"),
        ({"per_device_train_batch_size": 0}, "per_device_train_batch_size: must be"),
        ({"do_eval": "perhaps"}, "do_eval: must be a valid boolean, not 'perhaps'"),
        ({"save_only_model": True}, "save_only_model: leave it false"),
        ({"enable_jit_checkpoint": True}, "enable_jit_checkpoint: leave it false"),
        ({"eval_strategy": "epoch", "eval_stepps": 3}, "did you mean eval_steps?"),
        ({"load_best_model_at_end": True, "save_strategy": "epoch"}, "load_best_model_at_end"),
        ({"save_strategy": "best", "eval_strategy": "steps"}, "metric_for_best_model"),
        (
            {"metric_for_best_model": "bleu"},
            "metric_for_best_model: bleu is not measured; choose exact_match, f1 or loss",
        ),
        ({"max_train_samples": 0}, "max_train_samples: must be greater than or equal to 1"),
        ({"max_eval_samples": -1}, "max_eval_samples: must be greater than or equal to 1"),
        ({"max_seq_length": 0}, "max_seq_length: must be greater than or equal to 8"),
        ({"learning_rate": -1}, "learning_rate: must be greater than 0"),
        ({"seed": -1}, "seed: must be greater than or equal to 0"),
        ({"seed": 2**32}, "seed: must be less than or equal to 4294967295"),
        ({"data_seed": 2**32}, "data_seed: must be less than or equal to 4294967295"),
        ({"adam_beta2": 1}, "adam_beta2: must be less than 1"),
        ({"label_smoothing_factor": 0.2}, "label_smoothing_factor: leave it 0.0; the loss of"),
        (
            {"dataloader_persistent_workers": True},
            "dataloader_persistent_workers: needs dataloader_num_workers",
        ),
        ({"dataloader_num_workers": 10**6}, "dataloader_num_workers: must be less"),
        ({"num_train_epochs": 0}, "num_train_epochs, max_steps: one of them must be more than 0"),
        ({"max_steps": 0}, "num_train_epochs, max_steps: one of them must be more than 0"),
        (
            {"prediction_loss_only": True},
            "prediction_loss_only: leave it false; EM and F1 are computed from the logits",
        ),
        ({"resume_from_checkpoint": "x"}, "resume_from_checkpoint: leave it null; a run goes on"),
        ({"fp16": True}, "fp16: needs a GPU"),
        ({"optim_args": "x"}, "optim_args: not enough values to unpack"),
        (
            {"optim_args": "decay_rate=-0.5", "optim": "adafactor"},
            "optim_args: adafactor takes",
        ),
        ({"optim_target_modules": "all-linear"}, "optim_target_modules: adamw_torch_fused takes"),
        ({"neftune_noise_alpha": -5}, "neftune_noise_alpha: must be greater than or equal to 0"),
        ({"save_minutes": 0}, "save_minutes: must be greater than 0"),
    ],
)
def test_refusals_name_the_key(tmp_path, tiny_cfg, changes, said):
    assert said in refusal(tmp_path, tiny_cfg(**changes))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a JSON of keys"),
        ("[]", "must be one JSON object"),
        ('{"seed": NaN}', "NaN is not a number"),
        ('{"seed": 1, "seed": 2}', "seed given twice"),
    ],
)
def test_a_cfg_that_is_no_object_of_keys(tmp_path, text, said):
    assert said in refusal(tmp_path, text)


def test_options_of_an_optimizer_that_takes_some(tmp_path, tiny_cfg):
    keys = tiny_cfg(optim="sgd", optim_args="momentum=0.9")
    assert read_config(write(tmp_path, keys), []).training.optim_args == "momentum=0.9"


def test_a_flag_without_its_value(tmp_path, tiny_cfg):
    assert "seed: needs a value" in refusal(tmp_path, tiny_cfg(), ["--seed"])


def test_a_problem_of_a_flag_names_the_flag(tmp_path, tiny_cfg):
    said = refusal(tmp_path, tiny_cfg(max_seq_length=1), ["--seed=", "--output_dir="])
    of_file, *of_flags = said.split("; --")
    assert of_file.startswith(str(tmp_path))
    assert "max_seq_length: must be greater than or equal to 8" in of_file
    assert [one.partition(":")[0] for one in of_flags] == ["seed", "output_dir"]


def test_a_stray_word_among_flags():
    with pytest.raises(UserError, match="not expected here"):
        read_config(None, ["stray"])


def test_the_table_of_keys_has_those_of_the_installed_transformers():
    """Fails for a key that a new transformers brings: try it, then add it to the table."""
    hints = get_type_hints(TrainingArguments)
    plain = {str(kind | None): kind.__name__ for kind in (int, float, bool, str)}
    plain |= {str(kind): kind.__name__ for kind in (int, float, bool, str)}
    found = {row["key"]: row["type"] for row in trainer_keys()}
    assert found == {key: plain.get(str(hints[key]), "") for key in sorted(trainer_defaults())}


OTHER_VALUES = {
    "debug": "underflow_overflow",
    "dataloader_in_order": False,
    "average_tokens_across_devices": False,
    "eval_do_concat_batches": False,
    "remove_unused_columns": False,
    "label_smoothing_factor": 0.2,
    "include_for_metrics": ["inputs"],
    "label_names": ["labels"],
    "hub_strategy": "end",
    "hub_private_repo": True,
    "deepspeed": {"stage": 2},
    "fsdp_config": {"version": 2},
}


NOT_IN_JSON = {"parallelism_config", "liger_kernel_config"}  # refused as they cannot be converted


@pytest.mark.parametrize("key", sorted(REFUSED.keys() - NOT_IN_JSON))
def test_a_refused_key_is_named_with_a_reason(tmp_path, tiny_cfg, key):
    value = OTHER_VALUES.get(key, True if trainer_defaults()[key] is False else "x")
    text = refusal(tmp_path, tiny_cfg(**{key: value}))
    assert f"{key}: leave it " in text
    assert REFUSED[key] in text
    default = tiny_cfg(**{key: trainer_defaults()[key]})
    read_config(write(tmp_path, default), [])


def test_a_key_can_be_a_list_of_names(tmp_path, tiny_cfg):
    keys = tiny_cfg(report_to=["tensorboard", "wandb"])
    assert read_config(write(tmp_path, keys), []).training.report_to == ["tensorboard", "wandb"]


def test_without_a_file_here_the_toolkits_own_is_taken(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    own = read_config(Path("cfg.json"), [])
    assert own.given["train_file"] == str(ROOT / "sample" / "stories.json")
    assert capsys.readouterr().err == f"cfg.json: not in this folder; taking {ROOT / 'cfg.json'}\n"
    (tmp_path / "cfg.json").write_text('{"seed": 1}')
    with pytest.raises(UserError, match="output_dir: missing"):
        read_config(Path("cfg.json"), [])
    for other in ("nope.json", "elsewhere/cfg.json", "/cfg.json"):
        with pytest.raises(OSError):
            read_config(Path(other), [])
