"""cfg.json or flags -> the toolkit's own arguments, typed; a typo is refused.

The schema is Hugging Face's: a dataclass each for the model, the data and the recording, beside its
own `TrainingArguments`. Every key of all four can stand in cfg.json or be given as `--key value`.
Names and types of the Trainer's keys are read from its source, because importing it takes seconds;
`huggin/qa/config.py` makes TrainingArguments of them.
"""

import argparse
import ast
import difflib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

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
    is_true,
    read_flags,
)

FALSE = ("false", "no", "f", "n", "0")
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
class Keys:
    """The toolkit's own arguments of a run, and all keys as they were given."""

    model: ModelArguments
    data: DataArguments
    recording: RecordingArguments
    given: dict[str, Any]
    source: Path | None  # the cfg
    flags: dict[str, Any]  # the keys that were typed

    @property
    def output_dir(self) -> Path:
        """The run's folder."""
        return Path(self.given["output_dir"]).expanduser()

    @property
    def trains(self) -> bool:
        """Whether a training is asked for."""
        return is_true(self.given.get("do_train"))

    @property
    def evaluates(self) -> bool:
        """Whether an evaluation is asked for, at the end or on the way."""
        on_the_way = self.given.get("eval_strategy") not in (None, "no")
        return on_the_way or is_true(self.given.get("do_eval"))

    @property
    def use_cpu(self) -> bool:
        """Whether no GPU is to be used."""
        return is_true(self.given.get("use_cpu"))

    @property
    def data_name(self) -> str:
        """The data's name in a model-type-state: `squad`, `questions.json`."""
        return self.data.name_of("train")

    def refuse(self, problems: list[str]) -> None:
        """Raise UserError with all problems in one line, if there are any.

        Those of typed flags are named as flags, the others behind the name of the file.
        """
        of_flags = [f"--{one}" for one in problems if one.partition(":")[0] in self.flags]
        others = [one for one in problems if one.partition(":")[0] not in self.flags]
        of_file = [f"{self.source or 'flags'}: {'; '.join(others)}"] if others else []
        if problems:
            raise UserError("; ".join([*of_file, *of_flags]))


def read_given(cfg: Path | None, flags: list[str], kept: Mapping[str, Any] | None = None) -> Keys:
    """Read a JSON of keys, `--key value` flags, or both (flags win).

    kept: the keys as a recording keeps them, instead of a cfg.
    Raises UserError with all problems in one line: unknown keys with the nearest known one, bad
    values, files that are not there.
    """
    typed = read_flags(flags)
    given = {**(_read_json(cfg) if cfg else kept or {}), **typed}
    kinds = {**kinds_of(OWN_ARGUMENTS.values()), **kinds_of_trainer()}
    problems = [_unknown(key, kinds.keys()) for key in given if key not in kinds]
    values = _values(given, kinds, problems)
    own = {name: _built(kind, values) for name, kind in OWN_ARGUMENTS.items()}
    found = Keys(**own, given=given, source=cfg, flags=typed)
    found.refuse([*problems, *_missing(found), *_of_windows(found.data)])
    return found


def arguments_of(given: Mapping[str, Any]) -> tuple[ModelArguments, DataArguments]:
    """The model's and the data's arguments among the keys of a run, as its recording keeps them.

    given: keys of cfg.json and flags, as in `RunFacts.cfg`. Raises UserError for a value that
    cannot be used.
    """
    problems: list[str] = []
    values = _values(given, kinds_of([ModelArguments, DataArguments]), problems)
    model, data = _built(ModelArguments, values), _built(DataArguments, values)
    problems += _of_windows(data)
    if problems:
        raise UserError(f"run.json, cfg: {'; '.join(problems)}")
    return model, data


def kinds_of(classes: Iterable[type]) -> dict[str, Any]:
    """The keys of dataclasses, and the type of each; `X | None` counts as X."""
    hints = [hint for arguments in classes for hint in get_type_hints(arguments).items()]
    return {
        name: next((one for one in get_args(kind) if NoneType in get_args(kind)), kind)
        for name, kind in hints
    }


def kinds_of_trainer() -> dict[str, Any]:
    """The keys of the installed transformers; of plain ones also the type, else None."""
    found = find_spec("transformers")
    assert found
    assert found.origin
    source = Path(found.origin).with_name("training_args.py").read_text(encoding="utf-8")
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    body = next(each.body for each in classes if each.name == "TrainingArguments")
    keys = {ast.unparse(each.target): each for each in body if isinstance(each, ast.AnnAssign)}
    plain = {kind.__name__: kind for kind in (int, float, bool, str)}
    return {
        name: plain.get(ast.unparse(key.annotation).removesuffix(" | None"))
        for name, key in keys.items()
        if not name.startswith("_")
    }


def _values(
    given: Mapping[str, Any], kinds: Mapping[str, Any], problems: list[str]
) -> dict[str, Any]:
    """The given keys whose type is known, typed. What is wrong is appended to `problems`."""
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False, add_help=False)
    known = {key: value for key, value in given.items() if kinds.get(key)}
    for key in known:
        parser.add_argument(f"--{key}", **_as_argparse_has_it(kinds[key]))
    values = typed_values(parser, known, problems)
    problems += _out_of_range(values)
    return values


def _as_argparse_has_it(kind: Any) -> dict[str, Any]:
    if kind is bool:
        return {"type": _boolean, "nargs": "?", "const": True}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    return {"type": kind}


def _boolean(text: str) -> bool:
    if not is_true(text) and text.lower() not in FALSE:
        raise argparse.ArgumentTypeError(f"{text}: give true or false")
    return is_true(text)


def _built(arguments: type, values: Mapping[str, Any]) -> Any:
    """A dataclass of the values that are its keys."""
    names = {key.name for key in fields(arguments)}
    return arguments(**{name: values[name] for name in names & values.keys()})


def typed_values(
    parser: argparse.ArgumentParser, given: dict[str, Any], problems: list[str]
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


def _typed(parser: argparse.ArgumentParser, key: str, value: Any) -> Any:
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


def _unknown(key: str, known: Iterable[str]) -> str:
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


def _missing(given: Keys) -> Iterator[str]:
    """Keys that are needed and not given, files that are named and not there."""
    model = given.model
    data = given.data
    if not given.given.get("output_dir"):  # the Trainer would make up a name
        yield "output_dir: missing; name the run's folder"
    if not (given.trains or given.evaluates):
        yield "do_train: set it, or do_eval, to true"
    if not (model.model_name_or_path or model.config_name):
        yield "model_name_or_path: missing; name a model on the Hub or a folder"
    if given.trains and not (data.dataset_name or data.train_file):
        yield "train_file: missing; name a file of questions, or a dataset_name on the Hub"
    if given.evaluates and not (data.dataset_name or data.validation_file):
        yield "validation_file: missing, and do_eval is true"
    tracks_validation = given.recording.probe_data == "validation"
    if tracks_validation and not (data.dataset_name or data.validation_file):
        yield "validation_file: missing, and probe_data is validation"
    for key in ("train_file", "validation_file"):
        file = getattr(data, key)
        if file and not Path(file).is_file():
            yield f"{key}: no file {file}"


def _of_windows(data: DataArguments) -> Iterator[str]:
    if not 0 <= data.doc_stride < data.max_seq_length - 3:
        yield f"doc_stride: {data.doc_stride} must be from 0 to less than max_seq_length - 3"
