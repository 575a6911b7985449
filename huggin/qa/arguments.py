"""The keys of cfg.json that are the toolkit's own, as dataclasses with defaults and help texts."""

import json
from dataclasses import dataclass, field, fields
from typing import Any, Literal

INPUT_PATHS = (
    "model_name_or_path",
    "config_name",
    "tokenizer_name",
    "train_file",
    "validation_file",
)


def _key(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"help": meaning})


@dataclass
class ModelArguments:
    """Which model is trained."""

    model_name_or_path: str | None = _key(None, "a model on the Hub, or a folder")
    pretrained_model: bool = _key(
        True, "start from its trained weights; false: from random ones, by its config"
    )
    config_name: str | None = _key(None, "another model's config")
    tokenizer_name: str | None = _key(None, "another model's tokenizer")
    cache_dir: str | None = _key(None, "where downloads are kept")
    model_revision: str = _key("main", "branch, tag or commit on the Hub")


@dataclass
class DataArguments:
    """Which questions it is trained on, and how they become features."""

    dataset_name: str | None = _key(None, "a data set on the Hub with SQuAD's columns")
    dataset_config_name: str | None = _key(None, "its configuration")
    train_file: str | None = _key(None, "questions to train on: JSON or JSONL")
    validation_file: str | None = _key(None, "questions to evaluate on: JSON or JSONL")
    max_seq_length: int = _key(384, "tokens in a feature: question + window of the context")
    doc_stride: int = _key(128, "tokens that neighbouring windows share")
    max_train_samples: int | None = _key(None, "train on the first N questions only")
    max_eval_samples: int | None = _key(None, "evaluate on the first N questions only")
    version_2_with_negative: bool = _key(False, "some questions have no answer, as in SQuAD 2.0")
    null_score_diff_threshold: float = _key(
        0.0, "no answer where its score leads the best span's by more"
    )
    n_best_size: int = _key(20, "starts and ends that are paired when an answer is sought")
    max_answer_length: int = _key(30, "tokens in an answer at most")


@dataclass
class RecordingArguments:
    """What is kept of the run in its folder."""

    record: bool = _key(True, "record the head, the tracked samples' logits and activations")
    probe_points: int = _key(200, "probes of the tracked samples, spread over the run")
    node_points: int = _key(32, "snapshots of their activations, spread over the run")
    probe_samples: int = _key(1, "how many samples are tracked; the first of the data always is")
    node_layers: Literal["ends", "all"] = _key(
        "ends", "sites: first and last self-attention and last output, or all"
    )
    save_minutes: float = _key(15.0, "a safety checkpoint at the latest so long after the last one")
    overwrite_output_dir: bool = _key(False, "start anew: delete the run that output_dir holds")
    dry_run: bool = _key(False, "check everything, print the plan and the time of a step, and stop")
    notify: str | None = _key(None, "a command to run at the end; see docs/overnight.md")


OWN_ARGUMENTS: dict[str, type] = {
    "model": ModelArguments,
    "data": DataArguments,
    "recording": RecordingArguments,
}


def describe_keys() -> str:
    """The toolkit's own keys, their defaults and meanings, a line each."""
    keys = (key for arguments in OWN_ARGUMENTS.values() for key in fields(arguments))
    return "\n".join(
        f"  {key.name:26} {key.metadata['help']} ({json.dumps(key.default)})" for key in keys
    )
