"""The database of answers: what was asked and how it was answered <-> rows of SQLite. As a command: rows in and out.

    python db_utils.py --list

Each change is one transaction: whatever happens, the whole of it is in the database, or nothing.
"""

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from huggin.database import (
    Table,
    add_database_option,
    as_text,
    database_path,
    open_database,
    read_rows,
    storable,
    writing,
)
from huggin.door import DoorParser, UserError, open_door

ALL_ROWS = {
    "model_efficacy": "SELECT * FROM model_efficacy ORDER BY id",
    "sample_indices": "SELECT * FROM sample_indices ORDER BY id",
    "answers": "SELECT * FROM answers ORDER BY id",
}


@dataclass(frozen=True)
class AnswerRow:
    """One question that was asked, and its answer."""

    index: int  # the question's, in the data
    expected: str
    answered: str
    exact_match: bool
    f1: float  # percent
    confidence: float


def record_answers(connection: sqlite3.Connection, model_type_state: str, rows: Sequence[AnswerRow]) -> None:
    """Record one run of the efficacy test: add to its model-type-state, and keep its indices and answers."""
    if not rows:
        return
    with writing(connection):
        correct = sum(bool(row.exact_match) for row in rows)
        efficacy = add_efficacy(connection, model_type_state, correct, len(rows))
        run = add_indices(connection, efficacy, len(rows), ",".join(str(row.index) for row in rows))
        connection.executemany(
            """INSERT INTO answers (sample_indices_id, seq_index, expected, answered, exact_match, f1, confidence)
            VALUES (?, ?, ?, ?, ?, ?, ?)""",
            [(run, *_values(row)) for row in rows],
        )


def _values(row: AnswerRow) -> tuple[int, str, str, int, float, float]:
    """A row's values in the types that SQLite takes; NumPy's numbers are none."""
    texts = storable(row.expected), storable(row.answered)
    return int(row.index), *texts, int(row.exact_match), float(row.f1), float(row.confidence)


def add_efficacy(connection: sqlite3.Connection, model_type_state: str, correct: int, asked: int) -> int:
    """Add to a model-type-state's numbers, inside `writing`; returns the id of its row, made where there is none."""
    state = {"state": storable(model_type_state)}
    connection.execute(
        """INSERT INTO model_efficacy (model_type_state, correct_num, sample_num)
        SELECT :state, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM model_efficacy WHERE model_type_state = :state)""",
        state,
    )
    (row,) = connection.execute("SELECT min(id) FROM model_efficacy WHERE model_type_state = :state", state).fetchone()
    connection.execute(
        """UPDATE model_efficacy SET correct_num = coalesce(correct_num, 0) + :correct,
        sample_num = coalesce(sample_num, 0) + :asked,
        sample_seq = coalesce(nullif(sample_seq, '') || ',', '') || :asked WHERE id = :row""",
        {"correct": correct, "asked": asked, "row": row},
    )
    return int(row)


def add_indices(connection: sqlite3.Connection, efficacy: int, asked: int, seq_ids: str) -> int:
    """Add a run to the row `efficacy` of model_efficacy, inside `writing`; returns the run's id."""
    if not connection.execute("SELECT 1 FROM model_efficacy WHERE id = ?", (efficacy,)).fetchone():
        raise UserError(f"model_efficacy has no row {efficacy}; see python db_utils.py --list")
    run = connection.execute(
        "INSERT INTO sample_indices (model_efficacy_id, seq_num, seq_ids) VALUES (?, ?, ?)", (efficacy, asked, seq_ids)
    )
    return int(run.lastrowid or 0)


def record_explanation(connection: sqlite3.Connection, row: dict[str, Any], segments: Sequence[dict[str, Any]]) -> int:
    """Record why a classifier said what it said, and what each segment of the picture adds; returns the row's id."""
    texts = {name: storable(value) for name, value in row.items() if isinstance(value, str)}
    with writing(connection):
        explanation = connection.execute(
            """INSERT INTO explanations (picture, model, target, scale, sampler, samples, seed, segmenter, fill,
            model_prediction, local_prediction, r2, held_out_r2, effective_samples)
            VALUES (:picture, :model, :target, :scale, :sampler, :samples, :seed, :segmenter, :fill,
            :model_prediction, :local_prediction, :r2, :held_out_r2, :effective_samples)""",
            row | texts,
        ).lastrowid
        connection.executemany(
            """INSERT INTO segments (explanation_id, segment, coefficient, standard_error, rank, area)
            VALUES (:explanation, :segment, :coefficient, :standard_error, :rank, :area)""",
            [{"explanation": explanation, **segment} for segment in segments],
        )
    return int(explanation or 0)


def standing(connection: sqlite3.Connection, model_type_state: str) -> tuple[int, int]:
    """How many answers of a model-type-state were right, and how many were asked, over all calls."""
    query = "SELECT total(correct_num), total(sample_num) FROM model_efficacy WHERE model_type_state = ?"
    _, [(correct, asked)] = read_rows(connection, query, storable(model_type_state))
    return int(correct), int(asked)


def runs_of(connection: sqlite3.Connection, model_type_state: str) -> Table:
    """The rows of sample_indices that belong to a model-type-state."""
    query = """SELECT sample_indices.* FROM sample_indices JOIN model_efficacy ON model_efficacy.id = model_efficacy_id
        WHERE model_type_state = ? ORDER BY sample_indices.id"""
    return read_rows(connection, query, storable(model_type_state))


def asked_before(connection: sqlite3.Connection, model_type_state: str) -> set[int]:
    """The indices of all questions that a model-type-state was asked."""
    return set().union(*_indices_by_state(connection).get(storable(model_type_state), []))


def duplicates(connection: sqlite3.Connection) -> dict[str, list[int]]:
    """Per model-type-state, the indices that occur in more than one run of the efficacy test, ascending."""
    found = {}
    for state, runs in _indices_by_state(connection).items():
        counts = Counter(index for run in runs for index in run)
        found[state] = sorted(index for index, count in counts.items() if count > 1)
    return {state: indices for state, indices in found.items() if indices}


def _indices_by_state(connection: sqlite3.Connection) -> dict[str, list[set[int]]]:
    """The indices of each run, per model-type-state."""
    query = """SELECT model_type_state, CAST(seq_ids AS TEXT) FROM sample_indices
        JOIN model_efficacy ON model_efficacy.id = model_efficacy_id WHERE model_type_state IS NOT NULL"""
    runs: dict[str, list[set[int]]] = defaultdict(list)
    for state, seq_ids in read_rows(connection, query)[1]:
        items = [item.strip() for item in (seq_ids or "").split(",")]
        runs[state].append({int(item) for item in items if _is_number(item)})  # older ones have empty items
    return runs


def rows_of(connection: sqlite3.Connection, table: str) -> Table:
    """Column names and rows of a table of ALL_ROWS."""
    return read_rows(connection, ALL_ROWS[table])


def _is_number(text: str) -> bool:
    return re.fullmatch("[0-9]{1,18}", text) is not None  # what an INTEGER column holds


def _number(name: str, text: str) -> int:
    if not _is_number(text):
        raise UserError(f"{name} {text!r}: give a whole number")
    return int(text)


def _addition(words: list[str]) -> Callable[[sqlite3.Connection], int]:
    """What a command line asks to add, checked; it returns the row's id."""
    match words:
        case ["model_efficacy", state, correct_num, sample_num]:
            correct, asked = _number("CORRECT_NUM", correct_num), _number("SAMPLE_NUM", sample_num)
            if not state or correct > asked:
                raise UserError(f"{state!r} {correct} {asked}: give a model-type-state, and no more right than asked")
            return partial(add_efficacy, model_type_state=state, correct=correct, asked=asked)
        case ["sample_indices", efficacy, seq_num, seq_ids]:
            for item in filter(None, seq_ids.replace(" ", "").split(",")):
                _number("SEQ_IDS", item)
            row, asked = _number("MODEL_EFFICACY_ID", efficacy), _number("SEQ_NUM", seq_num)
            return partial(add_indices, efficacy=row, asked=asked, seq_ids=seq_ids)
    raise UserError(f"{' '.join(words)}: no table, or not three values; see db_utils.py --help")


def _both_tables(path: Path) -> str:
    with closing(open_database(path, must_exist=True)) as connection:
        return "\n\n".join(as_text(rows_of(connection, name)) for name in ("model_efficacy", "sample_indices"))


def _add_row(path: Path, words: list[str]) -> int:
    add = _addition(words)
    with closing(open_database(path, must_exist=words[0] != "model_efficacy")) as connection, writing(connection):
        return add(connection)


def main() -> None:
    """Print both tables, or add a row and print its id."""
    parser = DoorParser(
        "Print the tables of the efficacy test, or add to them:\n"
        "  model_efficacy MODEL_TYPE_STATE CORRECT_NUM SAMPLE_NUM    added to the state's row, or a new one\n"
        "  sample_indices MODEL_EFFICACY_ID SEQ_NUM SEQ_IDS          a new row; SEQ_IDS: indices with commas between",
        "python db_utils.py --list",
    )
    parser.add_argument("row", nargs="*", metavar="TABLE VALUE", help="a table and its values; prints the row's id")
    parser.add_argument("--list", action="store_true", help="print model_efficacy and sample_indices")
    add_database_option(parser)
    args = parser.parse_intermixed_args()
    if args.list == bool(args.row):
        raise UserError("give --list, or a table and its values; see db_utils.py --help")
    path = database_path(args.db)
    print(_both_tables(path) if args.list else _add_row(path, args.row))


if __name__ == "__main__":
    open_door(main)
