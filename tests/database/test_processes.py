"""The database among processes: eight writers at once, and ends at any moment."""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from huggin.database.connection import open_database
from huggin.database.queries import asked_before, record_answers, rows_of, runs_of, standing
from tests.conftest import ROOT
from tests.database.databases import answer, dump, make_older, rows


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "stack trace?.db"


WRITER = """
import sys
from contextlib import closing
from pathlib import Path
from huggin.database.queries import AnswerRow, record_answers
from huggin.database.connection import open_database

for call in range(5):
    with closing(open_database(Path(sys.argv[1]))) as connection:
        index = 100 * int(sys.argv[2]) + call
        record_answers(connection, "shared", [AnswerRow(index, "a", "a", call == 0, 0, 0)])
"""


@pytest.mark.parametrize("start", ["fresh", "older"])
def test_eight_processes_at_once_lose_nothing(path, start):
    if start == "older":
        make_older(path)
    line = [sys.executable, "-c", WRITER, path]
    writers = [
        subprocess.Popen([*line, str(number)], cwd=ROOT, stderr=subprocess.PIPE)
        for number in range(8)
    ]
    assert [writer.communicate()[1] for writer in writers] == [b""] * 8
    with closing(open_database(path)) as database:
        assert standing(database, "shared") == (8, 40)
        assert len(asked_before(database, "shared")) == len(rows_of(database, "answers")[1]) == 40
        assert len(runs_of(database, "shared")[1]) == 40
    assert Path(f"{path}.bak").exists() == (start == "older")


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from huggin.database.queries import AnswerRow, record_answers
from huggin.database.connection import open_database

def die(statement):
    if sys.argv[2] in statement:
        os.kill(os.getpid(), signal.SIGKILL)

def connect(*args, real=sqlite3.connect, **options):
    connection = real(*args, **options)
    connection.set_trace_callback(die)
    return connection

sqlite3.connect = connect
connection = open_database(Path(sys.argv[1]))
rows = [AnswerRow(5, "x", "y", True, 0, 0), AnswerRow(6, "last", "y", True, 0, 0)]
record_answers(connection, "a", rows)
connection.execute("SELECT 'the end'")
"""


def killed_at(statement: str, path: Path) -> None:
    line = [sys.executable, "-c", KILLED, path, statement]
    done = subprocess.run(line, cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


AT = [
    "INTO model_efficacy",
    "UPDATE model_efficacy",
    "INTO sample_indices",
    "INTO answers",
    "'last'",
    "COMMIT",
    "the end",
]


@pytest.mark.parametrize("statement", AT)
def test_a_kill_leaves_all_of_a_call_or_nothing(path, statement):
    with closing(open_database(path)) as database:
        record_answers(database, "a", [answer()])
    before = dump(path)
    killed_at(statement, path)
    if statement == "the end":
        counts = rows(path, "SELECT correct_num, sample_num, sample_seq FROM model_efficacy")
        assert counts == [(3, 3, "1,2")]
        assert rows(path, "SELECT count(*) FROM sample_indices") == [(2,)]
        assert rows(path, "SELECT count(*) FROM answers") == [(3,)]
    else:
        assert dump(path) == before
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


IN_A_MIGRATION = ["CREATE TEMP TABLE", "DROP TABLE", "UNIQUE INDEX", "PRAGMA user_version = "]


@pytest.mark.parametrize("statement", IN_A_MIGRATION)
def test_a_kill_in_a_migration_leaves_the_older_database(path, statement):
    older = make_older(path)
    before = dump(older)
    killed_at(statement, older)
    assert dump(older) == before == dump(Path(f"{older}.bak"))
    open_database(older).close()
    assert len(rows(older, "SELECT * FROM sample_indices")) == 5
