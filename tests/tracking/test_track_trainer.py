"""track-trainer.py: the training is the same as without it; what was seen is in the database."""

import json
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from huggin.database.connection import open_database
from huggin.tracking.watch import Frame
from tests.conftest import command, main_of
from tests.database.databases import rows

MAIN = Frame("run_qa.py", 54, "main")
TRAIN = (MAIN, Frame("transformers/trainer.py", 1300, "Trainer.train"))


@pytest.fixture
def watched(monkeypatch):
    """Stand in for the training: what it is given, what is seen of it, and its exit code."""
    module = sys.modules[main_of("track-trainer.py").__module__]
    stand_in = SimpleNamespace(given=[], samples=[TRAIN] * 9, code=0)

    @contextmanager
    def looks(_interval, _seed):
        yield SimpleNamespace(samples=stand_in.samples, seconds=2.0)

    def train(_main, words):
        stand_in.given.append(words)
        return stand_in.code

    monkeypatch.setattr(module, "Looks", looks)
    monkeypatch.setattr(module, "exit_code_of", train)
    return stand_in


@pytest.mark.slow
def test_a_tracked_run_ends_as_an_untracked_one(tmp_path, tiny_cfg, tiny_run):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(num_train_epochs=1)))
    own = ("--interval", "0.3", "--seed", "7", "--flame", "a/flame.svg")
    done = command("track-trainer.py", "cfg.json", *own, "--num_train_epochs", "4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    model = "model.safetensors"
    assert (tmp_path / "run" / model).read_bytes() == (tiny_run / model).read_bytes()
    assert "share of the time by the Trainer's innermost function" in done.stdout
    assert (tmp_path / "a" / "flame.svg").read_text().startswith("<svg")
    database = tmp_path / "stack_trace.db"
    samples = rows(database, "SELECT seed, training_function FROM stack_samples")
    assert samples
    assert {seed for seed, _ in samples} == {7}
    sequences = rows(database, "SELECT training_function, tally FROM call_sequence")
    assert {function for function, _ in sequences} == {function for _, function in samples}
    assert sum(tally for _, tally in sequences) == len(samples)


def test_a_training_that_does_not_begin_is_told(tmp_path):
    (tmp_path / "cfg.json").write_text('{"model_name": "typo"}')
    done = command("track-trainer.py", "cfg.json", "--interval", "1000", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "run_qa.py: error:" in done.stderr
    assert "saw no training in " in done.stderr
    assert not (tmp_path / "stack_trace.db").exists()


@pytest.mark.parametrize("code", [0, 2])
def test_without_a_training_the_database_stays_as_it_is(tmp_path, watched, code):
    database = tmp_path / "stack_trace.db"
    open_database(database).close()
    before = database.read_bytes()
    watched.samples = [(MAIN,), (MAIN, Frame("torch/__init__.py", 1, "<module>"))]
    watched.code = code
    done = command("track-trainer.py", "cfg.json", "--flame", "a.svg", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert "saw no training in 2.0 s; nothing is kept" in done.stderr
    assert database.read_bytes() == before
    assert list(tmp_path.iterdir()) == [database]


def test_a_training_that_is_stopped_keeps_what_was_seen(tmp_path, watched):
    watched.code = 130
    done = command("track-trainer.py", "cfg.json", cwd=tmp_path)
    assert done.returncode == 130
    assert "run_qa.py ended with exit code 130; 9 samples are kept in " in done.stderr
    assert done.stdout.startswith("9 samples of 2.0 s")


def test_keys_of_run_qa_are_passed_on(tmp_path, watched):
    words = ("cfg.json", "--samples", "4", "--num_train_epochs", "3", "--max_steps=-1", "--bf16")
    done = command("track-trainer.py", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    passed_on = ["cfg.json", "--num_train_epochs", "3", "--max_steps=-1", "--bf16"]
    assert watched.given == [passed_on]
    assert done.stdout.startswith("4 samples of 2.0 s; share of the time")
    assert len(rows(tmp_path / "stack_trace.db", "SELECT * FROM stack_samples")) == 4


def test_samples_are_spread_over_the_whole_training():
    spread = sys.modules[main_of("track-trainer.py").__module__].spread
    lines = spread(list(range(40_000)), 300, 0)
    assert len(set(lines)) == 300
    assert lines == sorted(lines)
    for quarter in range(4):
        assert 40 < sum(line // 10_000 == quarter for line in lines) < 110
    assert spread(list(range(40_000)), 300, 1) != lines
    assert spread([1, 2], 20, 0) == spread([1, 2], None, 0) == [1, 2]


def test_names_that_act_on_the_terminal_are_printed_escaped(tmp_path, watched):
    watched.samples = [(Frame("run_qa.py\x1b[2J", 54, "main"), *TRAIN)]
    flame = "\x1b[2J\udcff.svg"
    done = command("track-trainer.py", "cfg.json", "--flame", flame, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "\ufffd[2J\ufffd.svg" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "give CFG, or --search TEXT"),
        (("cfg.json", "--search", "x"), "give CFG, or --search TEXT"),
        (("--search", "x", "--seed_", "3"), "not expected beside --search"),
        (("cfg.json", "other.json"), "other.json: not expected here"),
        (("cfg.json", "--interval", "0"), "--interval 0.0: give 0.01 seconds or more"),
        (("cfg.json", "--interval", "nan"), "--interval nan"),
        (("cfg.json", "--samples", "0"), "--samples: 0: must be 1 or more"),
        (("cfg.json", "--flame", "flame.png"), "flame.png: give a name that ends in .svg or .json"),
    ],
)
def test_bad_usage(tmp_path, words, says):
    done = command("track-trainer.py", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []
