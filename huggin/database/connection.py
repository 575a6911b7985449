"""The option --db; open the database file; run transactions; print rows as text.

`db_utils.py` prints the rows; `schema.py` says what the tables are.
"""

import os
import re
import sqlite3
import stat
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from huggin.common.errors import BadValue
from huggin.common.text import one_line, printable
from huggin.database.schema import connect, known_version, migrate, refuse_before_its_log_is_merged

Table = tuple[list[str], list[tuple[Any, ...]]]  # column names, rows

READ_AND_WRITE = "mode=rwc"
AS_IT_IS = "mode=ro&immutable=1"  # SQLite makes no files, and locks nothing
BESIDE = ("-journal", "-wal", "-shm")  # files that SQLite makes; it would wait for a pipe
CHECKED_AS_A_WHOLE = 10_000_000  # bytes; up to here a check takes some tenths of a second
LARGEST = ("answers", "explanations", "segments", "stack_samples")  # tables
NO_ROOM_TO_WRITE = ("SQLITE_IOERR", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_READONLY")


def open_database(path: Path, must_exist: bool = False) -> sqlite3.Connection:
    """Open the database; use as `with closing(open_database(path)) as connection`.

    A file that is not there is created, unless `must_exist`. The tables of an older version are
    migrated, after a copy to `<name>.bak` if there is no such copy yet. With `must_exist`, a
    database that cannot be written (a read-only folder, a full disk) is opened for reading.

    Raises BadValue for a file that is not the toolkit's, that a newer version wrote, or that is
    damaged. Such a file stays as it is.
    """
    _check_place(path, must_exist)
    with _advising(path):
        refuse_before_its_log_is_merged(path)
        log = _log_of(path)
        if must_exist and not os.access(log.parent, os.W_OK) and not log.exists():
            # SQLite cannot make the log that it needs even to read.
            return _opened(path, AS_IT_IS)
        try:
            return _opened(path, READ_AND_WRITE)
        except sqlite3.OperationalError as error:
            is_full = getattr(error, "sqlite_errorname", "").startswith(NO_ROOM_TO_WRITE)
            if not (must_exist and is_full and _log_is_empty(path)):
                raise
            return _opened(path, AS_IT_IS)


def check_database(path: Path) -> None:
    """Raise BadValue for a file that `open_database` would refuse. Nothing is written.

    For commands that work for a while before they have something to keep.
    """
    _check_place(path, must_exist=False)
    with _advising(path):
        if _mode_of(path, path) is not None:
            query = AS_IT_IS if _log_is_empty(path) else "mode=ro"
            with closing(connect(path, query)) as connection:
                known_version(connection, path)
                _refuse_damage(connection, path)
    writable = path if _mode_of(path, path) is not None else Path(os.path.realpath(path)).parent
    if not os.access(writable, os.W_OK):
        raise BadValue("db", path, f"{writable} cannot be written to; name another file")


def _check_place(path: Path, must_exist: bool) -> None:
    """Raise BadValue unless the path is a regular file, or free for a new one."""
    mode = _mode_of(path, path)
    if mode is None and must_exist:
        what = "no database here; run get-model-output first, or name another file"
        raise BadValue("db", path, what)
    for suffix in ("", *BESIDE):
        mode = _mode_of(Path(f"{os.path.realpath(path)}{suffix}"), path)
        if mode is not None and not stat.S_ISREG(mode):
            which = f"the {suffix} beside it is " if suffix else ""
            raise BadValue(
                "db", path, f"{which}not a regular file; remove it, or name another file"
            )


def _mode_of(file: Path, path: Path) -> int | None:
    """A file's mode; None if it is absent. Raises BadValue for `path` if none can be there."""
    try:
        return file.stat().st_mode
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # ValueError: NUL, or half a surrogate
        reason = error.strerror if isinstance(error, OSError) else one_line(error)
        raise BadValue("db", path, f"{reason}; name another file") from None


def _opened(path: Path, query: str) -> sqlite3.Connection:
    """Connect, migrate, and set what each connection needs."""
    with ExitStack() as on_error:
        connection = on_error.enter_context(closing(connect(path, query)))
        _refuse_damage(connection, path)
        migrate(connection, path)
        connection.execute("PRAGMA foreign_keys = ON")
        on_error.pop_all()
    return connection


def _refuse_damage(connection: sqlite3.Connection, path: Path) -> None:
    """Raise BadValue for what SQLite's own check finds; SQLite reads past a page that looks whole.

    Of a large file the tables with many rows are left out.
    """
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    statement = "SELECT * FROM pragma_integrity_check(?)"
    checks: list[tuple[str, tuple[str, ...]]]
    checks = [(statement, (name,)) for (name,) in tables if name not in LARGEST]
    if path.exists() and path.stat().st_size <= CHECKED_AS_A_WHOLE:
        # Stops at the first problem. As a function it fails if TensorFlow was loaded before SQLite.
        checks = [("PRAGMA integrity_check(1)", ())]
    for check, name in checks:
        (problem,) = connection.execute(check, name).fetchone()
        if problem != "ok":
            advice = f"`sqlite3 {path} .recover` prints what can be saved; name another file"
            raise BadValue("db", path, f"damaged: {' '.join(problem.split())}; {advice}")


def _log_is_empty(path: Path) -> bool:
    """Whether all rows are in the file itself, none in SQLite's log beside it."""
    log = _log_of(path)
    return not log.exists() or log.stat().st_size == 0


def _log_of(path: Path) -> Path:
    return Path(f"{os.path.realpath(path)}-wal")


@contextmanager
def _advising(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into advice."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        check = "check that it is an SQLite database, that you may write there"
        advice = f"{check}, and the space on its disk, or name another file"
        raise BadValue("db", path, f"{one_line(error)}; {advice}") from error


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction: on an error nothing of it is kept. It waits while another process writes."""
    with _advising(_file_of(connection)):
        with suppress(sqlite3.OperationalError):  # another process uses the other mode: as safe
            connection.execute("PRAGMA journal_mode = WAL")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            yield


def read_rows(connection: sqlite3.Connection, query: str, *values: Any) -> Table:
    """The columns and rows that a query finds; `values` fill its placeholders, in their order."""
    with _advising(_file_of(connection)):
        cursor = connection.execute(query, values)
        return [column[0] for column in cursor.description], cursor.fetchall()


def _file_of(connection: sqlite3.Connection) -> Path:
    return Path(connection.execute("PRAGMA database_list").fetchone()[2])


def as_text(table: Table) -> str:
    """A table as the sqlite3 shell prints it: column names, then a line per row; NULL is empty."""
    columns, rows = table
    return "\n".join("|".join(map(as_cell, row)) for row in (columns, *rows))


def as_cell(value: Any) -> str:
    """A value on one line, without characters that act on a terminal."""
    text = "" if value is None else str(value)
    return re.sub("[\n\t]", "\N{REPLACEMENT CHARACTER}", printable(text))


def add_database_option(parser: ArgumentParser) -> None:
    """Give a command the option --db; `database_path` reads it."""
    parser.add_argument(
        "--db",
        type=Path,
        metavar="FILE",
        help="the database (default: $HUGGIN_DB if it is set, else stack_trace.db)",
    )


def database_path(option: Path | None) -> Path:
    """The file that --db names, else the environment variable HUGGIN_DB, else stack_trace.db."""
    return option or Path(os.environ.get("HUGGIN_DB") or "stack_trace.db")
