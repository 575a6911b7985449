"""The database's file: opening it, transactions, rows as text. What is in it: db_utils.py."""

import os
import re
import sqlite3
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from huggin.common.errors import UserError
from huggin.common.text import printable
from huggin.database.schema import connect, migrate, refuse_newer_log

Table = tuple[list[str], list[tuple[Any, ...]]]  # column names, rows


def add_database_option(parser: ArgumentParser) -> None:
    """Give a command the option --db, for `database_path`."""
    parser.add_argument(
        "--db", type=Path, metavar="FILE", help="the database ($HUGGIN_DB, or ./stack_trace.db)"
    )


def database_path(option: Path | None) -> Path:
    """Where the database is: --db, else the environment variable HUGGIN_DB, else ./stack_trace.db."""
    return option or Path(os.environ.get("HUGGIN_DB") or "stack_trace.db")


def open_database(path: Path, must_exist: bool = False) -> sqlite3.Connection:
    """Open, create or migrate the database; use as `with closing(open_database(path)) as connection`.

    An older one is copied to `<name>.bak` first, unless that is there. One that must exist, in a folder that is
    read-only here, can be read. Raises UserError for a newer one, which stays untouched, for what is no database of
    the toolkit, and where there is none and `must_exist`.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: not a file; name a database with --db")
    if must_exist and not path.exists():
        raise UserError(
            f"{path}: no database here; run get-model-output first, or name one with --db"
        )
    refuse_newer_log(path)
    with _advising(path), ExitStack() as on_error:
        connection = on_error.enter_context(
            closing(connect(path, _mode(path) if must_exist else "mode=rwc"))
        )
        migrate(connection, path)
        with suppress(
            sqlite3.OperationalError
        ):  # another process is using the other mode, which is as safe
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        on_error.pop_all()
    return connection


def _mode(path: Path) -> str:
    """SQLite makes a log beside even to read; where it cannot, and nobody else has one, the file is as it stays."""
    frozen = not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()
    return "mode=ro&immutable=1" if frozen else "mode=rwc"


@contextmanager
def _advising(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into advice."""
    try:
        yield
    except sqlite3.Error as error:
        advice = "check that it is a SQLite database, that you may write there, and the space on its disk"
        raise UserError(f"{path}: {error}; {advice}, or name another with --db") from error


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction, which waits its turn: all of it is kept at the end, nothing on an error."""
    with _advising(_file_of(connection)), connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def read_rows(connection: sqlite3.Connection, query: str, *values: Any) -> Table:
    """What a query finds, its values given for the placeholders in their order."""
    with _advising(_file_of(connection)):
        cursor = connection.execute(query, values)
        return [column[0] for column in cursor.description], cursor.fetchall()


def _file_of(connection: sqlite3.Connection) -> Path:
    return Path(connection.execute("PRAGMA database_list").fetchone()[2])


def as_text(table: Table) -> str:
    """A table as the sqlite3 shell prints it: column names, then a line per row, `|` between, nothing for NULL."""
    columns, rows = table
    return "\n".join("|".join(_cell(value) for value in row) for row in (columns, *rows))


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return re.sub("[\n\t]", "\ufffd", printable(text))  # a row stays on its line
