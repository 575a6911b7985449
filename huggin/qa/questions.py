"""Files of questions, or a data set on the Hub -> records, each checked before anything starts.

A record is what SQuAD calls an example: id, title, context, question, answers = {"text": [...], "answer_start":
[...]}, with `answer_start` in characters of the context.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value, load_dataset
from tqdm import tqdm

from huggin.common.errors import UserError
from huggin.common.text import one_line
from huggin.qa.arguments import DataArguments

Record = dict[str, Any]
FIELDS = ("id", "context", "question", "answers")
LONGEST_CONTEXT = 2**31  # characters


def load_questions(data: DataArguments, split: str, cache_dir: str | None = None) -> Dataset:
    """The records of `train` or `validation`, from a file or from the Hub.

    Raises UserError for a file that cannot be read, for no records at all, and for wrong records: the first by
    its position and id, and how many more there are.
    """
    file = data.train_file if split == "train" else data.validation_file
    limit = data.max_train_samples if split == "train" else data.max_eval_samples
    where = file or f"{data.dataset_name} ({split})"
    records = _from_file(Path(file)) if file else from_hub(data, split, cache_dir)
    if len(records) == 0:
        raise UserError(f"{where}: no questions in it; see README.md, Your own questions")
    _refuse_wrong(records, where, allow_no_answer=data.version_2_with_negative)
    return records.select(range(min(limit, len(records)))) if limit else records


def default_split(data: DataArguments) -> str:
    """`validation` where the data has such questions, else `train`."""
    return "validation" if data.dataset_name or data.validation_file else "train"


def from_hub(data: DataArguments, split: str, cache_dir: str | None) -> Dataset:
    """The records of a data set on the Hub, unchecked, with all of their columns."""
    try:
        return load_dataset(
            data.dataset_name, data.dataset_config_name, split=split, cache_dir=cache_dir
        )
    except (OSError, ValueError) as error:  # not found, no such split, no network
        raise UserError(
            f"{data.dataset_name}: {one_line(error)}; check dataset_name and the network"
        ) from None


def _from_file(file: Path) -> Dataset:

    text = Value("string")
    answers = {"text": List(text), "answer_start": List(Value("int64"))}
    features = Features(id=text, title=text, context=text, question=text, answers=answers)
    records = list(read_records(file))
    columns = {name: [record[name] for record in records] for name in features}
    return Dataset.from_dict(columns, features=features)


def read_records(file: Path) -> Iterator[Record]:
    """The records of a JSON or JSONL file in any of the layouts that README.md shows."""
    for position, raw in raw_records(file):
        yield normalised(raw, f"{file}: {position}")


def raw_records(file: Path) -> Iterator[tuple[str, Any]]:
    """The records as they stand in a file, with all of their columns, each with its position in words."""
    yield from _records_in(_parse(file), file)


def _parse(file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file}: not UTF-8 text; save it as UTF-8") from None
    if not text.strip():
        raise UserError(f"{file}: an empty file; see README.md, Your own questions")
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError(
            f"{file}: nested too deeply for questions; see README.md, Your own questions"
        ) from None
    except ValueError as error:
        lines = [
            (number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()
        ]
        if (
            len(lines) > 1
            and lines[0][1].lstrip().startswith("{")
            and lines[0][1].rstrip().endswith("}")
        ):
            return [_parse_line(file, number, line) for number, line in lines]
        raise UserError(f"{file}: not JSON: {one_line(error)}") from None


def _parse_line(file: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
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
        raise UserError(
            f"{file}: neither records nor columns of questions; see README.md, Your own questions"
        )
    for number, entry in enumerate(content, start=1):
        if isinstance(entry, dict) and "paragraphs" in entry:
            yield from _nested(entry, f"article {number}", file)
        else:
            yield f"record {number}", entry


def _rows(columns: dict[str, Any], file: Path) -> list[Record]:
    """The older toolkit's layout: one object of columns."""
    lengths = {name: len(column) for name, column in columns.items() if isinstance(column, list)}
    if len(set(lengths.values())) > 1:
        raise UserError(
            f"{file}: columns of different lengths {lengths}; each question needs one entry in each"
        )
    return [
        {name: columns[name][row] for name in lengths} for row in range(len(columns["question"]))
    ]


def _nested(article: Record, position: str, file: Path) -> Iterator[tuple[str, Any]]:
    """SQuAD's own layout: article -> paragraphs -> qas."""
    try:
        for number, paragraph in enumerate(article["paragraphs"], start=1):
            shared = {"title": article.get("title", ""), "context": paragraph["context"]}
            for index, question in enumerate(paragraph["qas"], start=1):
                yield f"{position}, paragraph {number}, question {index}", {**shared, **question}
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{file}: {position}: paragraphs need a context and qas each ({one_line(error)})"
        ) from None


def normalised(raw: Any, where: str) -> Record:
    """A record with its fields as text and its answers as two lists, or a UserError that names it."""
    if not isinstance(raw, dict):
        raise UserError(f"{where}: not an object with {', '.join(FIELDS)}")
    where += f" (id {raw['id']!r})" if "id" in raw else ""
    missing = [name for name in FIELDS if raw.get(name) is None]
    if missing:
        raise UserError(f"{where}: no {', '.join(missing)}; every record needs {', '.join(FIELDS)}")
    for name in ("context", "question"):
        if not isinstance(raw[name], str) or not _is_unicode(raw[name]):
            raise UserError(f"{where}: {name} is not text")
    try:
        answers = _answers(raw["answers"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UserError(
            f'{where}: answers must be {{"text": [...], "answer_start": [...]}}'
        ) from None
    title, context, question = str(raw.get("title") or ""), raw["context"], raw["question"]
    return {
        "id": str(raw["id"]),
        "title": title,
        "context": context,
        "question": question,
        "answers": answers,
    }


def _is_unicode(text: str) -> bool:
    """JSON can hold half of a surrogate pair, which is no character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _answers(raw: Any) -> dict[str, list[Any]]:
    """Two lists from {text: [...], answer_start: [...]}, {text: ..., answer_start: ...} or a list of the latter."""
    if isinstance(raw, list):
        raw = {name: [answer[name] for answer in raw] for name in ("text", "answer_start")}
    texts, starts = (
        raw[name] if isinstance(raw[name], list) else [raw[name]]
        for name in ("text", "answer_start")
    )
    if len(texts) != len(starts) or not all(
        isinstance(text, str) and _is_unicode(text) for text in texts
    ):
        raise ValueError(raw)
    places = [int(start) for start in starts]
    if any(abs(place) >= LONGEST_CONTEXT for place in places):
        raise ValueError(raw)
    return {"text": texts, "answer_start": places}


def _refuse_wrong(records: Dataset, where: str, allow_no_answer: bool) -> None:

    bar = tqdm(records, desc="checking questions", unit=" questions", delay=2, leave=False)
    wrong = [
        f"record {number} (id {record['id']!r}): {problem}"
        for number, record in enumerate(bar, start=1)
        if (problem := wrong_with(record, allow_no_answer))
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more wrong records)" if len(wrong) > 1 else ""
        raise UserError(f"{where}: {wrong[0]}{more}")


def wrong_with(record: Record, allow_no_answer: bool) -> str | None:
    """What is wrong with a record, in words, or None."""
    context, answers = record["context"], record["answers"]
    if not context.strip():
        return "empty context"
    if not record["question"].strip():
        return "empty question"
    if not answers["text"] and not allow_no_answer:
        return "no answer; set version_2_with_negative to true where that is meant"
    for text, start in zip(answers["text"], answers["answer_start"], strict=True):
        if not text.strip():
            return "empty answer"
        stands = context[start : start + len(text)] if start >= 0 else ""
        if stands != text:
            return f"answer {text!r} is not at answer_start {start} of its context, where {stands!r} stands"
    return None
