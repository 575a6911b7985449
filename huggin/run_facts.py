"""What must be known of a run to read its recording: configuration and model -> run.json."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggin.bert import head_of
from huggin.config import Config
from huggin.door import UserError
from huggin.legend import legend_rows
from huggin.run_folder import RunFolder

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from datasets import Dataset
    from transformers import PreTrainedModel

PACKAGES = ("torch", "transformers", "datasets", "accelerate", "numpy", "pyarrow")
FIXED = (
    *("seed", "data_seed", "learning_rate", "lr_scheduler_type", "warmup_steps", "optim", "weight_decay"),
    *("adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "label_smoothing_factor", "bf16", "fp16"),
    *("per_device_train_batch_size", "gradient_accumulation_steps", "world_size"),
)


def run_facts(
    config: Config,
    model: "PreTrainedModel",
    features: "Dataset",
    sites: "Sequence[DataclassInstance]",
    samples: "Sequence[DataclassInstance]",
) -> dict[str, Any]:
    """The facts of a run, as JSON: its model, data, hooked sites, tracked samples, versions and cfg."""
    name = _model_name(config)
    return {
        "model_class": type(model).__name__,
        "model_name": Path(name).name if Path(name).is_dir() else name,
        "pretrained": config.model.pretrained_model,
        "data_name": config.data_name,
        "hidden_size": head_of(model).in_features,
        "layers": model.config.num_hidden_layers,
        "sites": [asdict(site) for site in sites],
        "samples": [asdict(sample) for sample in samples],
        "modules": legend_rows(model),
        "seed": config.training.seed,
        "versions": {name: version(name) for name in PACKAGES},
        "fixed": _fixed(config, model, features, len(samples)),
        "cfg": {key: value for key, value in config.given.items() if key != "hub_token"},
    }


def _model_name(config: Config) -> str:
    return config.model.model_name_or_path or config.model.config_name or ""


def _fixed(config: Config, model: "PreTrainedModel", features: "Dataset", tracked: int) -> dict[str, Any]:
    """What a resumed run must have in common with its beginning, for one recording to make sense of both."""
    fixed = {
        "model_name_or_path": Path(_model_name(config)).name,
        "model": f"{type(model).__name__} with {model.num_parameters():,} parameters",
        "pretrained_model": config.model.pretrained_model,
        "max_seq_length": config.data.max_seq_length,
        "doc_stride": config.data.doc_stride,
        **{key: getattr(config.training, key) for key in FIXED},
        "training data": _fingerprint(features),
        "probe_samples": tracked,
    }
    return json.loads(json.dumps(fixed))  # as it comes back from run.json


def _fingerprint(features: "Dataset") -> str:
    """A hash of all training features: questions, contexts, tokenizer and answers in one."""
    digest = hashlib.sha256()
    for batch in features.data.to_batches():
        for name in ("input_ids", "start_positions", "end_positions"):
            column = batch.column(batch.schema.get_field_index(name))
            numbers = column.flatten() if name == "input_ids" else column
            digest.update(numbers.to_numpy(zero_copy_only=False).tobytes())
    return digest.hexdigest()[:16]


def refuse_changed(run: RunFolder, begun: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise a UserError that names each key in which a run to be resumed differs from its beginning."""
    was, is_now = begun.get("fixed", {}), now["fixed"]
    changed = [f"{key} was {was[key]}, is now {is_now[key]}" for key in was if was[key] != is_now.get(key)]
    if changed:
        advice = "undo that, name another output_dir, or set overwrite_output_dir to true"
        raise UserError(f"{run.path}: begun with other settings: {'; '.join(changed)}; {advice}")


def model_type_state(facts: dict[str, Any], step: int) -> str:
    """The name of a model after `step` steps: `BertForQuestionAnswering-NoPretrain-1126-squad`."""
    pretrained = "" if facts["pretrained"] else "NoPretrain-"
    return f"{facts['model_class']}-{pretrained}{step}-{facts['data_name']}"
