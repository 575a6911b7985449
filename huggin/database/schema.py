"""The database's schema: a file of any older version -> the newest version, every row kept.

A change of the schema is one more function at the end of MIGRATIONS; released ones stay as they are.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from huggin.common.errors import UserError
from huggin.common.files import replacing

BUSY_SECONDS = 30  # how long one process waits for another's transaction
OLDER_TOOLKIT = {"model_efficacy", "sample_indices"}
ANSWERS = (
    """CREATE TABLE model_efficacy (
        id INTEGER PRIMARY KEY, model_type_state TEXT, correct_num INTEGER, sample_num INTEGER, sample_seq TEXT)""",
    """CREATE TABLE sample_indices (
        id INTEGER PRIMARY KEY, model_efficacy_id INTEGER REFERENCES model_efficacy (id), seq_num INTEGER,
        seq_ids TEXT)""",
    """CREATE TABLE answers (
        id INTEGER PRIMARY KEY, sample_indices_id INTEGER NOT NULL REFERENCES sample_indices (id), seq_index INTEGER,
        expected TEXT, answered TEXT, exact_match INTEGER, f1 REAL, confidence REAL)""",
    "CREATE INDEX runs_of_state ON sample_indices (model_efficacy_id)",
    "CREATE INDEX answers_of_run ON answers (sample_indices_id)",
)
EXPLANATIONS = (
    """CREATE TABLE explanations (
        id INTEGER PRIMARY KEY, picture TEXT, model TEXT, target TEXT, scale TEXT, sampler TEXT, samples INTEGER,
        seed INTEGER, segmenter TEXT, fill TEXT, model_prediction REAL, local_prediction REAL, r2 REAL,
        held_out_r2 REAL, effective_samples REAL)""",
    """CREATE TABLE segments (
        id INTEGER PRIMARY KEY, explanation_id INTEGER NOT NULL REFERENCES explanations (id), segment INTEGER,
        coefficient REAL, standard_error REAL, rank INTEGER, area REAL)""",
    "CREATE INDEX segments_of_explanation ON segments (explanation_id)",
)


def connect(path: Path, query: str = "mode=rwc") -> sqlite3.Connection:
    """A connection in autocommit mode; bytes that are no UTF-8 are read as U+FFFD."""
    uri = f"{path.absolute().as_uri()}?{query}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    return connection


def refuse_newer_log(path: Path) -> None:
    """Raise UserError for a newer schema whose log lies beside it still, as after a kill, and leave the log alone.

    `migrate` would refuse it too, but to close a database that can be written merges its log into it.
    """
    if Path(f"{path.resolve()}-wal").exists():
        with suppress(sqlite3.Error), closing(connect(path, "mode=ro")) as connection:
            _known_version(connection, path)


def _known_version(connection: sqlite3.Connection, path: Path) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= len(MIGRATIONS):
        known = f"this program knows versions up to {len(MIGRATIONS)}"
        raise UserError(
            f"{path}: schema version {version}, {known}; update the toolkit, or name another with --db"
        )
    return int(version)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema to the newest version, in one transaction; foreign keys must be off.

    What was there is copied to `<name>.bak` first. Raises UserError for a newer schema and another program's.
    """
    version = _known_version(connection, path)
    if version > 0 and not _tables(connection) >= OLDER_TOOLKIT:
        raise UserError(f"{path}: a database of another program; name another file with --db")
    if version < len(MIGRATIONS):
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            version = _known_version(connection, path)  # another process may have been faster
            if version < len(MIGRATIONS) and _tables(connection):
                _back_up(path)
            for change in MIGRATIONS[version:]:
                change(connection)
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {
        name.lower()
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }


def _back_up(path: Path) -> None:
    """Copy the database, with what is only in its log yet, to `<name>.bak`; one that is there stays."""
    backup = path.with_name(f"{path.name}.bak")
    if backup.exists():
        return
    with (
        replacing(backup) as beside,
        closing(connect(path, "mode=ro")) as source,
        closing(connect(beside)) as copy,
    ):
        source.backup(copy)


def _add_answers(connection: sqlite3.Connection) -> None:
    """0 -> 1: make the tables, and take over the rows of the older toolkit's."""
    older = _tables(connection) & OLDER_TOOLKIT
    for table in older:
        connection.execute(f"CREATE TEMP TABLE older_{table} AS SELECT * FROM main.{table}")  # noqa: S608 names only
        connection.execute(f"DROP TABLE main.{table}")
    for statement in ANSWERS:
        connection.execute(statement)
    for table in older:
        _take_over(connection, table)
    _stand_in_for_missing_states(connection)
    _one_row_per_state(connection)


def _take_over(connection: sqlite3.Connection, table: str) -> None:
    """Copy all rows in all columns; a number that was written as text becomes one by its column's type."""
    known = {name.lower() for name in _columns(connection, table)}
    older = _columns(connection, f"older_{table}")
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in older}
    for name in older:
        if name.lower() not in known:
            connection.execute(f"ALTER TABLE main.{table} ADD COLUMN {quoted[name]}")
    names = ", ".join(quoted.values())
    connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM temp.older_{table}")  # noqa: S608 names only
    connection.execute(f"DROP TABLE temp.older_{table}")


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [
        name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    ]


def _stand_in_for_missing_states(connection: sqlite3.Connection) -> None:
    """Give runs whose model-type-state is gone one called `unknown-ID`, so that no later one gets its id and runs."""
    connection.execute(
        """INSERT INTO model_efficacy (id, model_type_state, correct_num, sample_num)
        SELECT DISTINCT model_efficacy_id, 'unknown-' || model_efficacy_id, 0, 0 FROM sample_indices
        WHERE typeof(model_efficacy_id) = 'integer' AND model_efficacy_id NOT IN (SELECT id FROM model_efficacy)"""
    )


def _one_row_per_state(connection: sqlite3.Connection) -> None:
    """No second row of a model-type-state from now on; those that the older toolkit left stay, and count."""
    second = connection.execute(
        "SELECT id FROM model_efficacy WHERE id NOT IN (SELECT min(id) FROM model_efficacy GROUP BY model_type_state)"
    )
    ids = ", ".join(str(row) for (row,) in second)
    but = f"WHERE id NOT IN ({ids})" if ids else ""
    connection.execute(
        f"CREATE UNIQUE INDEX one_row_per_state ON model_efficacy (model_type_state) {but}"
    )


def _add_explanations(connection: sqlite3.Connection) -> None:
    """1 -> 2: make the tables of lime.py."""
    for statement in EXPLANATIONS:
        connection.execute(statement)


def _add_samples(connection: sqlite3.Connection) -> None:
    """2 -> 3: make a table for the samples of a training's stack; the tallies come with the first of them."""
    connection.execute(
        """CREATE TABLE stack_samples (
            id INTEGER PRIMARY KEY, run TEXT, seed INTEGER, training_function TEXT, seq_ids TEXT)"""
    )


Migration = Callable[[sqlite3.Connection], None]
MIGRATIONS: tuple[Migration, ...] = (
    _add_answers,
    _add_explanations,
    _add_samples,
)  # [n] makes version n into n + 1
