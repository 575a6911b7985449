"""Samples of a stack: which looks are kept, what py-spy wrote, and the training function."""

import json
import statistics
import sys
from itertools import pairwise

import pytest

from huggin.tracking.watch import OUTSIDE, Frame, Looks, read_samples, training_function

MAIN = Frame("run_qa.py", 177, "<module>")
STEP = Frame("transformers/trainer.py", 2126, "Trainer.training_step")
LOSS = Frame("transformers/trainer.py", 2172, "Trainer.compute_loss")
FORWARD = Frame("torch/nn/modules/linear.py", 134, "Linear.forward")
RECORDING = Frame("trainer_qa.py", 140, "_RecordingCallback.on_step_end")
LAMBDA = Frame("transformers/trainer.py", 9, "Trainer.train.<locals>.<lambda>")
UTILS = Frame("transformers/trainer_utils.py", 9, "enable_full_determinism")


def samples_of(count: int) -> list[tuple[Frame]]:
    """Samples that are told apart by their line: 0, 1, 2, ..."""
    return [(Frame("a.py", line, "f"),) for line in range(count)]


def test_all_looks_are_kept_at_an_interval_that_py_spy_knows():
    samples = samples_of(50)
    assert Looks(0.25, None, 0).rate == 4
    assert Looks(0.25, None, 0).kept(samples) == samples


def test_at_another_interval_some_looks_are_kept_with_exponential_gaps():
    samples = samples_of(40_000)  # py-spy looks once a second
    first = Looks(10, None, 1).kept(samples)
    assert first == Looks(10, None, 1).kept(samples)
    assert first != Looks(10, None, 2).kept(samples)
    seconds = [after[0].line - before[0].line for before, after in pairwise(first)]
    assert statistics.mean(seconds) == pytest.approx(10, rel=0.1)
    assert statistics.stdev(seconds) == pytest.approx(10, rel=0.1)  # an even rhythm would have 0


def test_samples_are_spread_over_the_whole_training():
    lines = [sample[0].line for sample in Looks(0.25, 300, 0).kept(samples_of(40_000))]
    assert len(set(lines)) == 300
    assert lines == sorted(lines)
    for quarter in range(4):
        inside = [line for line in lines if line // 10_000 == quarter]
        assert 40 < len(inside) < 110
    other = [sample[0].line for sample in Looks(0.25, 300, 1).kept(samples_of(40_000))]
    assert other != lines


@pytest.mark.parametrize("seed", range(20))
def test_a_few_samples_of_a_short_training_are_kept(seed):
    assert len(Looks(5, 2, seed).kept(samples_of(9))) == 2
    assert Looks(0.25, 20, seed).kept(samples_of(9)) == samples_of(9)


@pytest.mark.parametrize(
    ("frames", "function"),
    [
        ((MAIN, STEP, LOSS, FORWARD), "compute_loss"),
        ((MAIN, STEP, RECORDING), "on_step_end"),
        ((MAIN, STEP, LAMBDA), "training_step"),
        ((MAIN, UTILS), OUTSIDE),
        ((MAIN,), OUTSIDE),
    ],
)
def test_the_training_function_is_the_trainers_innermost(frames, function):
    assert training_function(frames) == function


def test_the_main_threads_stacks_in_call_order(tmp_path):
    library = next(folder for folder in sys.path if folder.endswith("site-packages"))
    frames = [
        {"name": "forward", "file": f"{library}/torch/a.py", "line": 2},
        {"name": "<module>", "file": "/elsewhere/b.py", "line": 1},
        {"name": "Thread._bootstrap", "file": "/elsewhere/threading.py", "line": 3},
    ]
    other = {"name": "Thread 7", "samples": [[2], [2], [2]]}
    main = {"name": "Thread 7", "samples": [[], [1, 0], [0], [1]]}
    seen = tmp_path / "seen.json"
    seen.write_text(json.dumps({"profiles": [other, main], "shared": {"frames": frames}}))
    module = Frame("/elsewhere/b.py", 1, "<module>")
    assert read_samples(seen) == [(module, Frame("torch/a.py", 2, "forward")), (module,)]


def test_no_samples_if_py_spy_wrote_nothing(tmp_path):
    assert read_samples(tmp_path / "absent.json") == []
    (tmp_path / "empty.json").touch()
    assert read_samples(tmp_path / "empty.json") == []
