"""Samples of a stack in the older toolkit's tables: one per training function, and call_sequence.

The table of a training function has a row per line of code that ran below it (file, line, function,
tally). If a table of that name is there already, its rows stay, and missing columns are added.
"""

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, TypeVar

from huggin.common.text import storable
from huggin.database.connection import Table, read_rows, writing
from huggin.tracking.watch import OUTSIDE, Frame, Sample, training_function

LINES = ("file", "line", "function", "tally")
SEQUENCES = ("training_function", "seq_ids", "tally")
Values = TypeVar("Values", bound=tuple[Any, ...])

ANSWERS = {"model_efficacy", "sample_indices", "answers"}
EXPLANATIONS = {"explanations", "segments"}
SAMPLES = {"call_sequence", "stack_samples"}
TAKEN = ANSWERS | EXPLANATIONS | SAMPLES  # names that are no training function's table


def record_samples(
    connection: sqlite3.Connection, run: str, seed: int, samples: Sequence[Sample]
) -> None:
    """Count the lines and call sequences of the samples, and keep each sample, in their order.

    All of it is one transaction. `run` says which training it was, `seed` how samples were chosen.
    """
    stacks = {
        stack: (_table_of(training_function(stack)), tally)
        for stack, tally in Counter(samples).items()
    }
    with writing(connection):
        lines: dict[str, Counter[Frame]] = defaultdict(Counter)  # how often each was on a stack
        for stack, (table, tally) in stacks.items():
            for frame in stack:
                lines[table][frame] += tally
        ids = {table: _count(connection, table, LINES, counts) for table, counts in lines.items()}
        sequences = {
            stack: (table, str([ids[table][frame] for frame in stack]))
            for stack, (table, _) in stacks.items()
        }
        tallies = Counter(sequences[sample] for sample in samples)
        _count(connection, "call_sequence", SEQUENCES, tallies)
        connection.executemany(
            "INSERT INTO stack_samples (run, seed, training_function, seq_ids) VALUES (?, ?, ?, ?)",
            ((storable(run), seed, *sequences[sample]) for sample in samples),
        )


def _table_of(function: str) -> str:
    """The table of a training function; OUTSIDE if its name cannot be one, or is taken."""
    plain = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", function)
    name = function.lower()
    return function if plain and not name.startswith("sqlite_") and name not in TAKEN else OUTSIDE


def _count(
    connection: sqlite3.Connection, table: str, columns: tuple[str, ...], tallies: Counter[Values]
) -> dict[Values, int]:
    """Add tallies to the rows with these values; make the rows, table and columns that lack.

    `_table_of` has checked the table's name.
    columns: those of the values, then the tally's. Returns the id of each row. It is SQLite's
    `rowid`, which tables without a column `id` have too.
    """
    all_columns = ", ".join(("id INTEGER PRIMARY KEY", *columns))
    connection.execute(f'CREATE TABLE IF NOT EXISTS "{table}" ({all_columns})')
    info = connection.execute("SELECT lower(name) FROM pragma_table_info(?)", (table,)).fetchall()
    for column in (column for column in columns if (column,) not in info):
        connection.execute(f'ALTER TABLE "{table}" ADD COLUMN {column}')
    same = " AND ".join(f"CAST({column} AS TEXT) = ?" for column in columns[:-1])
    oldest = f'SELECT min(rowid) FROM "{table}" WHERE {same}'  # noqa: S608 checked by _table_of
    tally = "coalesce(CAST(tally AS INTEGER), 0) + ?"  # the older toolkit wrote texts
    condition = f"rowid = ({oldest}) RETURNING rowid"
    add = f'UPDATE "{table}" SET tally = {tally} WHERE {condition}'  # noqa: S608 as above
    names = ", ".join(columns)
    places = ", ".join("?" * len(columns))
    row_of = f"({names}) VALUES ({places}) RETURNING rowid"
    insert = f'INSERT INTO "{table}" {row_of}'  # noqa: S608 as above
    ids = {}
    for values, count in tallies.items():
        row = connection.execute(add, (count, *map(str, values))).fetchone()
        row = row or connection.execute(insert, (*values, count)).fetchone()
        ids[values] = row[0]
    return ids


def search_functions(connection: sqlite3.Connection, part: str) -> dict[str, Table]:
    """For each table, the rows with `part` in the name of their function, in upper or lower case.

    Tables without such rows are left out.
    """
    query = """SELECT name FROM sqlite_master WHERE type = 'table' AND EXISTS
        (SELECT 1 FROM pragma_table_info(sqlite_master.name) AS c WHERE c.name = 'function')
        ORDER BY name"""
    tables = {}
    for (table,) in read_rows(connection, query)[1]:
        quoted = '"' + table.replace('"', '""') + '"'
        rows = f"SELECT * FROM {quoted} WHERE instr(lower(function), lower(?))"  # noqa: S608 quoted
        tables[table] = read_rows(connection, rows, storable(part))
    return {table: hits for table, hits in tables.items() if hits[1]}
