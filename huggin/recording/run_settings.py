"""What a resumed run must have in common with its beginning."""

import hashlib
import json
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedModel

from huggin.qa.config import Config
from huggin.recording.run_facts import PROBE_DATA, STRATEGY, RunFacts

FIXED = (
    "seed",
    "data_seed",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "optim",
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "max_grad_norm",
    "label_smoothing_factor",
    "bf16",
    "fp16",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    STRATEGY,
    "world_size",
)


# What runs had whose run.json does not say it, because it could not be changed on the way
BEFORE = {STRATEGY: "random", PROBE_DATA: "train"}


def model_name(config: Config) -> str:
    """The model's name on the Hub, or its folder's name."""
    name = _source(config)
    return Path(name).name if Path(name).is_dir() else name


def _source(config: Config) -> str:
    return config.model.model_name_or_path or config.model.config_name or ""


def fixed_settings(
    config: Config, model: PreTrainedModel, features: Dataset, tracked: int
) -> dict[str, Any]:
    """What a resumed run must share with its beginning, so that one recording fits both."""
    fixed = {
        "model_name_or_path": Path(_source(config)).name,
        "model": f"{type(model).__name__} with {model.num_parameters():,} parameters",
        "pretrained_model": config.model.pretrained_model,
        "max_seq_length": config.data.max_seq_length,
        "doc_stride": config.data.doc_stride,
        **{key: getattr(config.training, key) for key in FIXED},
        "n_gpu": max(config.training.n_gpu, 1),  # devices that share a process's batch
        "training data": _fingerprint(features),
        "probe_samples": tracked,
        PROBE_DATA: config.recording.probe_data,
    }
    return json.loads(json.dumps(fixed))  # as it comes back from run.json


def _fingerprint(features: Dataset) -> str:
    """A hash of all training features: questions, contexts, tokenizer and answers in one."""
    digest = hashlib.sha256()
    for batch in features.data.to_batches():
        for name in ("input_ids", "start_positions", "end_positions"):
            column = batch.column(batch.schema.get_field_index(name))
            numbers = column.flatten() if name == "input_ids" else column
            digest.update(numbers.to_numpy(zero_copy_only=False).tobytes())
    return digest.hexdigest()[:16]


def changed_settings(begun: RunFacts, now: RunFacts) -> str:
    """Each setting that has changed since the run began, in words; "" if none has."""
    changed = [
        f"{key} was {value}, is now {now.fixed.get(key)}"
        for key, value in (BEFORE | begun.fixed).items()
        if value != now.fixed.get(key)
    ]
    return f"begun with other settings: {'; '.join(changed)}" if changed else ""
