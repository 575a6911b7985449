"""Files of questions -> records; a run's cfg -> its training questions, unchecked.

It is read without the library `datasets`, which takes a second to load. A record is what SQuAD
calls an example: id, title, context, question, and answers = {"text": [...], "answer_start":
[...]}. `answer_start` counts characters of the context from 0.
"""

import csv
import importlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from huggin.common.errors import BadValue, UserError
from huggin.common.streams import warn
from huggin.common.text import edges, one_line
from huggin.qa.arguments import DataArguments

Record = dict[str, Any]
FIELDS = ("id", "context", "question", "answers")
LONGEST_CONTEXT = 2**31  # characters
HALF_PAIR = re.compile("[\ud800-\udfff]")  # of surrogates
HELP = "see docs/data-and-models.md, Your own questions"
OF_A_QUESTION = ("question", "context", "answers")
TABLES = (".csv", ".tsv")
DELIMITERS = ",;\t"
LONGEST_FIELD = 2**31 - 1  # characters; contexts are longer than the 131,072 of Python's own limit
NEEDED = ("question", "context", "answer")  # columns of a table


def read_records(file: Path) -> Iterator[Record]:
    """The records of a file in any of the layouts of docs/data-and-models.md.

    A line on stderr says how many answers stand in several places of their context.
    """
    content = _parse(file)
    if isinstance(content, list) and (several := sum(map(_has_several_places, content))):
        what = f"{several} of {len(content)} answers stand in several places of their context"
        warn(f"{file}: {what}; the first is taken; a column answer_start says which")
    yield from normalised_all(_records_in(content, file), str(file))


def normalised_all(raw: Iterable[tuple[str, Any]], where: str) -> list[Record]:
    """`normalised` records from pairs of a position, in words, and what stands there."""
    return [normalised(entry, f"{where}: {position}") for position, entry in raw]


def _parse(file: Path) -> Any:
    """The JSON value of a file, the list of those on its lines, or the rows of a table."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file}: not UTF-8 text; save it as UTF-8") from None
    if not text.strip():
        raise UserError(f"{file}: an empty file; {HELP}")
    if file.suffix.lower() in TABLES:
        return _rows_of_table(file, text)
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError(f"{file}: nested too deeply for questions; {HELP}") from None
    except ValueError as error:
        lines = [(at, line) for at, line in enumerate(text.split("\n"), start=1) if line.strip()]
        first = lines[0][1].strip()
        if len(lines) == 1 or not (first.startswith("{") and first.endswith("}")):
            raise UserError(f"{file}: not JSON: {one_line(error)}; {HELP}") from None
    values = []
    for number, line in lines:
        try:
            values.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{file}: line {number} is not JSON: {one_line(error)}") from None
    return values


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
            if not isinstance(entry["paragraphs"], list):
                raise UserError(f"{file}: article {number}: paragraphs must be a list; {HELP}")
            for at, paragraph in enumerate(entry["paragraphs"], start=1):
                position = f"article {number}, paragraph {at}"
                yield from _in_paragraph(paragraph, entry.get("title", ""), position, file)
        elif isinstance(entry, dict) and "qas" in entry:
            yield from _in_paragraph(entry, "", f"paragraph {number}", file)
        else:
            yield place_in(file, number), _with_answers(entry, number)


def place_in(file: str | Path, number: int) -> str:
    """Where a record stands, counted from 1, in words: a table's rows are below its first line."""
    is_row = Path(file).suffix.lower() in TABLES
    return f"row {number} below the first line" if is_row else f"record {number}"


def _rows_of_table(file: Path, text: str) -> list[dict[str, Any]]:
    """The rows of a CSV or TSV file, whose first line names the columns.

    Raises UserError if a column is missing, or a row has more fields than there are columns.
    """
    head = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    usual = csv.field_size_limit(LONGEST_FIELD)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise UserError(f"{file}: line {reader.line_num}: {one_line(error)}") from None
    finally:
        csv.field_size_limit(usual)
    missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        what = f"its first line names no column {', '.join(missing)}"
        raise UserError(f"{file}: {what}; it needs {', '.join(NEEDED)}")
    if wide := [number for number, row in enumerate(rows, start=1) if None in row]:
        what = f"{place_in(file, wide[0])} has more fields than that names"
        raise UserError(f"{file}: {what}; put texts with a {delimiter!r} between quotes")
    return rows


def _with_answers(row: Any, number: int) -> Any:
    """A row with an `answer` -> an object with `answers`; anything else stays as it is.

    An answer without a place gets the first one in its context, -1 if it is not there. number:
    the row's id, if it has none.
    """
    if not isinstance(row, dict) or "answers" in row or not isinstance(row.get("answer"), str):
        return row
    answer = row["answer"]
    start = row.get("answer_start")
    if start in (None, ""):
        start = str(row.get("context")).find(answer)
    answers = {"text": [answer], "answer_start": [start]}
    return {**row, "id": row.get("id") or number, "answers": answers}


def _has_several_places(row: Any) -> bool:
    """Whether a row does not say where its answer stands, and it stands in several places."""
    if not isinstance(row, dict) or "answers" in row or not row.get("answer"):
        return False
    unknown = row.get("answer_start") in (None, "")
    return unknown and str(row.get("context")).count(str(row["answer"])) > 1


def _rows(columns: dict[str, Any], file: Path) -> list[Record]:
    """The older toolkit's layout: one object of columns."""
    lists = {name: column for name, column in columns.items() if isinstance(column, list)}
    lengths = {name: len(column) for name, column in lists.items()}
    if len(set(lengths.values())) > 1:
        advice = "each question needs one entry in each"
        raise UserError(f"{file}: columns of different lengths {lengths}; {advice}")
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


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
        record["answers"] = _normalised_answers(raw["answers"])
    except (KeyError, TypeError, ValueError, OverflowError):
        expected = '{"text": [...], "answer_start": [...]}'
        raise UserError(f"{where}: answers must be {expected}; {HELP}") from None
    return record


def is_text(value: Any) -> bool:
    """Whether a value is text that UTF-8 can hold: JSON can hold half of a surrogate pair."""
    return isinstance(value, str) and (value.isascii() or HALF_PAIR.search(value) is None)


def _normalised_answers(raw: Any) -> dict[str, list[Any]]:
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
        passage = context[start : start + len(text)] if start >= 0 else ""
        if start < 0 and text not in context:
            return f"answer {text!r} does not stand in its context; copy it letter for letter"
        if passage != text:
            place = f"answer_start {start} of its context"
            return f"answer {text!r} is not at {place}, where {passage!r} stands"
    return None


def refuse_no_words(question: str, context: str, name: str = "") -> None:
    """Raise UserError for texts without words. name: what the error begins with."""
    texts = {"question": question, "context": context}
    prefix = f"{name}: " if name else ""
    for which, text in texts.items():
        if not is_text(text):
            raise UserError(f"{prefix}{which}: not UTF-8 text; check its encoding")
    record = {**texts, "answers": {"text": [], "answer_start": []}}
    if problem := wrong_with(record, allow_no_answer=True):
        raise UserError(f"{prefix}{problem}; give a text with words in it")


def _is_blank(text: str) -> bool:
    return edges(text)[0] == len(text)


def training_records(cfg: Mapping[str, Any], by: str | None = None) -> list[Record]:
    """Each training question as a record, in the data's order.

    cfg: as in `RunFacts`. by: a column of the data whose value is added as `own`.
    Raises UserError if the data is not there any more, BadValue if it lacks the column.
    """
    limit = cfg.get("max_train_samples")
    records = []
    for where, raw in islice(_raw_training(cfg), int(limit) if limit else None):
        record = normalised(raw, where)
        if by is not None and by not in raw:
            columns = ", ".join(name for name in raw if name not in OF_A_QUESTION)
            others = f"; it has {columns}" if columns else ""
            raise BadValue("by", by, f"{where} has no such column{others}")
        records.append(record if by is None else {**record, "own": str(raw[by])})
    return records


def _raw_training(cfg: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The training questions as they stand in the data, each with its position in words."""
    data = DataArguments(
        dataset_name=cfg.get("dataset_name"),
        dataset_config_name=cfg.get("dataset_config_name"),
        train_file=cfg.get("train_file"),
    )
    if data.train_file:
        file = Path(data.train_file)
        if not file.is_file():
            raise UserError(f"{file}: no such file any more; go where the run was started from")
        for position, raw in _records_in(_parse(file), file):
            yield f"{file}: {position}", raw
    elif data.dataset_name:
        where = f"{data.dataset_name} (train)"
        for number, raw in enumerate(load_from_hub(data, "train", cfg.get("cache_dir")), start=1):
            yield f"{where}: record {number}", raw
    else:
        raise UserError("the run's facts name no training data")


def load_from_hub(data: DataArguments, split: str, cache_dir: str | None) -> Any:
    """A split of a data set on the Hub, as a `datasets.Dataset`. Raises UserError if it fails."""
    datasets = importlib.import_module("datasets")  # slow, and not needed for files
    options = {"split": split, "cache_dir": cache_dir}
    try:
        return datasets.load_dataset(data.dataset_name, data.dataset_config_name, **options)
    except Exception as error:  # the library raises all kinds: a script, broken files, no network
        problem = one_line(error.__cause__ or error)
        advice = "check dataset_name and the network"
        raise UserError(f"{data.dataset_name} ({split}): {problem}; {advice}") from None
