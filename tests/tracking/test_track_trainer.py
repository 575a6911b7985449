"""track-trainer.py as a user types it: the training is as without it, and what was seen is in the database."""

import json

import pytest

from tests.conftest import command
from tests.database.databases import rows


def test_a_tracked_run_ends_as_an_untracked_one(tmp_path, tiny_cfg, tiny_run):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg()))
    options = ("--interval", "0.3", "--seed", "7", "--flame", "a/flame.svg")
    done = command("track-trainer.py", "cfg.json", *options, cwd=tmp_path)
    if "not permitted" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    model = "model.safetensors"
    assert (tmp_path / "run" / model).read_bytes() == (tiny_run / model).read_bytes()
    assert "share of the time by the Trainer's innermost function" in done.stdout
    assert (tmp_path / "a" / "flame.svg").read_text().startswith("<svg")
    samples = rows(tmp_path / "stack_trace.db", "SELECT seed, training_function FROM stack_samples")
    assert len(samples) >= 3
    assert {seed for seed, _ in samples} == {7}
    sequences = rows(
        tmp_path / "stack_trace.db", "SELECT training_function, tally FROM call_sequence"
    )
    assert {function for function, _ in sequences} == {function for _, function in samples}
    assert sum(tally for _, tally in sequences) == len(samples)


def test_a_training_that_does_not_begin_is_told(tmp_path):
    (tmp_path / "cfg.json").write_text('{"model_name": "typo"}')
    done = command("track-trainer.py", "cfg.json", "--interval", "1000", cwd=tmp_path)
    assert done.returncode == 2
    assert "run_qa.py: error:" in done.stderr
    assert "run_qa.py ended early, after" in done.stderr
    assert "with exit code 2; 0 samples are kept in stack_trace.db" in done.stderr
    assert done.stdout.startswith("no samples in ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "give CFG, or --search TEXT"),
        (("cfg.json", "--search", "x"), "give CFG, or --search TEXT"),
        (("cfg.json", "--interval", "0"), "--interval 0.0: give 0.01 seconds or more"),
        (("cfg.json", "--interval", "nan"), "--interval nan"),
        (("cfg.json", "--samples", "0"), "--samples 0: give 1 or more"),
        (("cfg.json", "--flame", "flame.png"), "flame.png: give a name that ends in .svg or .json"),
    ],
)
def test_bad_usage(tmp_path, words, says):
    done = command("track-trainer.py", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []
