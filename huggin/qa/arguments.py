"""The keys of cfg.json that are the toolkit's own: names, defaults, help texts, and flags as typed.

    python -m huggin.qa.arguments output_dir cfg.json --output_dir runs/mine

The drivers, which are bash scripts, read keys this way. It imports no heavy library.
"""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from huggin.common.errors import UserError
from huggin.common.files import TOOLKIT
from huggin.common.streams import warn

INPUT_PATHS = (
    "model_name_or_path",
    "config_name",
    "tokenizer_name",
    "train_file",
    "validation_file",
)
PATHS = ("output_dir",)
SWITCHES = ("dry_run",)
TRUE = ("true", "yes", "on", "t", "y", "1")


def _key(default: Any, meaning: str, **limits: Any) -> Any:
    """limits: as of pydantic's Field, such as `ge`, the least value."""
    return field(default=default, metadata={"help": meaning, "limits": limits})


@dataclass
class ModelArguments:
    """Which model is trained."""

    model_name_or_path: str | None = _key(None, "a model on the Hub, or a folder")
    pretrained_model: bool = _key(
        True, "start from the pretrained weights; false: random weights, only the config is used"
    )
    config_name: str | None = _key(None, "the config of another model")
    tokenizer_name: str | None = _key(None, "the tokenizer of another model")
    cache_dir: str | None = _key(None, "where downloads are kept")
    model_revision: str = _key("main", "branch, tag or commit on the Hub")


@dataclass
class DataArguments:
    """Which questions it is trained on, and how they become features."""

    dataset_name: str | None = _key(None, "a data set on the Hub with SQuAD's columns")
    dataset_config_name: str | None = _key(None, "the configuration of that data set")
    train_file: str | None = _key(None, "questions to train on: JSON, JSONL, CSV or TSV")
    validation_file: str | None = _key(None, "questions to evaluate on: JSON, JSONL, CSV or TSV")
    max_seq_length: int = _key(384, "tokens in a window: question and part of the context", ge=8)
    doc_stride: int = _key(128, "tokens that neighbouring windows share")
    max_train_samples: int | None = _key(None, "train on the first N questions only", ge=1)
    max_eval_samples: int | None = _key(None, "evaluate on the first N questions only", ge=1)
    leave_out: int | None = _key(
        None, "index of a question whose loss counts nothing; all else stays the same", ge=0
    )
    version_2_with_negative: bool = _key(False, "some questions have no answer, as in SQuAD 2.0")
    null_score_diff_threshold: float = _key(
        0.0, "predict no answer when [CLS] beats the best span by more than this (SQuAD 2.0)"
    )
    n_best_size: int = _key(
        20, "how many of the best starts and ends are paired to find an answer", ge=1
    )
    max_answer_length: int = _key(30, "most tokens in an answer", ge=1)

    def name_of(self, split: str) -> str:
        """What the data of a split is called: its file's name, else that of the data set."""
        file = self.train_file if split == "train" else self.validation_file
        return Path(file or self.dataset_name or "").name


@dataclass
class RecordingArguments:
    """What is kept of the run in its folder."""

    record: bool = _key(True, "record the head, the tracked samples' logits and activations")
    probe_points: int = _key(200, "probes of the tracked samples, spread over the run", ge=2)
    node_points: int = _key(32, "snapshots of their activations, spread over the run", ge=2)
    ledger_points: int = _key(
        3,
        "where the ledger takes the gradient between two probes, to say which part of the model "
        "changed the loss; 0: no ledger",
        ge=0,
    )
    pointers: bool = _key(
        True, "record how far each question of a batch pushed the tracked ones (huggin teachers)"
    )
    probe_samples: int = _key(
        1, "how many samples are tracked; the first of the data is always one of them", ge=1
    )
    probe_data: Literal["train", "validation"] = _key(
        "train", "the data that the tracked samples are of: train or validation"
    )
    node_layers: Literal["ends", "all"] = _key(
        "ends", "ends: first and last self-attention and last output; all: every layer"
    )
    save_minutes: float = _key(
        15.0, "save a checkpoint at least every N minutes", gt=0, lt=math.inf
    )
    overwrite_output_dir: bool = _key(False, "delete the run that output_dir holds and start again")
    dry_run: bool = _key(False, "check everything, print the plan and the time of a step, and stop")
    notify: str | None = _key(None, "a command to run at the end; see docs/overnight.md")


OWN_ARGUMENTS: dict[str, type] = {
    "model": ModelArguments,
    "data": DataArguments,
    "recording": RecordingArguments,
}


def describe_keys() -> str:
    """The toolkit's own keys, their meanings and defaults, a line each."""
    rows = [
        f"  {key.name:26} {key.metadata['help']} (default: {json.dumps(key.default)})"
        for arguments in OWN_ARGUMENTS.values()
        for key in fields(arguments)
    ]
    return "\n".join(rows)


def read_flags(flags: Sequence[str]) -> dict[str, Any]:
    """`--key value`, `--key=value`, `--key a b`, or a bare `--key` for true.

    Raises UserError for a word before the first flag.
    """
    values: dict[str, list[str]] = {}
    key = None
    for flag in flags:
        if flag.startswith("--"):
            name, equals, value = flag[2:].partition("=")
            key = name.replace("-", "_")
            values[key] = [value] if equals else []
        elif key is None:
            raise UserError(f"{flag}: not expected here; flags are --key value")
        else:
            values[key].append(flag)
    return {key: _value_of(words) for key, words in values.items()}


def _value_of(words: list[str]) -> Any:
    """What the words behind a flag mean: none is true, one is itself, several are a list."""
    if not words:
        return True
    return words[0] if len(words) == 1 else words


def keys_as_given(cfg: Path, flags: Sequence[str]) -> dict[str, Any]:
    """The keys of a cfg and of its flags, which win; unchecked.

    The command that uses the cfg says what is wrong with it; here it is read as far as it can be.
    """
    if cfg.is_dir():
        return {"output_dir": str(cfg)} | read_flags(flags)
    try:
        keys = json.loads(cfg.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        keys = {}
    if not isinstance(keys, dict):
        keys = {}
    return keys | read_flags(flags)


def here_or_own(cfg: Path) -> Path:
    """The file, or the toolkit's own of this name if there is none where the user stands."""
    own = TOOLKIT / cfg.name
    if cfg.exists() or cfg.parent != Path() or not own.is_file():
        return cfg
    warn(f"{cfg}: not in this folder; taking {own}")
    return own


def run_named(path: str | Path) -> Path:
    """The folder of the run that a path means: itself, or the output_dir of a cfg.json.

    Raises UserError for a file that names none.
    """
    file = here_or_own(Path(path))
    if not file.is_file():
        return file
    if folder := as_word("output_dir", keys_as_given(file, []).get("output_dir")):
        return Path(folder)
    raise UserError(f"{path}: not a cfg.json with an output_dir; name that, or the run's folder")


def is_true(value: Any) -> bool:
    """Whether a value, typed or of JSON, means true."""
    return str(value).lower() in TRUE


def as_word(key: str, value: Any) -> str:
    """A value as one word of a command line; "" for one that is not set, or false."""
    if key in PATHS:
        path = str(Path(value).expanduser()) if isinstance(value, str) else ""
        return f"./{path}" if path.startswith("-") else path
    if key in SWITCHES:
        return "true" if is_true(value) else ""
    return value if isinstance(value, str) else ""


if __name__ == "__main__":
    name, file, *words = sys.argv[1:]
    print(as_word(name, keys_as_given(Path(file), words).get(name)))
