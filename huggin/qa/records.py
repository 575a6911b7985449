"""Files of questions -> records; a run's cfg -> its training questions, unchecked.

It is read without the library `datasets`, which takes a second to load. A record is what SQuAD
calls an example: id, title, context, question, and answers = {"text": [...], "answer_start":
[...]}. `answer_start` counts characters of the context from 0.
"""

import importlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from huggin.common.errors import BadValue, UserError
from huggin.common.streams import warn
from huggin.common.text import edges, one_line
from huggin.qa.arguments import DataArguments
from huggin.qa.rows import TABLES, has_several_places, rows_of_table, with_answers

Record = dict[str, Any]
FIELDS = ("id", "context", "question", "answers")
LONGEST_CONTEXT = 2**31  # characters
HALF_PAIR = re.compile("[\ud800-\udfff]")  # of surrogates
HELP = "see docs/data-and-models.md, Your own questions"
OF_A_QUESTION = ("question", "context", "answers")


def read_records(file: Path) -> Iterator[Record]:
    """The records of a file in any of the layouts of docs/data-and-models.md.

    A line on stderr says how many answers stand in several places of their context.
    """
    content = _parse(file)
    if isinstance(content, list) and (several := sum(map(has_several_places, content))):
        what = f"{several} of {len(content)} answers stand in several places of their context"
        warn(f"{file}: {what}; the first is taken; a column answer_start says which")
    yield from normalised_all(_records_in(content, file), str(file))


def normalised_all(raw: Iterable[tuple[str, Any]], where: str) -> list[Record]:
    """`normalised` records from pairs of a position, in words, and what stands there."""
    return [normalised(entry, f"{where}: {position}") for position, entry in raw]


def raw_records(file: Path) -> Iterator[tuple[str, Any]]:
    """The records as they stand in a file, with all columns, each with its position in words."""
    yield from _records_in(_parse(file), file)


def _parse(file: Path) -> Any:
    """The JSON value of a file, the list of those on its lines, or the rows of a table."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file}: not UTF-8 text; save it as UTF-8") from None
    if not text.strip():
        raise UserError(f"{file}: an empty file; {HELP}")
    if file.suffix.lower() in TABLES:
        return rows_of_table(file, text)
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError(f"{file}: nested too deeply for questions; {HELP}") from None
    except ValueError as error:
        lines = [(at, line) for at, line in enumerate(text.split("\n"), start=1) if line.strip()]
        first = lines[0][1].strip()
        if len(lines) > 1 and first.startswith("{") and first.endswith("}"):
            return [_parse_line(file, number, line) for number, line in lines]
        raise UserError(f"{file}: not JSON: {one_line(error)}; {HELP}") from None


def _parse_line(file: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: line {number} is not JSON: {one_line(error)}") from None


def _records_in(content: Any, file: Path) -> Iterator[tuple[str, Any]]:
    """Each record with its position in words, whichever layout the file has."""
    if isinstance(content, dict) and isinstance(content.get("data"), list):
        content = content["data"]
    if isinstance(content, dict) and isinstance(content.get("question"), list):
        content = _rows(content, file)
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise UserError(f"{file}: neither records nor columns of questions; {HELP}")
    for number, entry in enumerate(content, start=1):
        if isinstance(entry, dict) and "paragraphs" in entry:
            yield from _in_article(entry, f"article {number}", file)
        elif isinstance(entry, dict) and "qas" in entry:
            yield from _in_paragraph(entry, "", f"paragraph {number}", file)
        else:
            yield f"record {number}", with_answers(entry, number)


def _rows(columns: dict[str, Any], file: Path) -> list[Record]:
    """The older toolkit's layout: one object of columns."""
    lists = {name: column for name, column in columns.items() if isinstance(column, list)}
    lengths = {name: len(column) for name, column in lists.items()}
    if len(set(lengths.values())) > 1:
        advice = "each question needs one entry in each"
        raise UserError(f"{file}: columns of different lengths {lengths}; {advice}")
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _in_article(article: Record, position: str, file: Path) -> Iterator[tuple[str, Any]]:
    """SQuAD's own layout: article -> paragraphs -> qas."""
    title = article.get("title", "")
    if not isinstance(article["paragraphs"], list):
        raise UserError(f"{file}: {position}: paragraphs must be a list; {HELP}")
    for number, paragraph in enumerate(article["paragraphs"], start=1):
        yield from _in_paragraph(paragraph, title, f"{position}, paragraph {number}", file)


def _in_paragraph(
    paragraph: Any, title: Any, position: str, file: Path
) -> Iterator[tuple[str, Any]]:
    """A context with its questions. A file can be a list of these (simpletransformers)."""
    try:
        shared = {"title": title, "context": paragraph["context"]}
        for number, question in enumerate(paragraph["qas"], start=1):
            yield f"{position}, question {number}", {**shared, **question}
    except (KeyError, TypeError) as error:
        problem = f"paragraphs need a context and qas each ({one_line(error)})"
        raise UserError(f"{file}: {position}: {problem}") from None


def normalised(raw: Any, where: str) -> Record:
    """A record with its fields as text and its answers as two lists.

    Raises UserError, which begins with `where`, if it is not a record.
    """
    if not isinstance(raw, dict):
        raise UserError(f"{where}: not an object with {', '.join(FIELDS)}")
    where += f" (id {raw['id']!r})" if "id" in raw else ""
    missing = [name for name in FIELDS if raw.get(name) is None]
    if missing:
        raise UserError(f"{where}: no {', '.join(missing)}; every record needs {', '.join(FIELDS)}")
    record = {
        "id": str(raw["id"]),
        "title": str(raw.get("title") or ""),
        "context": raw["context"],
        "question": raw["question"],
    }
    for name, text in record.items():
        if not is_text(text):
            raise UserError(f"{where}: {name} is not text")
    try:
        record["answers"] = _answers(raw["answers"])
    except (KeyError, TypeError, ValueError, OverflowError):
        expected = '{"text": [...], "answer_start": [...]}'
        raise UserError(f"{where}: answers must be {expected}; {HELP}") from None
    return record


def is_text(value: Any) -> bool:
    """Whether a value is text that UTF-8 can hold: JSON can hold half of a surrogate pair."""
    return isinstance(value, str) and (value.isascii() or HALF_PAIR.search(value) is None)


def _answers(raw: Any) -> dict[str, list[Any]]:
    """Two lists from {text: [...], answer_start: [...]}, or one {text, answer_start}, or a list.

    Answers that are all "" stand for none, as Haystack writes an unanswerable question.
    """
    if isinstance(raw, list):
        raw = {name: [answer[name] for answer in raw] for name in ("text", "answer_start")}
    texts = raw["text"] if isinstance(raw["text"], list) else [raw["text"]]
    if texts and not any(text != "" for text in texts):
        return {"text": [], "answer_start": []}
    starts = raw["answer_start"]
    starts = [int(start) for start in (starts if isinstance(starts, list) else [starts])]
    if len(texts) != len(starts) or not all(map(is_text, texts)):
        raise ValueError(raw)
    if any(abs(start) >= LONGEST_CONTEXT for start in starts):
        raise ValueError(raw)
    return {"text": texts, "answer_start": starts}


def wrong_with(record: Record, allow_no_answer: bool) -> str | None:
    """What is wrong with a record, in words, or None."""
    context = record["context"]
    answers = record["answers"]
    if _is_blank(context):
        return "empty context"
    if _is_blank(record["question"]):
        return "empty question"
    if not answers["text"] and not allow_no_answer:
        return "no answer; set version_2_with_negative to true if it has none"
    for text, start in zip(answers["text"], answers["answer_start"], strict=True):
        if _is_blank(text):
            return "empty answer"
        found = context[start : start + len(text)] if start >= 0 else ""
        if start < 0 and text not in context:
            return f"answer {text!r} does not stand in its context"
        if found != text:
            place = f"answer_start {start} of its context"
            return f"answer {text!r} is not at {place}, where {found!r} stands"
    return None


def _is_blank(text: str) -> bool:
    return edges(text)[0] == len(text)


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
    columns = {name: records[name][:] for name in OF_A_QUESTION}
    if by is not None:
        columns["own"] = [str(value) for value in records[by][:]]
    return [dict(zip(columns, values)) for values in zip(*columns.values(), strict=True)]


def _others(columns: Iterable[str]) -> str:
    known = [name for name in columns if name not in OF_A_QUESTION]
    return f"; it has {', '.join(known)}" if known else ""
