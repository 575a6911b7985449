"""cfg.json or flags -> the toolkit's own arguments, typed; a typo is refused.

The schema is Hugging Face's: a dataclass each for the model, the data and the recording, beside its
own `TrainingArguments`. Every key of all four can stand in cfg.json or be given as `--key value`.
What there is to know of the Trainer's keys stands in `trainer_keys.tsv`, because importing it takes
seconds; `huggin/qa/config.py` makes TrainingArguments of them.
"""

import csv
import difflib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from huggin.common.errors import UserError
from huggin.common.files import LARGEST_TEXT, refuse_special
from huggin.common.text import one_line, short
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

TRAINER_KEYS = Path(__file__).with_name("trainer_keys.tsv")
LIMITS = {">": "gt", ">=": "ge", "<": "lt", "<=": "le"}  # in that table -> as of pydantic's Field
MOST_WORKERS = 16  # processes that load data, for each processor
LENIENT: Any = {"coerce_numbers_to_str": True, "arbitrary_types_allowed": True}


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
        of_flags = [f"--{text}" for text in problems if text.partition(":")[0] in self.flags]
        others = [text for text in problems if text.partition(":")[0] not in self.flags]
        of_file = [f"{self.source or 'flags'}: {'; '.join(others)}"] if others else []
        if problems:
            raise UserError("; ".join([*of_file, *of_flags]))


def read_given(cfg: Path | None, flags: list[str], kept: Mapping[str, Any] | None = None) -> Keys:
    """Read a JSON of keys, `--key value` flags, or both (flags win).

    kept: the keys as a recording keeps them, instead of a cfg.
    Raises UserError with all problems in one line: unknown keys with the nearest known one, bad
    values, files that are not there.
    """
    of_flags = read_flags(flags)
    raw = {**(_read_json(cfg) if cfg else kept or {}), **of_flags}
    kinds = kinds_of(OWN_ARGUMENTS.values()) | kinds_of_trainer()
    problems = [_unknown(key, kinds.keys()) for key in raw if key not in kinds]
    values = typed(raw, kinds, problems)
    own = {name: _built(kind, values) for name, kind in OWN_ARGUMENTS.items()}
    keys = Keys(**own, given=raw, source=cfg, flags=of_flags)
    keys.refuse([*problems, *_missing(keys), *_of_windows(keys.data)])
    return keys


def arguments_of(cfg: Mapping[str, Any]) -> tuple[ModelArguments, DataArguments]:
    """The model's and the data's arguments among the keys of a run, as its recording keeps them.

    cfg: keys of cfg.json and flags, as in `RunFacts.cfg`. Raises UserError for a value that
    cannot be used.
    """
    problems: list[str] = []
    values = typed(cfg, kinds_of([ModelArguments, DataArguments]), problems)
    model, data = _built(ModelArguments, values), _built(DataArguments, values)
    problems += _of_windows(data)
    if problems:
        raise UserError(f"run.json, cfg: {'; '.join(problems)}")
    return model, data


def kinds_of(classes: Iterable[type]) -> dict[str, Any]:
    """The keys of dataclasses, and the type of each with its limits."""
    return {
        key.name: Annotated[get_type_hints(arguments)[key.name], Field(**key.metadata["limits"])]
        for arguments in classes
        for key in fields(arguments)
    }


def trainer_keys() -> list[dict[str, str]]:
    """The table of the Trainer's keys: key, type, limits, can be set, fixed, note.

    type: of plain values, else "". limits: such as `>= 0 < 1`. fixed: yes for a key that a resumed
    run cannot change.
    """
    with TRAINER_KEYS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def fixed_keys() -> list[str]:
    """The Trainer's keys that a resumed run must share with its beginning."""
    return [row["key"] for row in trainer_keys() if row["fixed"]]


def kinds_of_trainer() -> dict[str, Any]:
    """The Trainer's keys; of plain ones also the type with its limits, else None."""
    plain: dict[str, Any] = {"int": int, "float": float, "bool": bool, "str": str}
    kinds: dict[str, Any] = {}
    for row in trainer_keys():
        kind: Any = plain.get(row["type"])
        words = row["limits"].split()
        limits = {LIMITS[sign]: kind(number) for sign, number in zip(words[::2], words[1::2])}
        kinds[row["key"]] = Annotated[kind, Field(**limits)] if limits else kind
    most = MOST_WORKERS * (os.cpu_count() or 1)
    return kinds | {"dataloader_num_workers": Annotated[int, Field(ge=0, le=most)]}


def typed(raw: Mapping[str, Any], kinds: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """The given keys whose type is known, typed; null leaves the default.

    What is wrong is appended to `problems`.
    """
    values = {}
    for key, value in raw.items():
        kind = kinds.get(key)
        if kind is None or value in (None, []):
            continue
        if value is True and bool not in (kind, *get_args(kind)):
            problems.append(f"{key}: needs a value")
            continue
        try:
            values[key] = TypeAdapter(kind, config=LENIENT).validate_python(value)
        except ValidationError as error:
            wanted = error.errors()[0]["msg"].replace("Input should be", "must be")
            problems.append(f"{key}: {wanted.partition(', ')[0]}, not {short(repr(value))}")
    return values


def _built(arguments: type, values: Mapping[str, Any]) -> Any:
    """A dataclass of the values that are its keys."""
    names = {key.name for key in fields(arguments)}
    return arguments(**{name: values[name] for name in names & values.keys()})


def _read_json(cfg: Path) -> dict[str, Any]:
    """The keys of a cfg.json; input files that lie beside it get their full path."""
    cfg = here_or_own(cfg)
    refuse_special(cfg, LARGEST_TEXT)
    try:
        text = cfg.read_text(encoding="utf-8-sig")
        keys = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{cfg}: not a JSON of keys: {one_line(error)}") from None
    if not isinstance(keys, dict):
        raise UserError(f'{cfg}: must be one JSON object, as in {{"output_dir": "runs/mine"}}')
    for key in INPUT_PATHS:
        path = cfg.parent / str(keys.get(key))
        if keys.get(key) and path.exists():
            keys[key] = str(path.resolve())
    return keys


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


def _missing(keys: Keys) -> Iterator[str]:
    """Keys that are needed and not given, files that are named and not there."""
    model = keys.model
    data = keys.data
    if not keys.given.get("output_dir"):  # the Trainer would make up a name
        yield "output_dir: missing; name the run's folder"
    if not (keys.trains or keys.evaluates):
        yield "do_train: set it, or do_eval, to true"
    if not (model.model_name_or_path or model.config_name):
        yield "model_name_or_path: missing; name a model on the Hub or a folder"
    if keys.trains and not (data.dataset_name or data.train_file):
        yield "train_file: missing; name a file of questions, or a dataset_name on the Hub"
    if keys.evaluates and not (data.dataset_name or data.validation_file):
        yield "validation_file: missing, and do_eval is true"
    tracks_validation = keys.recording.probe_data == "validation"
    if tracks_validation and not (data.dataset_name or data.validation_file):
        yield "validation_file: missing, and probe_data is validation"
    for key in ("train_file", "validation_file"):
        file = getattr(data, key)
        if file and not Path(file).is_file():
            yield f"{key}: no file {file}"


def _of_windows(data: DataArguments) -> Iterator[str]:
    if not 0 <= data.doc_stride < data.max_seq_length - 3:
        yield f"doc_stride: {data.doc_stride} must be from 0 to less than max_seq_length - 3"
