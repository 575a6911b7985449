"""cfg.json (or flags) -> typed arguments; a typo is refused.

The schema is Hugging Face's: a dataclass each for the model, the data and the recording, beside its
own `TrainingArguments`. Every key of all four can stand in cfg.json or be given as `--key value`.
"""

import argparse
import difflib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from torch import accelerator
from transformers import HfArgumentParser, Trainer, TrainingArguments

from huggin.common.errors import UserError
from huggin.common.files import LARGEST_TEXT, refuse_special
from huggin.common.text import one_line
from huggin.qa.arguments import (
    INPUT_PATHS,
    OWN_ARGUMENTS,
    DataArguments,
    ModelArguments,
    RecordingArguments,
    here_or_own,
    read_flags,
)
from huggin.qa.trainer_keys import refused_keys

MOST_WORKERS = 16  # processes that load data, for each processor
LARGEST_SEED = 2**32 - 1  # that NumPy takes

# may be one name or a list of names
LISTS = ("report_to", "optim_target_modules")

# the least value of numbers; None: more than 0
LEAST: dict[int | None, tuple[str, ...]] = {
    None: ("learning_rate", "save_minutes", "logging_steps", "save_steps", "eval_steps"),
    0: (
        "adam_epsilon",
        "dataloader_num_workers",
        "eval_delay",
        "ledger_points",
        "max_grad_norm",
        "neftune_noise_alpha",
        "warmup_steps",
        "weight_decay",
    ),
    1: (
        "dataloader_prefetch_factor",
        "ddp_timeout",
        "eval_accumulation_steps",
        "gradient_accumulation_steps",
        "max_answer_length",
        "max_eval_samples",
        "max_train_samples",
        "n_best_size",
        "per_device_eval_batch_size",
        "per_device_train_batch_size",
        "probe_samples",
        "save_total_limit",
        "torch_empty_cache_steps",
    ),
    2: ("node_points", "probe_points"),
    8: ("max_seq_length",),
}


@dataclass(frozen=True)
class Config:
    """The typed arguments of a run, and the keys as they were given."""

    model: ModelArguments
    data: DataArguments
    recording: RecordingArguments
    training: TrainingArguments
    given: dict[str, Any]

    @property
    def data_name(self) -> str:
        """The data's name in a model-type-state: `squad`, `questions.json`."""
        return self.data.name_of("train")

    @property
    def on_main_process(self) -> bool:
        """Whether this process records and writes; one of those that torchrun starts does."""
        joined = self.training.device is not None  # reading `device` makes the processes meet
        return joined and self.training.process_index == 0


def read_config(
    cfg: Path | None, flags: list[str], kept: Mapping[str, Any] | None = None
) -> Config:
    """Read a JSON of keys, `--key value` flags, or both (flags win).

    kept: the keys as a recording keeps them, instead of a cfg.
    Raises UserError with all problems in one line: unknown keys with the nearest known one, bad
    values, files that are not there, values that exclude each other.
    """
    typed = read_flags(flags)
    given = {**(_read_json(cfg) if cfg else kept or {}), **typed}
    classes = {**OWN_ARGUMENTS, "training": TrainingArguments}
    known = _keys_of(classes.values())
    problems = [_unknown(key, known) for key in given if key not in known]
    parts = dict(zip(classes, _built(given, classes.values(), problems), strict=True))
    config = Config(**parts, given=given)
    if None not in parts.values():
        problems += [*_missing(config), *_do_not_fit(config)]
    if problems:
        raise UserError(_in_one_line(problems, cfg, typed))
    return config


def _in_one_line(problems: list[str], cfg: Path | None, typed: Mapping[str, Any]) -> str:
    """All problems; those of typed flags as flags, the others behind the name of the file."""
    of_flags = [f"--{one}" for one in problems if one.partition(":")[0] in typed]
    others = [one for one in problems if one.partition(":")[0] not in typed]
    of_file = [f"{cfg or 'flags'}: {'; '.join(others)}"] if others else []
    return "; ".join([*of_file, *of_flags])


def arguments_of(given: Mapping[str, Any]) -> tuple[ModelArguments, DataArguments]:
    """The model's and the data's arguments among the keys of a run, as its recording keeps them.

    given: keys of cfg.json and flags, as in `RunFacts.cfg`. Raises UserError for a value that
    cannot be used.
    """
    problems: list[str] = []
    model, data = _built(given, (ModelArguments, DataArguments), problems)
    problems += _of_windows(data) if data else ()
    if problems:
        raise UserError(f"run.json, cfg: {'; '.join(problems)}")
    return model, data


def _keys_of(classes: Iterable[type]) -> set[str]:
    return {key.name for arguments in classes for key in fields(arguments) if key.init}


def _built(given: Mapping[str, Any], classes: Collection[type], problems: list[str]) -> list[Any]:
    """Build dataclasses from the keys that they own; the other keys are left alone.

    What is wrong is appended to `problems`. A dataclass that refuses a value is None.
    """
    parser = HfArgumentParser(classes, allow_abbrev=False, exit_on_error=False, add_help=False)
    known = _keys_of(classes)
    values = _typed_values(parser, {key: given[key] for key in given if key in known}, problems)
    for key, default, why in list(refused_keys(values)):
        problems.append(f"{key}: leave it {json.dumps(default)}; {why}")
        del values[key]
    problems += _out_of_range(values)
    # Without a GPU each process that torchrun starts would train alone, and transformers wants to
    # be told before it uses bf16 on a processor.
    if ("LOCAL_RANK" in os.environ or values.get("bf16")) and not accelerator.is_available():
        values.setdefault("use_cpu", True)
    built = []
    for arguments in classes:
        own = {name: values[name] for name in _keys_of([arguments]) if name in values}
        try:
            built.append(arguments(**own))
        except (ValueError, TypeError, ImportError, OSError, AttributeError, KeyError) as error:
            problems.append(one_line(error))
            built.append(None)
    return built


def _typed_values(
    parser: HfArgumentParser, given: dict[str, Any], problems: list[str]
) -> dict[str, Any]:
    """Each key's value as its type; null leaves the default.

    What cannot be converted is added to `problems`.
    """
    values = {}
    for key, value in given.items():
        try:
            if value not in (None, []) and (key, value) != ("debug", ""):
                values[key] = _typed(parser, key, value)
        except argparse.ArgumentError as error:
            problems.append(f"{key}: {'needs a value' if value is True else error.message}")
    return values


def _typed(parser: HfArgumentParser, key: str, value: Any) -> Any:
    """One value as its key's type, converted by argparse. Raises argparse.ArgumentError."""
    if isinstance(value, list) and key in LISTS:
        return value
    if isinstance(value, list):
        tokens = [f"--{key}", *map(str, value)]
    else:
        tokens = [f"--{key}={json.dumps(value) if isinstance(value, dict) else value}"]
    namespace, rest = parser.parse_known_args(tokens)
    if rest:
        raise argparse.ArgumentError(None, f"one value only, not {value!r}")
    typed = getattr(namespace, key)
    if value is True and isinstance(typed, str):  # a bare --output_dir would be a folder `True`
        raise argparse.ArgumentError(None, "needs a value")
    return typed


def _read_json(cfg: Path) -> dict[str, Any]:
    """The keys of a cfg.json; input files that lie beside it get their full path."""
    cfg = here_or_own(cfg)
    refuse_special(cfg, LARGEST_TEXT)
    try:
        text = cfg.read_text(encoding="utf-8-sig")
        given = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{cfg}: not a JSON of keys: {one_line(error)}") from None
    if not isinstance(given, dict):
        raise UserError(f'{cfg}: must be one JSON object, as in {{"output_dir": "runs/mine"}}')
    for key in INPUT_PATHS:
        beside = cfg.parent / str(given.get(key))
        if given.get(key) and beside.exists():
            given[key] = str(beside.resolve())
    return given


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} given twice")
    return dict(pairs)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number that a run can use")


def _unknown(key: str, known: set[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1)
    return f"{key}: no such key" + (f"; did you mean {nearest[0]}?" if nearest else "")


def _out_of_range(values: dict[str, Any]) -> Iterator[str]:
    """Numbers that no run can use."""
    for least, keys in LEAST.items():
        for key in keys:
            number = values.get(key, 1e9)
            if least is None and not 0 < number < float("inf"):
                yield f"{key}: must be more than 0"
            if least is not None and not number >= least:
                yield f"{key}: must be {least} or more"
    most = MOST_WORKERS * (os.cpu_count() or 1)
    if values.get("dataloader_num_workers", 0) > most:
        yield f"dataloader_num_workers: must be {most} at most, {MOST_WORKERS} for each processor"
    for key in ("seed", "data_seed"):
        if not 0 <= values.get(key, 0) <= LARGEST_SEED:
            yield f"{key}: must be 0 or more, and {LARGEST_SEED} at most"
    for key in ("adam_beta1", "adam_beta2"):
        if not 0 <= values.get(key, 0) < 1:
            yield f"{key}: must be 0 or more, and less than 1"


def _missing(config: Config) -> Iterator[str]:
    """Keys that are needed and not given, files that are named and not there."""
    model = config.model
    data = config.data
    training = config.training
    if not config.given.get("output_dir"):  # the Trainer would make up a name
        yield "output_dir: missing; name the run's folder"
    if not (training.do_train or training.do_eval):
        yield "do_train: set it, or do_eval, to true"
    if not (model.model_name_or_path or model.config_name):
        yield "model_name_or_path: missing; name a model on the Hub or a folder"
    if training.do_train and not (data.dataset_name or data.train_file):
        yield "train_file: missing; name a file of questions, or a dataset_name on the Hub"
    if training.do_eval and not (data.dataset_name or data.validation_file):
        yield "validation_file: missing, and do_eval is true"
    tracks_validation = config.recording.probe_data == "validation"
    if tracks_validation and not (data.dataset_name or data.validation_file):
        yield "validation_file: missing, and probe_data is validation"
    for key in ("train_file", "validation_file"):
        file = getattr(data, key)
        if file and not Path(file).is_file():
            yield f"{key}: no file {file}"


def _do_not_fit(config: Config) -> Iterator[str]:
    """Values that exclude each other, or that need a GPU."""
    data = config.data
    training = config.training
    if training.max_steps < 1 and (training.max_steps != -1 or training.num_train_epochs <= 0):
        yield "num_train_epochs, max_steps: one of them must be more than 0"
    yield from _of_windows(data)
    metric = (training.metric_for_best_model or "f1").removeprefix("eval_")
    choose = "choose exact_match, f1 or loss"
    if metric not in ("exact_match", "f1", "loss"):
        yield f"metric_for_best_model: {metric} is not measured; {choose}"
    if training.save_strategy == "best" and not training.metric_for_best_model:
        yield f"metric_for_best_model: missing, and save_strategy is best; {choose}"
    if training.fp16 and training.device.type == "cpu":
        yield "fp16: needs a GPU; leave it out here"
    yield from _of_optimizer(training)
    for key in _needing_workers(training):
        yield f"{key}: needs dataloader_num_workers of 1 or more"


def _of_windows(data: DataArguments) -> Iterator[str]:
    if not 0 <= data.doc_stride < data.max_seq_length - 3:
        yield f"doc_stride: {data.doc_stride} must be from 0 to less than max_seq_length - 3"


def _of_optimizer(training: TrainingArguments) -> Iterator[str]:
    """Options of an optimizer that takes none; the Trainer would leave them out without a word."""
    optimizer = str(getattr(training.optim, "value", training.optim))
    if training.optim_target_modules and not optimizer.startswith(("galore", "apollo")):
        yield f"optim_target_modules: {optimizer} takes none; leave it out, or choose GaLore"
    if not training.optim_args:
        return
    plain = copy(training)
    plain.optim_args = None
    try:
        chosen, without = map(Trainer.get_optimizer_cls_and_kwargs, (training, plain))
    except ImportError:  # the Trainer says what to install
        return
    except (ValueError, TypeError, AttributeError) as error:
        yield f"optim_args: {one_line(error)}; write name=value,name=value"
        return
    if chosen == without:
        yield f"optim_args: {optimizer} takes none of these; leave it out, or choose another optim"


def _needing_workers(training: TrainingArguments) -> Sequence[str]:
    """The keys given that are for the workers of a data loader, if there are no workers."""
    keys = (
        "dataloader_persistent_workers",
        "dataloader_prefetch_factor",
        "dataloader_multiprocessing_context",
    )
    if training.dataloader_num_workers:
        return ()
    return [key for key in keys if getattr(training, key)]
