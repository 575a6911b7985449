"""Rows with one answer each, as people have them in tables -> objects like SQuAD's.

A row has the columns question, context and answer; id and answer_start if they are known.
"""

import csv
import io
from pathlib import Path
from typing import Any

from huggin.common.errors import UserError
from huggin.common.text import one_line

TABLES = (".csv", ".tsv")
DELIMITERS = ",;\t"
LONGEST_FIELD = 2**31 - 1  # characters; contexts are longer than the 131,072 of Python's own limit
NEEDED = ("question", "context", "answer")


def rows_of_table(file: Path, text: str) -> list[dict[str, Any]]:
    """The rows of a CSV or TSV file, whose first line names the columns.

    Raises UserError if a column is missing, or a row has more fields than there are columns.
    """
    head = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise UserError(f"{file}: line {reader.line_num}: {one_line(error)}") from None
    missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        what = f"its first line names no column {', '.join(missing)}"
        raise UserError(f"{file}: {what}; it needs {', '.join(NEEDED)}")
    if wide := [number for number, row in enumerate(rows, start=1) if None in row]:
        what = f"row {wide[0]} has more fields than the first line names"
        raise UserError(f"{file}: {what}; put texts with a {delimiter!r} between quotes")
    return rows


def with_answers(row: Any, number: int) -> Any:
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


def has_several_places(row: Any) -> bool:
    """Whether a row does not say where its answer stands, and it stands in several places."""
    if not isinstance(row, dict) or "answers" in row or not row.get("answer"):
        return False
    unknown = row.get("answer_start") in (None, "")
    return unknown and str(row.get("context")).count(str(row["answer"])) > 1
