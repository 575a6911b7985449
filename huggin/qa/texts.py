"""A run's cfg -> its data: the texts of the training questions, unchecked, and their windows."""

import importlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from huggin.common.errors import BadValue, UserError
from huggin.common.text import one_line
from huggin.qa.arguments import DataArguments
from huggin.qa.records import Record, normalised, raw_records

FIELDS = ("question", "context", "answers")


def training_records(cfg: Mapping[str, Any], by: str | None = None) -> list[Record]:
    """Question, context and answers of each training question, in the data's order.

    cfg: as in `RunFacts`. by: a column of the data whose value is added as `own`.
    Raises UserError if the data is not there any more, BadValue if it lacks the column.
    """
    data = _data_of(cfg)
    limit = cfg.get("max_train_samples")
    if data.train_file:
        records = list(_of_file(Path(data.train_file), by))
    elif data.dataset_name:
        records = _of_hub(data, cfg.get("cache_dir"), by)
    else:
        raise UserError("the run's facts name no training data")
    return records[: int(limit)] if limit else records


def some_training_records(cfg: Mapping[str, Any], places: Collection[int]) -> dict[int, Record]:
    """The training questions at some places of the data, by their place; faster than all of them.

    Raises UserError if the data is not there any more, or has no question at a place.
    """
    data = _data_of(cfg)
    if data.train_file:
        found = _some_of_file(Path(data.train_file), set(places))
    else:
        records = training_records(cfg)
        found = {place: records[place] for place in places if place < len(records)}
    if len(found) < len(places):
        raise UserError(f"{data.train_file or data.dataset_name} has fewer questions than before")
    return found


def _data_of(cfg: Mapping[str, Any]) -> DataArguments:
    return DataArguments(
        dataset_name=cfg.get("dataset_name"),
        dataset_config_name=cfg.get("dataset_config_name"),
        train_file=cfg.get("train_file"),
    )


def _some_of_file(file: Path, places: set[int]) -> dict[int, Record]:
    _refuse_missing(file)
    return {
        place: normalised(raw, f"{file}: {position}")
        for place, (position, raw) in enumerate(raw_records(file))
        if place in places
    }


def _refuse_missing(file: Path) -> None:
    if not file.is_file():
        raise UserError(f"{file}: no such file any more; go where the run was started from")


def _of_file(file: Path, by: str | None) -> Iterable[Record]:
    _refuse_missing(file)
    for position, raw in raw_records(file):
        record = normalised(raw, f"{file}: {position}")
        if by is not None and by not in raw:
            raise BadValue("by", by, f"{file}: {position} has no such column{_others(raw)}")
        yield record if by is None else {**record, "own": str(raw[by])}


def _of_hub(data: DataArguments, cache_dir: str | None, by: str | None) -> list[Record]:
    name = data.dataset_name
    datasets = importlib.import_module("datasets")  # slow, and not needed for files
    try:
        records = datasets.load_dataset(
            name, data.dataset_config_name, split="train", cache_dir=cache_dir
        )
    except Exception as error:  # the library raises all kinds: a script, broken files, no network
        problem = one_line(error.__cause__ or error)
        raise UserError(f"{name}: {problem}; check dataset_name and the network") from None
    if by is not None and by not in records.column_names:
        raise BadValue(
            "by", by, f"{data.dataset_name} has no such column{_others(records.column_names)}"
        )
    columns = {name: records[name][:] for name in FIELDS}
    if by is not None:
        columns["own"] = [str(value) for value in records[by][:]]
    return [dict(zip(columns, values)) for values in zip(*columns.values(), strict=True)]


def _others(columns: Iterable[str]) -> str:
    known = [name for name in columns if name not in FIELDS]
    return f"; it has {', '.join(known)}" if known else ""
