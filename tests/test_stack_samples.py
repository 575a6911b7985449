"""Looking at a process: seeded moments, signals, what cannot be read; the real py-spy once, on a small child."""

import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import time

import pytest

from huggin.door import UserError
from huggin.stack_samples import OUTSIDE, Frame, NotReadable, Sample, look, main_stack, moments, watch

MAIN = Frame("run_qa.py", 177, "<module>")
STEP = Frame("transformers/trainer.py", 2126, "Trainer.training_step")
LOSS = Frame("transformers/trainer.py", 2172, "Trainer.compute_loss")
FORWARD = Frame("torch/nn/modules/linear.py", 134, "Linear.forward")
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
SAVE = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def handlers():
    """Signals as they were before the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_moments_are_seeded_and_exponentially_spaced():
    first, again, other = (list(itertools.islice(moments(0.5, seed), 4000)) for seed in (1, 1, 2))
    assert first == again != other
    gaps = [after - before for before, after in itertools.pairwise([0.0, *first])]
    assert min(gaps) > 0
    assert statistics.mean(gaps) == pytest.approx(0.5, rel=0.1)
    assert statistics.stdev(gaps) == pytest.approx(0.5, rel=0.1)  # an even rhythm would have 0


@pytest.mark.parametrize(
    ("frames", "function"),
    [
        ((MAIN, STEP, LOSS, FORWARD), "compute_loss"),
        ((MAIN, STEP, Frame("trainer_qa.py", 140, "_RecordingCallback.on_step_end")), "on_step_end"),
        ((MAIN, STEP, Frame("transformers/trainer.py", 9, "Trainer.train.<locals>.<lambda>")), "training_step"),
        ((MAIN, Frame("transformers/trainer_utils.py", 9, "enable_full_determinism")), OUTSIDE),
        ((MAIN,), OUTSIDE),
    ],
)
def test_the_training_function_is_the_trainers_innermost(frames, function):
    assert Sample(0.0, frames).training_function == function


def dumped(**changes) -> str:
    frames = [{"name": "forward", "short_filename": None, "filename": "a.py", "line": 2}]
    frames.append({"name": "<module>", "short_filename": "b.py", "filename": "/x/b.py", "line": 1})
    main = {"pid": 7, "os_thread_id": 7, "thread_name": None, "frames": frames} | changes
    return json.dumps([{"pid": 7, "os_thread_id": 8, "frames": [{}]}, main])


def test_the_main_threads_stack_in_call_order():
    assert main_stack(dumped()) == (Frame("b.py", 1, "<module>"), Frame("a.py", 2, "forward"))


@pytest.mark.parametrize("text", ["", "Error", "{}", "[]", dumped(frames=[]), dumped(os_thread_id=9)])
def test_what_is_not_a_whole_stack(text):
    with pytest.raises(NotReadable):
        main_stack(text)


def test_watching_until_it_is_enough_leaves_the_child_alone():
    kept: list[Sample] = []
    command = [sys.executable, "-c", "import time; time.sleep(0.6); raise SystemExit(3)"]
    ending = watch(command, [0.01, 0.02], kept.append, lambda _: (MAIN,))
    assert (ending.code, ending.missed, len(kept)) == (3, 0, 2)
    assert ending.seconds >= 0.6
    assert 0.02 <= kept[1].seconds < ending.seconds


def test_watching_a_child_that_ends_early():
    kept: list[Sample] = []
    ending = watch([sys.executable, "-c", "raise SystemExit(2)"], [60.0], kept.append, lambda _: (MAIN,))
    assert (ending.code, kept) == (2, [])
    killed = watch([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], [60.0], kept.append, lambda _: (MAIN,))
    assert killed.code == 137


def test_a_look_that_fails_is_counted_and_the_next_one_made():
    answers = iter([None, (MAIN,)])

    def look_twice(_pid):
        if (seen := next(answers)) is None:
            raise NotReadable
        return seen

    kept: list[Sample] = []
    ending = watch([sys.executable, "-c", "import time; time.sleep(0.5)"], [0.01, 0.02], kept.append, look_twice)
    assert (ending.missed, len(kept)) == (1, 1)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_signal_reaches_the_child_which_ends_by_itself(number, code):
    kept: list[Sample] = []

    def look_and_press(_pid):
        time.sleep(0.5)  # until the child has its handlers
        os.kill(os.getpid(), number)
        return (MAIN,)

    ending = watch([sys.executable, "-c", SAVE], moments(0.01, 0), kept.append, look_and_press)
    assert (ending.code, len(kept)) == (code, 1)
    assert ending.seconds < 30


def test_where_looking_is_not_possible_the_child_is_ended():
    children: list[int] = []

    def refuse(pid):
        children.append(pid)
        raise UserError("not permitted")

    with pytest.raises(UserError):
        watch(SLEEP, [0.01], lambda _: None, refuse)
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)


@pytest.mark.parametrize("says", ["Permission Denied: Try running again", "Operation not permitted (os error 1)"])
def test_py_spy_not_permitted_is_told_with_what_to_do(tmp_path, monkeypatch, says):
    spy = tmp_path / "py-spy"
    spy.write_text(f"#!/bin/sh\necho 'Error: {says}' >&2\nexit 1\n")
    spy.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(UserError, match="py-spy is not permitted .*ptrace_scope=0"):
        look(1)
    spy.unlink()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="py-spy not found; run ./setup"):
        look(1)


def test_the_real_py_spy_sees_a_child():
    code = "import time\ndef wait():\n    time.sleep(20)\nprint('ready', flush=True)\nwait()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout
            child.stdout.readline()
            time.sleep(0.2)
            frames = look(child.pid)
        except UserError as error:
            pytest.skip(f"no ptrace here: {error}")
        finally:
            child.kill()
    assert [(frame.function, frame.line) for frame in frames] == [("<module>", 5), ("wait", 3)]
