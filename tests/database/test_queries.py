"""The database: rows in and out, hostile text, the commands."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from huggin.database.connection import database_path, open_database, writing
from huggin.database.queries import (
    AnswerRow,
    add_efficacy,
    asked_before,
    duplicates,
    record_answers,
    rows_of,
    runs_of,
    standing,
)
from huggin.database.schema import NEWEST
from tests.conftest import ROOT, command, spawned
from tests.database.databases import answer, make_older, rows

STATE = "BertForQuestionAnswering-NoPretrain-1126-squad"


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "stack trace?.db"


@pytest.fixture
def database(path):
    with closing(open_database(path)) as connection:
        yield connection


def test_a_fresh_database(database, path):
    assert database.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert database.execute("PRAGMA user_version").fetchone() == (NEWEST,)
    columns = ["id", "model_type_state", "correct_num", "sample_num", "sample_seq"]
    assert rows_of(database, "model_efficacy") == (columns, [])
    assert standing(database, STATE) == (0, 0)
    assert asked_before(database, STATE) == set()
    assert duplicates(database) == {}
    assert not Path(f"{path}.bak").exists()


def test_only_writing_changes_the_mode_of_the_file(database):
    assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    record_answers(database, STATE, [answer(7)])
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_runs_add_up(database):
    record_answers(database, STATE, [answer(7, right=False, answered="Thor"), answer(9)])
    record_answers(database, "another", [answer(7)])
    record_answers(database, STATE, [answer(9), answer(3, right=False), answer(7)])
    record_answers(database, STATE, [])
    efficacy = [(1, STATE, 3, 5, "2,3"), (2, "another", 1, 1, "1")]
    assert rows_of(database, "model_efficacy")[1] == efficacy
    runs = [(1, 1, 2, "7,9"), (2, 2, 1, "7"), (3, 1, 3, "9,3,7")]
    assert rows_of(database, "sample_indices")[1] == runs
    assert rows_of(database, "answers")[1][:2] == [
        (1, 1, 7, "Odin", "Thor", 0, 66.7, 0.5),
        (2, 1, 9, "Odin", "Odin", 1, 66.7, 0.5),
    ]
    assert standing(database, STATE) == (3, 5)
    assert asked_before(database, STATE) == {3, 7, 9}
    assert duplicates(database) == {STATE: [7, 9]}
    assert [row[0] for row in runs_of(database, STATE)[1]] == [1, 3]


def test_numbers_of_numpy(database):
    row = AnswerRow(np.int64(5), "a", "a", np.bool_(True), np.float32(50), np.float64("nan"))
    record_answers(database, STATE, [row])
    assert rows_of(database, "answers")[1] == [(1, 1, 5, "a", "a", 1, 50.0, None)]


def test_a_failing_call_leaves_nothing(database):
    with pytest.raises(TypeError):
        record_answers(database, STATE, [answer(), AnswerRow(2, "a", "b", False, 0, None)])
    assert rows_of(database, "model_efficacy")[1] == rows_of(database, "sample_indices")[1] == []


def test_a_model_type_state_has_one_row(database):
    insert = "INSERT INTO model_efficacy (model_type_state) VALUES ('a')"
    database.execute(insert)
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(insert)
    with pytest.raises(sqlite3.IntegrityError):
        database.execute("INSERT INTO sample_indices (model_efficacy_id) VALUES (99)")


HOSTILE = [
    "'); DROP TABLE answers; --",
    "it's \"'",
    "]]>",
    "<b>",
    "a\0b\0",
    "\x1b[2J\r\n\t\x7f",
    "\ufeff𝄞 غراب",
    "",
    "%s{}?",
]


@pytest.mark.parametrize("text", [*HOSTILE, "x" * 2**20])
def test_hostile_text_comes_out_as_it_went_in(database, text):
    record_answers(database, f"{text}!", [AnswerRow(1, text, f"{text}?", True, 100, 1)])
    record_answers(database, f"{text}!", [answer(2)])
    assert rows_of(database, "model_efficacy")[1] == [(1, f"{text}!", 2, 2, "1,1")]
    assert rows_of(database, "answers")[1][0][3:5] == (text, f"{text}?")
    assert asked_before(database, f"{text}!") == {1, 2}


def test_lone_surrogates_are_replaced(database):
    record_answers(database, "s\udcff", [AnswerRow(1, "a\ud800b", "\udc00", False, 0, 0)])
    assert rows_of(database, "answers")[1][0][3:5] == ("a\ufffdb", "\ufffd")
    assert standing(database, "s\udcff") == (0, 1)


def test_where_the_database_is(monkeypatch):
    monkeypatch.delenv("HUGGIN_DB", raising=False)
    assert database_path(None) == Path("stack_trace.db")
    monkeypatch.setenv("HUGGIN_DB", "/elsewhere/a.db")
    assert database_path(None) == Path("/elsewhere/a.db")
    assert database_path(Path("b.db")) == Path("b.db")


def test_the_commands_add_and_print(tmp_path, monkeypatch):
    monkeypatch.delenv("HUGGIN_DB", raising=False)
    for state, correct, asked, row in (
        (STATE, 0, 36, "1"),
        ("a\x1b\nb", 1, 1, "2"),
        (STATE, 1, 6, "1"),
    ):
        words = ("model_efficacy", state, correct, asked)
        assert command("db_utils.py", *words, cwd=tmp_path).stdout.strip() == row
    words = ("sample_indices", "--db", "stack_trace.db", 1, 3, "73046,,28615")
    assert command("db_utils.py", *words, cwd=tmp_path).stdout == "1\n"
    columns = "id|model_type_state|correct_num|sample_num|sample_seq"
    efficacy = f"{columns}\n1|{STATE}|1|42|36,6\n2|a\ufffd\ufffdb|1|1|1\n"
    indices = "id|model_efficacy_id|seq_num|seq_ids\n1|1|3|73046,,28615\n"
    assert command("db_utils.py", "--list", cwd=tmp_path).stdout == f"{efficacy}\n{indices}"
    assert command("db-indices.py", "--list", cwd=tmp_path).stdout == indices
    assert command("db-indices.py", STATE, cwd=tmp_path).stdout == indices
    assert [file.name for file in tmp_path.iterdir()] == ["stack_trace.db"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["db_utils.py"], "give --list, or a table and its values"),
        (["db_utils.py", "--list", "model_efficacy", "a", "1", "1"], "give --list, or a table"),
        (
            ["db_utils.py", "--list"],
            "--db stack_trace.db: no database here; run get-model-output first",
        ),
        (["db_utils.py", "--list", "--db", "."], "--db .: not a regular file"),
        (["db_utils.py", "answers", "1", "2", "3"], "answers 1 2 3: no table, or not three values"),
        (["db_utils.py", "model_efficacy", "a", "1"], "not three values"),
        (["db_utils.py", "model_efficacy", "a", "-1", "3"], "CORRECT_NUM '-1': give a whole"),
        (["db_utils.py", "model_efficacy", "a", "1", "9" * 30], "give a whole number"),
        (["db_utils.py", "model_efficacy", "a", "1", "9" * 18], "1,000,000,000,000 at most"),
        (
            ["db_utils.py", "model_efficacy", "a", "4", "3"],
            "4 of 3: give no more correct answers than",
        ),
        (["db_utils.py", "model_efficacy", "", "1", "3"], "give a model-type-state"),
        (["db_utils.py", "sample_indices", "1", "2", "3,x"], "SEQ_IDS 'x': give a whole number"),
        (
            ["db_utils.py", "sample_indices", "1", "3", "1,2"],
            "SEQ_IDS '1,2': 2 of 3: give an index",
        ),
        (["db-indices.py"], "give --list, or a model-type-state"),
        (["db-indices.py", STATE], "no database here"),
    ],
)
def test_refusals(tmp_path, monkeypatch, words, said):
    monkeypatch.delenv("HUGGIN_DB", raising=False)
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{words[0]}: error: ")
    assert said in line
    assert list(tmp_path.iterdir()) == []


def test_refusals_of_a_database_that_is_there(database, path):
    with writing(database):
        add_efficacy(database, STATE, 0, 1)
    done = command("db_utils.py", "sample_indices", 99, 1, 5, "--db", path, cwd=path.parent)
    assert (done.returncode, "model_efficacy has no row 99" in done.stderr) == (2, True)
    done = command("db-indices.py", STATE, "--db", path, cwd=path.parent)
    assert (done.returncode, f"{STATE}: no runs" in done.stderr) == (2, True)
    assert rows_of(database, "sample_indices")[1] == []


WITHOUT_ROOTS_POWER = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]


def test_a_database_in_a_read_only_folder_is_listed_and_not_added_to(database, path):
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv (util-linux) to change it")
    record_answers(database, STATE, [answer(7)])
    database.close()
    as_others = WITHOUT_ROOTS_POWER if os.geteuid() == 0 else []
    line = [*as_others, sys.executable, ROOT / "db_utils.py", "--db", path]
    path.parent.chmod(0o555)
    try:
        listed = subprocess.run([*line, "--list"], capture_output=True, text=True)
        added = subprocess.run([*line, "sample_indices", "1", "1", "5"], capture_output=True)
    finally:
        path.parent.chmod(0o755)
    assert f"1|{STATE}|1|1|1" in listed.stdout, listed.stderr
    assert added.returncode == 2
    assert b"attempt to write a readonly database; check" in added.stderr


def no_room():
    """Let a process write nothing to files any more, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.parametrize("words", [["db_utils.py", "--list"], ["db-indices.py", "--list"]])
def test_a_database_on_a_full_disk_is_listed(database, path, words):
    record_answers(database, STATE, [answer(7)])
    database.close()
    before = path.read_bytes()
    listed = spawned(*words, "--db", path, cwd=path.parent, preexec_fn=no_room)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout.endswith("1|1|1|7\n")
    assert path.read_bytes() == before


def test_a_database_on_a_full_disk_is_not_added_to(database, path):
    record_answers(database, STATE, [answer(7)])
    database.close()
    for words in (["model_efficacy", "a", 1, 1], ["sample_indices", 1, 1, 5]):
        added = spawned("db_utils.py", *words, "--db", path, cwd=path.parent, preexec_fn=no_room)
        assert added.returncode == 2
        (line,) = added.stderr.splitlines()
        assert "and the space on its disk" in line
    assert len(rows(path, "SELECT * FROM sample_indices")) == 1


def test_rows_in_the_log_are_not_left_out_on_a_full_disk(database, path):
    record_answers(database, STATE, [answer(7)])  # the connection stays open: the row is in the log
    listed = spawned("db_utils.py", "--list", "--db", path, cwd=path.parent, preexec_fn=no_room)
    assert f"1|{STATE}|1|1|1" in listed.stdout or listed.returncode == 2


ODD_PATHS = ["a\0b.db", "half\ud800.db", "loop", "n" * 300, "file/a.db", "folder", "fifo"]


@pytest.mark.parametrize("name", ODD_PATHS)
@pytest.mark.parametrize(
    "words", [["db_utils.py", "--list"], ["db_utils.py", "model_efficacy", "a", 1, 1]]
)
def test_a_path_that_cannot_be_a_database_is_told_in_a_line(tmp_path, name, words):
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    before = sorted(path.name for path in tmp_path.iterdir())
    done = command(*words, "--db", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("db_utils.py: error: --db ")
    assert "name another" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_name_that_is_not_utf8_is_a_name(tmp_path):
    name = os.fsdecode(b"\xff.db")
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    assert command("db_utils.py", "model_efficacy", "a", 1, 1, "--db", name, cwd=tmp_path).stdout
    listed = command("db_utils.py", "--list", "--db", name, cwd=tmp_path)
    assert "1|a|1|1|1" in listed.stdout


@pytest.mark.parametrize("suffix", ["-wal", "-journal", "-shm", ".bak"])
def test_a_pipe_beside_the_database_hangs_nothing(tmp_path, suffix):
    make_older(tmp_path / "a.db")
    os.mkfifo(tmp_path / f"a.db{suffix}")
    listed = spawned("db_utils.py", "--list", "--db", "a.db", cwd=tmp_path, timeout=60)
    assert listed.returncode in (0, 2)
    assert "squad-1026" in listed.stdout or "name another file" in listed.stderr


def test_column_names_are_printed_escaped(path):
    make_older(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute('ALTER TABLE model_efficacy ADD COLUMN "x\x1b[2J\ny"')
    done = command("db_utils.py", "--list", "--db", path, cwd=path.parent)
    assert "|x\ufffd[2J\ufffdy\n" in done.stdout


def damage(path: Path, name: str, change) -> None:
    """Change the first page of a table or an index."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        begin = (connection.execute(query, (name,)).fetchone()[0] - 1) * size
    content = bytearray(path.read_bytes())
    content[begin : begin + size] = change(content[begin : begin + size])
    path.write_bytes(content)


DAMAGES = {
    "zeros": lambda page: bytes(len(page)),
    "noise": lambda page: b"\x07" * len(page),
    "half": lambda page: page[: len(page) // 2] + bytes(len(page) // 2),
}


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("name", ["answers", "sample_indices", "runs_of_state", "call_sequence"])
def test_a_damaged_page_is_found(tmp_path, monkeypatch, name, kind, large):
    """Also in a table that the command does not read; of a large file, in what is not large."""
    path = tmp_path / "stack_trace.db"
    with closing(open_database(path)) as connection:
        connection.execute("CREATE TABLE call_sequence (id INTEGER PRIMARY KEY, seq_ids)")
        for call in range(300):
            record_answers(connection, f"state {call % 3}", [answer(call), answer(call + 1)])
            connection.execute("INSERT INTO call_sequence (seq_ids) VALUES (?)", ("1,2" * 30,))
    damage(path, name, DAMAGES[kind])
    before = path.read_bytes()
    if large:
        monkeypatch.setattr("huggin.database.connection.CHECKED_AS_A_WHOLE", 0)
    for words in (
        ("db-indices.py", "--list"),
        ("db-indices.py", "state 1"),
        ("db_utils.py", "--list"),
        ("db_utils.py", "model_efficacy", "state 1", "1", "1"),
        ("squad-interface.py", "--duplicates"),
        ("track-trainer.py", "--search", "step"),
    ):
        done = command(*words, cwd=tmp_path)
        if large and name == "answers":
            assert done.returncode in (0, 1)  # nothing of it is read
            continue
        assert (done.returncode, done.stdout) == (2, ""), words
        assert "error: --db stack_trace.db: " in done.stderr
        assert path.read_bytes() == before
