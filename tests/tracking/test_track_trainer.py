"""track-trainer.py: the training is the same as without it; what was seen is in the database."""

import json
import subprocess
import sys

import pytest

from huggin.database.connection import open_database
from huggin.tracking.watch import Ending, Frame
from tests.conftest import ROOT, command, main_of
from tests.database.databases import rows

ENDED = Ending(0, 2.0, 2.0, 0, "")
SEEN = {
    "profiles": [{"name": "MainThread", "samples": [[0, 1]] * 9}],
    "shared": {
        "frames": [
            {"name": "<module>", "file": "run_qa.py", "line": 54},
            {"name": "Trainer.training_step", "file": "transformers/trainer.py", "line": 2126},
        ]
    },
}


@pytest.fixture
def watched(monkeypatch):
    """Stand in for the training and py-spy; returns the command lines that were to be run."""
    lines = []

    def watch(line, _looks, out):
        lines.append(line)
        out.write_text(json.dumps(SEEN))
        return ENDED

    monkeypatch.setattr(sys.modules[main_of("track-trainer.py").__module__], "watch", watch)
    return lines


@pytest.mark.slow
def test_a_tracked_run_ends_as_an_untracked_one(tmp_path, tiny_cfg, tiny_run):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(num_train_epochs=1)))
    own = ("--interval", "0.3", "--seed", "7", "--flame", "a/flame.svg")
    done = command("track-trainer.py", "cfg.json", *own, "--num_train_epochs", "4", cwd=tmp_path)
    if "not permitted" in done.stderr:
        pytest.skip(done.stderr)
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


@pytest.mark.slow
def test_a_training_that_does_not_begin_is_told(tmp_path):
    (tmp_path / "cfg.json").write_text('{"model_name": "typo"}')
    line = [sys.executable, ROOT / "track-trainer.py", "cfg.json", "--interval", "1000"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "run_qa.py: error:" in done.stderr
    assert "run_qa.py ended early, after" in done.stderr
    assert "with exit code 2; 0 samples are kept\n" in done.stderr
    assert not (tmp_path / "stack_trace.db").exists()
    assert done.stdout.startswith("no samples in ")


@pytest.mark.usefixtures("watched")
def test_a_refused_training_leaves_the_database_as_it_is(tmp_path, monkeypatch):
    database = tmp_path / "stack_trace.db"
    open_database(database).close()
    before = database.read_bytes()
    frames = [{"name": "<module>", "file": "torch/__init__.py", "line": 1}] * 2

    def refuse(_line, _looks, out):
        out.write_text(json.dumps(SEEN | {"shared": {"frames": frames}}))
        return Ending(2, 0.1, 0.1, 0, "")

    monkeypatch.setattr(sys.modules[main_of("track-trainer.py").__module__], "watch", refuse)
    done = command("track-trainer.py", "cfg.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "with exit code 2; 0 samples are kept\n" in done.stderr
    assert database.read_bytes() == before
    assert list(tmp_path.iterdir()) == [database]


def test_keys_of_run_qa_are_passed_on(tmp_path, watched):
    words = ("cfg.json", "--samples", "4", "--num_train_epochs", "3", "--max_steps=-1", "--bf16")
    done = command("track-trainer.py", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    passed_on = ["cfg.json", "--num_train_epochs", "3", "--max_steps=-1", "--bf16"]
    assert watched == [[sys.executable, str(ROOT / "run_qa.py"), *passed_on]]
    assert done.stdout.startswith("4 samples of 2.0 s; share of the time")
    assert len(rows(tmp_path / "stack_trace.db", "SELECT * FROM stack_samples")) == 4


def finished_run(folder, steps=400):
    """A folder's cfg.json, and its run as a training of some steps leaves it."""
    (folder / "cfg.json").write_text(json.dumps({"output_dir": "run"}))
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / "trainer_state.json").write_text(json.dumps({"global_step": steps}))


@pytest.mark.parametrize(
    "words", [("cfg.json",), ("other.json", "--output_dir", "run"), ("x", "--output-dir=run")]
)
def test_a_finished_run_is_not_profiled(tmp_path, watched, words):
    finished_run(tmp_path)
    done = command("track-trainer.py", *words, "--flame", "a.svg", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "run: already trained, 400 steps; there is nothing to profile" in done.stderr
    assert not (tmp_path / "stack_trace.db").exists()
    assert not (tmp_path / "a.svg").exists()
    assert len(watched) == 1  # run_qa.py knows best whether there is something to train


@pytest.mark.usefixtures("watched")
def test_a_run_that_starts_anew_is_profiled(tmp_path):
    finished_run(tmp_path)
    for words in (("--overwrite_output_dir",), ("--overwrite_output_dir", "true")):
        done = command("track-trainer.py", "cfg.json", *words, cwd=tmp_path)
        assert done.stdout.startswith("9 samples of 2.0 s")


@pytest.mark.usefixtures("watched")
def test_a_run_that_goes_on_is_profiled(tmp_path, monkeypatch):
    finished_run(tmp_path)
    module = sys.modules[main_of("track-trainer.py").__module__]
    stand_in = module.watch

    def train_further(*arguments):
        finished_run(tmp_path, steps=600)
        return stand_in(*arguments)

    monkeypatch.setattr(module, "watch", train_further)
    done = command("track-trainer.py", "cfg.json", cwd=tmp_path)
    assert done.stdout.startswith("9 samples of 2.0 s")


@pytest.mark.parametrize("text", ["{", "[]", "\xff", '{"output_dir": ["run"]}', "[" * 100_000])
def test_run_qa_is_the_one_to_tell_of_a_bad_cfg(tmp_path, watched, text):
    (tmp_path / "cfg.json").write_text(text, encoding="latin-1")
    done = command("track-trainer.py", "cfg.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(watched) == 1


@pytest.mark.usefixtures("watched")
def test_names_that_act_on_the_terminal_are_printed_escaped(tmp_path, monkeypatch):
    frames = [Frame("run_qa.py\x1b[2J", 54, "<module>")]
    monkeypatch.setitem(
        SEEN["shared"], "frames", [{"name": f.function, "file": f.file, "line": 1} for f in frames]
    )
    monkeypatch.setitem(SEEN, "profiles", [{"name": "MainThread", "samples": [[0]]}])
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
