"""Write what was asked, answered and explained into the database, and read it back.

Each change is one transaction: the database holds all of it, or nothing.
"""

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from huggin.common.errors import UserError
from huggin.common.text import storable
from huggin.database.connection import Table, read_rows, writing

ALL_ROWS = {
    "model_efficacy": "SELECT * FROM model_efficacy ORDER BY id",
    "sample_indices": "SELECT * FROM sample_indices ORDER BY id",
    "answers": "SELECT * FROM answers ORDER BY id",
}


@dataclass(frozen=True)
class AnswerRow:
    """One question that was asked, and its answer."""

    index: int  # of the question in the data
    expected: str
    answered: str
    exact_match: bool
    f1: float  # percent
    confidence: float  # 0 to 1


def record_answers(
    connection: sqlite3.Connection, model_type_state: str, rows: Sequence[AnswerRow]
) -> None:
    """Record one run of the efficacy test: its counts, the indices that it asked, its answers."""
    if not rows:
        return
    correct = sum(bool(row.exact_match) for row in rows)
    indices = ",".join(str(row.index) for row in rows)
    with writing(connection):
        efficacy = add_efficacy(connection, model_type_state, correct, len(rows))
        run = add_indices(connection, efficacy, len(rows), indices)
        for row in rows:  # SQLite does not take NumPy's types
            numbers = {"exact_match": int(row.exact_match), "f1": float(row.f1)}
            numbers |= {"seq_index": int(row.index), "confidence": float(row.confidence)}
            texts = {"expected": row.expected, "answered": row.answered}
            _insert(connection, "answers", {"sample_indices_id": run, **numbers, **texts})


def add_efficacy(
    connection: sqlite3.Connection, model_type_state: str, correct: int, asked: int
) -> int:
    """Add to the counts of a model-type-state, and make its row if there is none.

    Call it inside `writing`. Returns the id of the row.
    """
    state = {"state": storable(model_type_state)}
    connection.execute(
        """INSERT INTO model_efficacy (model_type_state, correct_num, sample_num)
        SELECT :state, 0, 0
        WHERE NOT EXISTS (SELECT 1 FROM model_efficacy WHERE model_type_state = :state)""",
        state,
    )
    (row,) = connection.execute(
        "SELECT min(id) FROM model_efficacy WHERE model_type_state = :state", state
    ).fetchone()
    connection.execute(
        """UPDATE model_efficacy SET correct_num = coalesce(correct_num, 0) + :correct,
        sample_num = coalesce(sample_num, 0) + :asked,
        sample_seq = coalesce(nullif(sample_seq, '') || ',', '') || :asked WHERE id = :row""",
        {"correct": correct, "asked": asked, "row": row},
    )
    return int(row)


def add_indices(connection: sqlite3.Connection, efficacy: int, asked: int, seq_ids: str) -> int:
    """Add a run that belongs to the row `efficacy` of model_efficacy.

    Call it inside `writing`. Returns the id of the run. Raises UserError if there is no such row.
    """
    state = connection.execute("SELECT 1 FROM model_efficacy WHERE id = ?", (efficacy,))
    if not state.fetchone():
        raise UserError(f"model_efficacy has no row {efficacy}; see python db_utils.py --list")
    run = {"model_efficacy_id": efficacy, "seq_num": asked, "seq_ids": seq_ids}
    return _insert(connection, "sample_indices", run)


def record_explanation(
    connection: sqlite3.Connection, row: Mapping[str, Any], segments: Sequence[Mapping[str, Any]]
) -> int:
    """Record an explanation of a model's prediction, with the coefficient of each segment.

    `row` and `segments` have the names of the columns as keys. Returns the id of the explanation.
    """
    with writing(connection):
        explanation = _insert(connection, "explanations", row)
        for segment in segments:
            _insert(connection, "segments", {"explanation_id": explanation, **segment})
    return explanation


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    """Add a row from what `row` holds of the table's columns; returns its id.

    Texts become what UTF-8 can hold.
    """
    info = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    columns = [name for (name,) in info if name in row]
    names, places = ", ".join(columns), ", ".join("?" * len(columns))
    insert = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 names of ours
    values = (row[name] for name in columns)
    texts = [storable(value) if isinstance(value, str) else value for value in values]
    return connection.execute(insert, texts).lastrowid or 0


def standing(connection: sqlite3.Connection, model_type_state: str) -> tuple[int, int]:
    """How many answers of a model-type-state were correct and how many were asked, in all calls."""
    query = """SELECT total(correct_num), total(sample_num) FROM model_efficacy
        WHERE model_type_state = ?"""
    _, [(correct, asked)] = read_rows(connection, query, storable(model_type_state))
    return int(correct), int(asked)


def runs_of(connection: sqlite3.Connection, model_type_state: str) -> Table:
    """The rows of sample_indices that belong to a model-type-state."""
    query = """SELECT sample_indices.* FROM sample_indices
        JOIN model_efficacy ON model_efficacy.id = model_efficacy_id
        WHERE model_type_state = ? ORDER BY sample_indices.id"""
    return read_rows(connection, query, storable(model_type_state))


def asked_before(connection: sqlite3.Connection, model_type_state: str) -> set[int]:
    """The indices of all questions that a model-type-state was asked."""
    runs = _indices_by_state(connection).get(storable(model_type_state), [])
    return set().union(*runs)


def expected_before(connection: sqlite3.Connection, model_type_state: str) -> dict[int, str]:
    """The answer that was expected to each question a model-type-state was asked, by its index."""
    query = """SELECT seq_index, CAST(expected AS TEXT) FROM answers
        JOIN sample_indices ON sample_indices.id = sample_indices_id
        JOIN model_efficacy ON model_efficacy.id = model_efficacy_id
        WHERE model_type_state = ? ORDER BY answers.id"""
    return dict(read_rows(connection, query, storable(model_type_state))[1])


def duplicates(connection: sqlite3.Connection) -> dict[str, list[int]]:
    """For each model-type-state, the indices that more than one run asked, in ascending order."""
    repeated = {}
    for state, runs in _indices_by_state(connection).items():
        counts = Counter(index for run in runs for index in run)
        repeated[state] = sorted(index for index, count in counts.items() if count > 1)
    return {state: indices for state, indices in repeated.items() if indices}


def _indices_by_state(connection: sqlite3.Connection) -> dict[str, list[set[int]]]:
    """For each model-type-state, the indices of each of its runs."""
    query = """SELECT model_type_state, CAST(seq_ids AS TEXT) FROM sample_indices
        JOIN model_efficacy ON model_efficacy.id = model_efficacy_id
        WHERE model_type_state IS NOT NULL"""
    runs: dict[str, list[set[int]]] = defaultdict(list)
    for state, seq_ids in read_rows(connection, query)[1]:
        items = (item.strip() for item in (seq_ids or "").split(","))
        # the older toolkit left empty items in it
        runs[state].append({int(item) for item in items if is_number(item)})
    return runs


def rows_of(connection: sqlite3.Connection, table: str) -> Table:
    """Column names and rows of a table of ALL_ROWS."""
    return read_rows(connection, ALL_ROWS[table])


def is_number(text: str) -> bool:
    """Whether a text is a whole number that an INTEGER column holds."""
    return re.fullmatch("[0-9]{1,18}", text) is not None
