"""Samples of a stack <-> the older toolkit's tables: one per training function, and call_sequence.

A training function's table has a row per line that was seen below it (file, line, function, tally). Where a table of
that name is there already, in whatever shape, its rows stay and the columns that it lacks are added.
"""

import re
import sqlite3
from typing import Any

from huggin.database import Table, read_rows, storable, writing
from huggin.stack_samples import OUTSIDE, Sample

LINES = ("file", "line", "function", "tally")
SEQUENCES = ("training_function", "seq_ids", "tally")
OTHERS = {"model_efficacy", "sample_indices", "answers", "explanations", "segments", "call_sequence", "stack_samples"}


def record_sample(connection: sqlite3.Connection, run: str, seed: int, sample: Sample) -> None:
    """Count a sample's lines and its call sequence, and keep when it was, in one transaction."""
    function = _table_of(sample.training_function)
    with writing(connection):
        _make_table(connection, function, LINES)
        _make_table(connection, "call_sequence", SEQUENCES)
        lines = [(storable(frame.file), frame.line, storable(frame.function)) for frame in sample.frames]
        ids = str([_count(connection, function, LINES, line) for line in lines])  # as the older toolkit writes them
        _count(connection, "call_sequence", SEQUENCES, (function, ids))
        connection.execute(
            "INSERT INTO stack_samples (run, seed, seconds, training_function, seq_ids) VALUES (?, ?, ?, ?, ?)",
            (storable(run), seed, sample.seconds, function, ids),
        )


def _table_of(function: str) -> str:
    """A training function's table: a plain name, and no other table's."""
    usable = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", function) and not function.lower().startswith("sqlite_")
    return function if usable and function.lower() not in OTHERS else OUTSIDE


def _make_table(connection: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> None:
    """Make the table, or add the columns that it lacks; its name was checked by `_table_of`."""
    connection.execute(f'CREATE TABLE IF NOT EXISTS "{table}" (id INTEGER PRIMARY KEY, {", ".join(columns)})')
    there = {name.lower() for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
    for column in columns:
        if column not in there:
            connection.execute(f'ALTER TABLE "{table}" ADD COLUMN {column}')


def _count(connection: sqlite3.Connection, table: str, columns: tuple[str, ...], values: tuple[Any, ...]) -> int:
    """Add 1 to the tally of the row with these values, made where there is none; the row's id.

    The older toolkit wrote numbers as text. `rowid` is the id, and there in tables without one, too.
    """
    same = " AND ".join(f"CAST({column} AS TEXT) = CAST(? AS TEXT)" for column in columns[:-1])
    query = f'SELECT min(rowid) FROM "{table}" WHERE {same}'  # noqa: S608 names only, checked by _table_of
    (row,) = connection.execute(query, values).fetchone()
    if row is None:
        names, places = ", ".join(columns), ", ".join("?" * len(columns))
        made = connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({places})', (*values, 1))  # noqa: S608 same
        return int(made.lastrowid or 0)
    tally = "coalesce(CAST(tally AS INTEGER), 0) + 1"
    connection.execute(f'UPDATE "{table}" SET tally = {tally} WHERE rowid = ?', (row,))  # noqa: S608 same
    return int(row)


def search_functions(connection: sqlite3.Connection, part: str) -> dict[str, Table]:
    """Per table, the rows whose function has `part` in its name, upper or lower case."""
    query = """SELECT name FROM sqlite_master WHERE type = 'table' AND EXISTS
        (SELECT 1 FROM pragma_table_info(sqlite_master.name) AS c WHERE c.name = 'function') ORDER BY name"""
    found = {}
    for (table,) in read_rows(connection, query)[1]:
        quoted = '"' + table.replace('"', '""') + '"'
        rows = f"SELECT * FROM {quoted} WHERE instr(lower(function), lower(?))"  # noqa: S608 a table that is there
        found[table] = read_rows(connection, rows, storable(part))
    return {table: hits for table, hits in found.items() if hits[1]}
