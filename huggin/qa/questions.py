"""Files of questions, or a data set on the Hub -> records, each checked before anything starts.

A record is what SQuAD calls an example: id, title, context, question, and answers = {"text": [...],
"answer_start": [...]}. `answer_start` counts characters of the context from 0.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value, load_dataset

from huggin.common.errors import UserError
from huggin.common.progress import progress
from huggin.common.text import one_line
from huggin.qa.arguments import DataArguments

Record = dict[str, Any]
FIELDS = ("id", "context", "question", "answers")
TEXT = Value("string")
ANSWERS = {"text": List(TEXT), "answer_start": List(Value("int64"))}
FEATURES = Features(id=TEXT, title=TEXT, context=TEXT, question=TEXT, answers=ANSWERS)
LONGEST_CONTEXT = 2**31  # characters
HALF_PAIR = re.compile("[\ud800-\udfff]")  # of surrogates
HELP = "see docs/data-and-models.md, Your own questions"


def load_questions(data: DataArguments, split: str, cache_dir: str | None = None) -> Dataset:
    """The records of `train` or `validation`, from a file or from the Hub.

    Raises UserError for data that cannot be read, for no records at all, and for wrong records: the
    first one by its position and id, and how many more there are.
    """
    file = data.train_file if split == "train" else data.validation_file
    where = file or f"{data.dataset_name} ({split})"
    if file:
        records = list(read_records(Path(file)))
        loaded = None
    else:
        records, loaded = _from_hub(data, split, cache_dir)
    if not records:
        raise UserError(f"{where}: no questions in it; {HELP}")
    _refuse_wrong(records, where, allow_no_answer=data.version_2_with_negative)
    questions = loaded or _as_dataset(records)
    limit = data.max_train_samples if split == "train" else data.max_eval_samples
    return questions.select(range(min(limit, len(questions)))) if limit else questions


def default_split(data: DataArguments) -> str:
    """`validation` if the data has such questions, else `train`."""
    return "validation" if data.dataset_name or data.validation_file else "train"


def shared_questions(records: Dataset | None, others: Dataset | None) -> set[int]:
    """The indices of the records whose question and context are among those of `others`."""
    if records is None or others is None:
        return set()
    known = set(zip(others["question"][:], others["context"][:], strict=True))
    pairs = zip(records["question"][:], records["context"][:], strict=True)
    return {index for index, pair in enumerate(pairs) if pair in known}


def _from_hub(data: DataArguments, split: str, cache_dir: str | None) -> tuple[list[Record], Any]:
    """The records of a data set, and the data set itself if they are its rows as they are.

    The features of such a data set are kept on disk from one start to the next.
    """
    name = data.dataset_name
    where = f"{name} ({split})"
    try:
        loaded = load_dataset(name, data.dataset_config_name, split=split, cache_dir=cache_dir)
        rows = loaded.to_list()
    except Exception as error:  # the library raises all kinds: a script, broken files, no network
        problem = one_line(error.__cause__ or error)
        raise UserError(f"{where}: {problem}; check dataset_name and the network") from None
    numbered = ((f"record {number}", row) for number, row in enumerate(rows, start=1))
    records = _normalised(numbered, where)
    return records, loaded if records == rows else None


def _as_dataset(records: list[Record]) -> Dataset:
    columns = {name: [record[name] for record in records] for name in FEATURES}
    return Dataset.from_dict(columns, features=FEATURES)


def read_records(file: Path) -> Iterator[Record]:
    """The records of a JSON or JSONL file in any of the layouts of docs/data-and-models.md."""
    yield from _normalised(_records_in(_parse(file), file), str(file))


def _normalised(raw: Iterable[tuple[str, Any]], where: str) -> list[Record]:
    """`normalised` records from pairs of a position, in words, and what stands there."""
    return [normalised(entry, f"{where}: {position}") for position, entry in raw]


def raw_records(file: Path) -> Iterator[tuple[str, Any]]:
    """The records as they stand in a file, with all columns, each with its position in words."""
    yield from _records_in(_parse(file), file)


def _parse(file: Path) -> Any:
    """The JSON value of a file, or the list of those on its lines."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file}: not UTF-8 text; save it as UTF-8") from None
    if not text.strip():
        raise UserError(f"{file}: an empty file; {HELP}")
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
            yield f"record {number}", entry


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
    return isinstance(value, str) and HALF_PAIR.search(value) is None


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


def _refuse_wrong(records: list[Record], where: str, allow_no_answer: bool) -> None:
    bar = progress(records, label="checking questions", unit="questions")
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
    context = record["context"]
    answers = record["answers"]
    if not context.strip():
        return "empty context"
    if not record["question"].strip():
        return "empty question"
    if not answers["text"] and not allow_no_answer:
        return "no answer; set version_2_with_negative to true if it has none"
    for text, start in zip(answers["text"], answers["answer_start"], strict=True):
        if not text.strip():
            return "empty answer"
        found = context[start : start + len(text)] if start >= 0 else ""
        if found != text:
            place = f"answer_start {start} of its context"
            return f"answer {text!r} is not at {place}, where {found!r} stands"
    return None
