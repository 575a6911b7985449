"""The tables of the database, and migrations: any older version -> the newest, every row kept.

A change of the tables is one more file in `migrations/`, numbered by the version that it leads to.
Released ones stay as they are.
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from huggin.common.errors import BadValue
from huggin.common.files import replacing

MIGRATIONS = Path(__file__).with_name("migrations")
NEWEST = 4  # version
BUSY_SECONDS = 30  # how long one process waits for another's transaction
OLDER_TOOLKIT = ("model_efficacy", "sample_indices")  # its tables of answers
RECOGNISED_BY = {  # tables of the older toolkit, and columns that they had in all its versions
    "model_efficacy": {"model_type_state", "correct_num", "sample_num"},
    "sample_indices": {"model_efficacy_id", "seq_num", "seq_ids"},
    "call_sequence": {"training_function", "seq_ids"},
}


def connect(path: Path, query: str = "mode=rwc") -> sqlite3.Connection:
    """Connect in autocommit mode. Bytes of a text that are not UTF-8 are read as U+FFFD."""
    uri = f"{path.absolute().as_uri()}?{query}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    return connection


def refuse_before_its_log_is_merged(path: Path) -> None:
    """Raise BadValue for a file that is not ours while SQLite's log lies beside it.

    A killed program leaves such a log. `migrate` would refuse the file too, but closing a
    connection that may write merges the log into the file.
    """
    if Path(f"{os.path.realpath(path)}-wal").exists():
        with suppress(sqlite3.Error), closing(connect(path, "mode=ro")) as connection:
            known_version(connection, path)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the tables to the newest version, in one transaction; foreign keys must be off.

    The file is copied to `<name>.bak` first. Raises BadValue for a file of a newer version or of
    another program, before anything is written.
    """
    if known_version(connection, path) == NEWEST:
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        version = known_version(connection, path)  # another process may have migrated it by now
        if version < NEWEST and _tables(connection):
            _back_up(path)
        for number in range(version + 1, NEWEST + 1):
            change(connection, number)
        connection.execute(f"PRAGMA user_version = {NEWEST}")


def change(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables from the version before to this one."""
    older = _set_aside(connection) if version == 1 else set()
    _execute(connection, f"{version}.sql")
    for table in older:
        _take_over(connection, table)
    if version == 1:
        _execute(connection, "1-missing-states.sql")
        _one_row_per_state(connection)


def _execute(connection: sqlite3.Connection, name: str) -> None:
    """Execute the statements of a file, in the transaction that is open."""
    for statement in (MIGRATIONS / name).read_text(encoding="utf-8").split(";"):
        connection.execute(statement)


def known_version(connection: sqlite3.Connection, path: Path) -> int:
    """The file's version; 0: new, or the older toolkit's. Raises BadValue if it is not ours."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= NEWEST:
        problem = f"schema version {version}, this program knows versions up to {NEWEST}"
        raise BadValue("db", path, f"{problem}; update the toolkit, or name another file")
    tables = _tables(connection)
    known = tables & RECOGNISED_BY.keys()
    is_ours = not tables  # or tables that show that the older toolkit made them
    if version:
        is_ours = tables >= set(OLDER_TOOLKIT)
    elif known:
        is_ours = all(_columns(connection, table).keys() >= RECOGNISED_BY[table] for table in known)
    if not is_ours:
        raise BadValue("db", path, "a database of another program; name another file")
    return int(version)


def _tables(connection: sqlite3.Connection) -> set[str]:
    """The names of all tables and views, in lower case."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    return {name.lower() for (name,) in names}


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """The names of a table's columns, by the name in lower case."""
    names = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    return {name.lower(): name for (name,) in names}


def _back_up(path: Path) -> None:
    """Copy the database, with the rows in its log, to `<name>.bak`, unless that is there."""
    backup = path.with_name(f"{path.name}.bak")
    if backup.exists():
        return
    with (
        replacing(backup) as temporary,
        closing(connect(path, "mode=ro")) as source,
        closing(connect(temporary)) as copy,
    ):
        source.backup(copy)


def _set_aside(connection: sqlite3.Connection) -> set[str]:
    """Rename the older toolkit's tables of answers, so that new ones can have their names."""
    older = _tables(connection) & set(OLDER_TOOLKIT)
    for table in older:
        rows = f"SELECT * FROM main.{table}"  # noqa: S608 names only
        connection.execute(f"CREATE TEMP TABLE older_{table} AS {rows}")
        connection.execute(f"DROP TABLE main.{table}")
    return older


def _take_over(connection: sqlite3.Connection, table: str) -> None:
    """Copy all rows in all columns. The column's type turns numbers in texts into numbers."""
    newer = _columns(connection, table)
    older = _columns(connection, f"older_{table}")
    quoted = {name: '"' + older[name].replace('"', '""') + '"' for name in older}
    for name in (name for name in quoted if name not in newer):
        connection.execute(f"ALTER TABLE main.{table} ADD COLUMN {quoted[name]}")
    names = ", ".join(quoted.values())
    source = f"SELECT {names} FROM temp.older_{table}"  # noqa: S608 names only
    connection.execute(f"INSERT INTO main.{table} ({names}) {source}")
    connection.execute(f"DROP TABLE temp.older_{table}")


def _one_row_per_state(connection: sqlite3.Connection) -> None:
    """Allow one row per model-type-state from now on. Repeated ones of the older toolkit stay."""
    repeated = connection.execute(
        """SELECT id FROM model_efficacy WHERE id NOT IN
        (SELECT min(id) FROM model_efficacy GROUP BY model_type_state)"""
    )
    ids = ", ".join(str(row) for (row,) in repeated)
    but = f"WHERE id NOT IN ({ids})" if ids else ""
    index = f"one_row_per_state ON model_efficacy (model_type_state) {but}"
    connection.execute(f"CREATE UNIQUE INDEX {index}")
