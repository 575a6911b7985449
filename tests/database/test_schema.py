"""The schema: older databases keep every row; newer ones and other files stay as they are."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from huggin.common.errors import BadValue
from huggin.database.connection import check_database, open_database
from huggin.database.queries import asked_before, duplicates, record_answers, rows_of, standing
from huggin.database.schema import NEWEST, change
from tests.conftest import command
from tests.database.databases import answer, dump, make_older, rows


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "stack trace?.db"


@pytest.fixture
def older(path) -> Path:
    return make_older(path)


def test_an_older_database_keeps_every_row(older):
    before = dump(older)
    with closing(open_database(older)) as database:
        assert rows_of(database, "model_efficacy") == (
            ["id", "model_type_state", "correct_num", "sample_num", "sample_seq", 'my "note'],
            [
                (1, "squad-1026", 17, 51, "3,3,6", None),
                (2, "data-1026", 7, 7, None, "the first"),
                (5, "squad-1026", 1, 4, "4", None),
                (6, None, "", "many", "", None),
                (8, "unknown-8", 0, 0, None, None),
            ],
        )
        runs = [
            (4, 1, 3, "87204,,39451"),
            (5, 5, 2, "39451,12"),
            (9, 8, 1, "12"),
            (10, "x", 1, ""),
            (11, None, 1, "5"),
        ]
        assert rows_of(database, "sample_indices")[1] == runs
        assert database.execute("SELECT count(*) FROM all_states").fetchone() == (5,)
    assert rows(older, "SELECT * FROM compute_loss") == [
        (3, "forward|backward", "0.25"),
        (7, None, b"\0\xff"),
    ]
    assert rows(older, "SELECT * FROM call_sequence") == [("train", "1,2,3")]
    assert dump(Path(f"{older}.bak")) == before
    assert sorted(file.name for file in older.parent.iterdir()) == [older.name, f"{older.name}.bak"]


def test_an_older_database_is_added_to(older):
    with closing(open_database(older)) as database:
        assert standing(database, "squad-1026") == (18, 55)
        assert asked_before(database, "squad-1026") == {87204, 39451, 12}
        assert duplicates(database) == {"squad-1026": [39451]}
        for state in ("squad-1026", "data-1026", "new"):
            record_answers(database, state, [answer(12)])
        assert [row[:5] for row in rows_of(database, "model_efficacy")[1]][:2] == [
            (1, "squad-1026", 18, 52, "3,3,6,1"),
            (2, "data-1026", 8, 8, "1"),
        ]
        assert duplicates(database) == {"squad-1026": [12, 39451]}
        assert asked_before(database, "new") == {12}
        for state in ("squad-1026", "new"):
            with pytest.raises(sqlite3.IntegrityError):
                database.execute(
                    "INSERT INTO model_efficacy (model_type_state) VALUES (?)", (state,)
                )


def test_migrating_twice_does_nothing(older):
    open_database(older).close()
    once, backup = older.read_bytes(), Path(f"{older}.bak").read_bytes()
    open_database(older).close()
    assert (older.read_bytes(), Path(f"{older}.bak").read_bytes()) == (once, backup)


def test_a_backup_that_is_there_stays(older):
    Path(f"{older}.bak").write_text("mine")
    open_database(older).close()
    assert Path(f"{older}.bak").read_text() == "mine"
    assert rows(older, "PRAGMA user_version") == [(NEWEST,)]


def test_a_backup_has_what_was_only_in_the_log(older):
    with closing(sqlite3.connect(older, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("INSERT INTO call_sequence VALUES ('late', '4')")
        open_database(older).close()
    assert ("late", "4") in rows(Path(f"{older}.bak"), "SELECT * FROM call_sequence")


def test_the_oldest_database_has_no_sample_seq_and_no_sample_indices(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """CREATE TABLE model_efficacy
                (id INTEGER PRIMARY KEY, model_type_state, correct_num, sample_num);
            INSERT INTO model_efficacy VALUES (3, 'a', '1', '2')"""
        )
    with closing(open_database(path)) as database:
        record_answers(database, "a", [answer()])
        assert rows_of(database, "model_efficacy")[1] == [(3, "a", 2, 3, "1")]


TABLES = "CREATE TABLE model_efficacy (id); CREATE TABLE sample_indices (id)"
NEWER = f"{TABLES}; PRAGMA user_version = 99"
SONGS = "CREATE TABLE songs (id, title); INSERT INTO songs VALUES (1, 'Ravens');"


def content(folder: Path) -> dict[str, bytes]:
    """Every file but the index of SQLite's log, which has no data."""
    files = [file for file in folder.iterdir() if not file.name.endswith("-shm")]
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_newer_schema_is_refused_and_untouched(path, mode):
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA journal_mode = {mode}")
        newer.executescript(NEWER)
    before = content(path.parent)
    with pytest.raises(BadValue, match="schema version 99.*update the toolkit"):
        open_database(path)
    assert content(path.parent) == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("tables", "said"), [(NEWER, "schema version 99"), (SONGS, "another program")]
)
def test_a_killed_programs_database_that_is_not_ours_is_refused_and_untouched(
    path, tmp_path_factory, tables, said
):
    killed = tmp_path_factory.mktemp("killed") / path.name
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.executescript(tables)
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{killed}{suffix}")
    before = content(killed.parent)
    with pytest.raises(BadValue, match=said):
        open_database(killed)
    assert content(killed.parent) == before


@pytest.mark.parametrize("written", [b"id,state\n1,a\n" * 99, b"SQLite format 3\0", b"x\n"])
def test_what_is_no_database_is_refused_and_untouched(path, written):
    path.write_bytes(written)
    with pytest.raises(BadValue, match="not a database|malformed"):
        open_database(path)
    assert [file.read_bytes() for file in path.parent.iterdir()] == [written]


def test_places_without_a_database_are_refused(tmp_path):
    for place in (tmp_path, tmp_path / "nowhere" / "a.db", Path("/dev/null")):
        with pytest.raises(BadValue, match="name another"):
            open_database(place)
    with pytest.raises(BadValue, match="no database here"):
        open_database(tmp_path / "a.db", must_exist=True)
    assert list(tmp_path.iterdir()) == []


def test_a_check_refuses_what_opening_refuses_and_writes_nothing(older, tmp_path):
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database")
    before = content(tmp_path)
    check_database(tmp_path / "new.db")
    check_database(older)
    for place in (broken, tmp_path, tmp_path / "nowhere" / "a.db", Path("/dev/null")):
        with pytest.raises(BadValue, match="name another"):
            check_database(place)
    assert content(tmp_path) == before


OTHERS = {
    "another program's": SONGS,
    "with a version": f"{SONGS} PRAGMA user_version = 1",
    "of views": "CREATE VIEW songs AS SELECT 1 AS id",
    "with one of our names": "CREATE TABLE sample_indices (id, name)",
    "with two of our names": "CREATE TABLE model_efficacy (id); CREATE TABLE sample_indices (id)",
    "with a view of our name": "CREATE VIEW call_sequence AS SELECT 1 AS id",
}


@pytest.mark.parametrize("must_exist", [False, True])
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("tables", OTHERS.values(), ids=OTHERS.keys())
def test_another_programs_database_is_refused_and_untouched(path, tables, mode, must_exist):
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA journal_mode = {mode}")
        other.executescript(tables)
    before = content(path.parent)
    with pytest.raises(BadValue, match="a database of another program; name another file"):
        open_database(path, must_exist)
    assert content(path.parent) == before


def test_the_database_of_an_older_profiler_alone_is_recognised(path):
    with closing(sqlite3.connect(path)) as older:
        older.executescript(
            """CREATE TABLE call_sequence (training_function, seq_ids);
            INSERT INTO call_sequence VALUES ('train', '1,2,3');"""
        )
    open_database(path).close()
    assert rows(path, "SELECT * FROM call_sequence") == [("train", "1,2,3")]
    assert Path(f"{path}.bak").exists()


def test_an_empty_file_becomes_a_database(path):
    path.touch()
    open_database(path).close()
    assert rows(path, "PRAGMA user_version") == [(NEWEST,)]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_link_to_a_database_is_followed(older, tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(older)
    with closing(open_database(link)) as database:
        assert standing(database, "squad-1026") == (18, 55)
    assert link.is_symlink()
    assert rows(older, "PRAGMA user_version") == [(NEWEST,)]


def test_null_prints_as_nothing(older):
    done = command("db_utils.py", "--list", "--db", older, cwd=older.parent)
    assert "2|data-1026|7|7||the first\n" in done.stdout


def test_explanations_of_pictures_become_that_kind(path):
    """Version 3 knew pictures only; version 4 has texts, too."""
    with closing(sqlite3.connect(path)) as connection:
        for version in (1, 2, 3):
            change(connection, version)
        connection.executescript(
            """PRAGMA user_version = 3;
            INSERT INTO explanations (id, picture) VALUES (7, 'cat.png');
            INSERT INTO segments (explanation_id, segment, coefficient) VALUES (7, 0, 0.5)"""
        )
    open_database(path).close()
    assert rows(path, "SELECT id, picture, kind FROM explanations") == [(7, "cat.png", "picture")]
    assert rows(path, "SELECT coefficient, text FROM segments") == [(0.5, None)]
