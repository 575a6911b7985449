"""Looking at the stack of a working process, and the training function of a sample."""

import signal
import statistics
import sys
import time

import pytest

from huggin.tracking.watch import OUTSIDE, Frame, Looks, _frame_of, training_function

MAIN = Frame("run_qa.py", 177, "<module>")
STEP = Frame("transformers/trainer.py", 2126, "Trainer.training_step")
LOSS = Frame("transformers/trainer.py", 2172, "Trainer.compute_loss")
FORWARD = Frame("torch/nn/modules/linear.py", 134, "Linear.forward")
RECORDING = Frame("trainer_qa.py", 140, "_RecordingCallback.on_step_end")
LAMBDA = Frame("transformers/trainer.py", 9, "Trainer.train.<locals>.<lambda>")
UTILS = Frame("transformers/trainer_utils.py", 9, "enable_full_determinism")


def work(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100))


def test_a_working_function_is_seen_below_the_block_and_no_longer_after_it():
    with Looks(0.01, seed=0) as looks:
        work(0.3)
    seen = len(looks.samples)
    work(0.05)
    assert 5 < len(looks.samples) == seen
    assert looks.seconds >= 0.3
    caller = looks.samples[-1][0]
    assert (caller.file, caller.function) == ("tests/tracking/test_samples.py", "work")
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_file_beside_all_folders_of_imports_has_its_whole_name(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", "elsewhere"])
    code = compile("(lambda: 1)", "/somewhere/lambda.py", "eval")
    assert _frame_of(code, 3) == ("/somewhere/lambda.py", 3, "<module>")


def test_moments_have_exponential_gaps_and_are_made_up_for_after_a_call_of_c(monkeypatch):
    now = iter(range(100_000))
    monkeypatch.setattr("huggin.tracking.watch.time.monotonic", lambda: next(now))
    looks = Looks(10, seed=1)
    monkeypatch.setattr("huggin.tracking.watch.signal.setitimer", lambda *_: None)
    due = []
    with looks:
        while len(due) < 2000:
            due.append(looks._due)
            looks._look(signal.SIGALRM, None)
    gaps = [after - before for before, after in zip(due, due[1:]) if after > before]
    assert statistics.mean(gaps) == pytest.approx(statistics.stdev(gaps), rel=0.3)
    assert len(looks.samples) == pytest.approx(looks.seconds / 10, rel=0.1)


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
