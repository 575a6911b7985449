"""Samples of a stack <-> the older toolkit's tables: one per training function, and call_sequence.

A training function's table has a row per line that was seen below it (file, line, function, tally). Where a table of
that name is there already, in whatever shape, its rows stay and the columns that it lacks are added.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

from huggin.common.text import storable
from huggin.database.connection import Table, read_rows, writing
from huggin.tracking.samples import OUTSIDE, Frame, Sample, training_function

LINES = ("file", "line", "function", "tally")
SEQUENCES = ("training_function", "seq_ids", "tally")
Values = TypeVar("Values", bound=tuple[Any, ...])
OTHERS = {
    "model_efficacy",
    "sample_indices",
    "answers",
    "explanations",
    "segments",
    "call_sequence",
    "stack_samples",
}


def record_samples(
    connection: sqlite3.Connection, run: str, seed: int, samples: Sequence[Sample]
) -> None:
    """Count the samples' lines and call sequences, and keep each sample, in their order, all in one transaction."""
    stacks = Counter(samples)
    tallies: dict[str, Counter[Frame]] = {}
    for stack, tally in stacks.items():
        of_table = tallies.setdefault(_table_of(training_function(stack)), Counter())
        for frame in stack:
            of_table[frame] += tally
    with writing(connection):
        ids = {
            table: _count(connection, table, LINES, of_table) for table, of_table in tallies.items()
        }
        sequences = {stack: _sequence(stack, ids) for stack in stacks}
        _count(
            connection,
            "call_sequence",
            SEQUENCES,
            Counter({sequences[stack]: stacks[stack] for stack in stacks}),
        )
        connection.executemany(
            "INSERT INTO stack_samples (run, seed, training_function, seq_ids) VALUES (?, ?, ?, ?)",
            ((storable(run), seed, *sequences[sample]) for sample in samples),
        )


def _sequence(stack: Sample, ids: dict[str, dict[Frame, int]]) -> tuple[str, str]:
    """A stack's table and its lines' ids there, as the older toolkit writes them: [1, 2, 3]."""
    table = _table_of(training_function(stack))
    return table, str([ids[table][frame] for frame in stack])


def _table_of(function: str) -> str:
    """A training function's table: a plain name, and no other table's."""
    usable = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", function) and not function.lower().startswith(
        "sqlite_"
    )
    return function if usable and function.lower() not in OTHERS else OUTSIDE


def _make_table(connection: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> None:
    """Make the table, or add the columns that it lacks; its name was checked by `_table_of`."""
    connection.execute(
        f'CREATE TABLE IF NOT EXISTS "{table}" (id INTEGER PRIMARY KEY, {", ".join(columns)})'
    )
    there = {
        name.lower()
        for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    }
    for column in columns:
        if column not in there:
            connection.execute(f'ALTER TABLE "{table}" ADD COLUMN {column}')


def _count(
    connection: sqlite3.Connection, table: str, columns: tuple[str, ...], tallies: Counter[Values]
) -> dict[Values, int]:
    """Add to the tallies of the rows with these values, made where there are none; their ids.

    `columns`: those of the values, and last the tally's. The older toolkit wrote numbers as text. `rowid` is the id,
    and there in tables without one, too.
    """
    _make_table(connection, table, columns)
    names, places = ", ".join(columns), ", ".join("?" * len(columns))
    select = f'SELECT rowid, {", ".join(columns[:-1])} FROM "{table}" ORDER BY rowid DESC'  # noqa: S608 names only
    insert = f'INSERT INTO "{table}" ({names}) VALUES ({places})'  # noqa: S608 names only, checked by _table_of
    update = f'UPDATE "{table}" SET tally = coalesce(CAST(tally AS INTEGER), 0) + ? WHERE rowid = ?'  # noqa: S608 same
    there = {
        tuple(map(str, values)): row for row, *values in connection.execute(select)
    }  # of two, the older one
    ids = {values: there.get(tuple(map(str, values))) for values in tallies}
    for values, row in ids.items():
        if row is None:
            ids[values] = connection.execute(insert, (*values, tallies[values])).lastrowid
        else:
            connection.execute(update, (tallies[values], row))
    return ids  # type: ignore[return-value] # all are numbers now


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
