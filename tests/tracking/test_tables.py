"""Samples in the database: rows are added to the older toolkit's tables, and found again."""

import sqlite3
from contextlib import closing

import pytest

from huggin.database.connection import open_database
from huggin.tracking.tables import record_samples, search_functions
from huggin.tracking.watch import OUTSIDE, Frame
from tests.conftest import command
from tests.database.databases import make_older, rows

STEP = Frame("transformers/trainer.py", 2126, "Trainer.training_step")
LOSS = Frame("transformers/trainer.py", 2172, "Trainer.compute_loss")
FORWARD = Frame("torch/nn/modules/dropout.py", 73, "Dropout.forward")
OLDER = """
CREATE TABLE training_step (id INTEGER PRIMARY KEY, file, line, function, tally);
INSERT INTO training_step VALUES
    (7, 'transformers/trainer.py', '2126', 'Trainer.training_step', '3'),
    (9, 'torch/nn/functional.py', '12', 'dropout', NULL);
CREATE TABLE call_sequence (id INTEGER PRIMARY KEY, training_function, seq_ids, tally);
INSERT INTO call_sequence VALUES (4, 'training_step', '[7]', '3');
CREATE TABLE model_efficacy
    (id INTEGER PRIMARY KEY, model_type_state, correct_num, sample_num, sample_seq);
CREATE TABLE sample_indices (id INTEGER PRIMARY KEY, model_efficacy_id, seq_num, seq_ids);
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "stack_trace.db"


def record(path, *stacks, seed=0):
    with closing(open_database(path)) as database:
        record_samples(database, "cfg.json", seed, stacks)


def test_a_table_per_training_function_and_the_call_sequences(path):
    forward = (STEP, LOSS, FORWARD)
    record(path, (STEP,), forward, forward, (STEP, FORWARD), (FORWARD,), seed=3)
    assert rows(path, "SELECT * FROM training_step") == [
        (1, "transformers/trainer.py", 2126, "Trainer.training_step", 2),
        (2, "torch/nn/modules/dropout.py", 73, "Dropout.forward", 1),
    ]
    assert rows(path, "SELECT function, tally FROM compute_loss ORDER BY id") == [
        ("Trainer.training_step", 2),
        ("Trainer.compute_loss", 2),
        ("Dropout.forward", 2),
    ]
    assert rows(path, "SELECT * FROM call_sequence") == [
        (1, "training_step", "[1]", 1),
        (2, "compute_loss", "[1, 2, 3]", 2),
        (3, "training_step", "[1, 2]", 1),
        (4, OUTSIDE, "[1]", 1),
    ]
    samples = rows(path, "SELECT * FROM stack_samples")
    assert samples[1] == (2, "cfg.json", 3, "compute_loss", "[1, 2, 3]")
    assert len(samples) == 5


def test_an_older_tables_tallies_go_on(path):
    with closing(sqlite3.connect(path)) as database:
        database.executescript(OLDER)
    record(path, (STEP,), (STEP, FORWARD))
    assert rows(path, "SELECT * FROM training_step") == [
        (7, "transformers/trainer.py", "2126", "Trainer.training_step", 5),
        (9, "torch/nn/functional.py", "12", "dropout", None),
        (10, "torch/nn/modules/dropout.py", 73, "Dropout.forward", 1),
    ]
    assert rows(path, "SELECT * FROM call_sequence") == [
        (4, "training_step", "[7]", 4),
        (5, "training_step", "[7, 10]", 1),
    ]


def test_tables_of_another_shape_keep_their_rows(path):
    make_older(path)
    record(path, (STEP, LOSS))
    record(path, (STEP, LOSS))
    assert rows(path, "SELECT id, stack_trace, seconds, tally FROM compute_loss WHERE id < 8") == [
        (3, "forward|backward", "0.25", None),
        (7, None, b"\0\xff", None),
    ]
    assert rows(path, "SELECT id, line, tally FROM compute_loss WHERE id > 7") == [
        (8, 2126, 2),
        (9, 2172, 2),
    ]
    assert rows(path, "SELECT * FROM call_sequence") == [
        ("train", "1,2,3", None),
        ("compute_loss", "[8, 9]", 2),
    ]


@pytest.mark.parametrize(
    "name",
    ["answers", "Model_Efficacy", "stack_samples", "sqlite_x", "été", 'x"; DROP TABLE answers'],
)
def test_a_function_gets_no_table_that_is_another_ones(path, name):
    record(path, (Frame("transformers/trainer.py", 1, name),))
    assert rows(path, "SELECT function, tally FROM outside_trainer") == [(name, 1)]
    assert rows(path, "SELECT count(*) FROM answers") == [(0,)]
    assert rows(path, "SELECT count(*) FROM stack_samples") == [(1,)]


def test_a_search_goes_over_all_tables(path):
    with closing(sqlite3.connect(path)) as database:
        database.executescript(OLDER)
        database.executescript("""CREATE TABLE "my ""table" (function, note);
            INSERT INTO "my ""table" VALUES ('DROPOUT_100%', 1), ('other', 2)""")
    record(path, (STEP, LOSS, FORWARD), (STEP, FORWARD))
    with closing(open_database(path)) as database:
        found = search_functions(database, "dropout")
        assert {table: [row[-2] for row in hits] for table, (_, hits) in found.items()} == {
            "compute_loss": ["Dropout.forward"],
            'my "table': ["DROPOUT_100%"],
            "training_step": ["dropout", "Dropout.forward"],
        }
        assert list(search_functions(database, "%")) == ['my "table']
        assert search_functions(database, "_x") == {}


def test_the_search_as_a_command(path):
    record(path, (STEP, LOSS, FORWARD))
    done = command("track-trainer.py", "--search", "dropout", cwd=path.parent)
    assert (done.returncode, done.stderr) == (0, "")
    row = "3|torch/nn/modules/dropout.py|73|Dropout.forward|1"
    assert done.stdout == f"compute_loss:\nid|file|line|function|tally\n{row}\n"
    done = command("track-trainer.py", "--search", "nothing", cwd=path.parent)
    assert (done.returncode, done.stdout) == (1, "nothing: not seen\n")


def test_the_search_prints_no_control_characters(path):
    record(path, (STEP,))
    with closing(sqlite3.connect(path)) as database:
        database.execute('CREATE TABLE "a\x1b[2J" (function)')
        database.execute("INSERT INTO \"a\x1b[2J\" VALUES ('dropout\x07')")
        database.commit()
    done = command("track-trainer.py", "--search", "dropout", cwd=path.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "a\ufffd[2J:\nfunction\ndropout\ufffd\n"
