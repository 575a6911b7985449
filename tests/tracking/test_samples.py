"""Looking at a process: which looks are kept, signals, what py-spy cannot do; the real one once, on a small child."""

import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from huggin.common.errors import UserError
from huggin.tracking.samples import OUTSIDE, Frame, Looks, read_samples, training_function, watch

MAIN = Frame("run_qa.py", 177, "<module>")
STEP = Frame("transformers/trainer.py", 2126, "Trainer.training_step")
LOSS = Frame("transformers/trainer.py", 2172, "Trainer.compute_loss")
FORWARD = Frame("torch/nn/modules/linear.py", 134, "Linear.forward")
ALL = Looks(0.05, None, 0)
SAVE = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
open("ready", "w").close()
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def handlers():
    """Signals as they were before the test."""
    before = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a py-spy of some lines of shell where ours would be; returns the folder."""

    def make(lines: str) -> Path:
        spy = tmp_path / "bin" / "py-spy"
        spy.parent.mkdir()
        spy.write_text(f"#!/bin/sh\n{lines}\n")
        spy.chmod(0o755)
        monkeypatch.setattr("huggin.tracking.samples.shutil.which", lambda *_, **__: str(spy))
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return make


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_all_looks_of_a_whole_number_a_second_are_kept():
    samples = [(Frame("a.py", line, "f"),) for line in range(50)]
    assert Looks(0.25, None, 0).kept(samples) == samples
    assert (Looks(0.25, None, 0).rate, Looks(0.25, None, 0).seconds) == (4, None)
    assert Looks(0.25, 20, 0).kept(samples) == samples[:20]
    assert Looks(0.25, 20, 0).rate * Looks(0.25, 20, 0).seconds >= 20


def test_of_other_looks_some_are_kept_by_the_seed_with_exponential_gaps():
    samples = [(Frame("a.py", line, "f"),) for line in range(40_000)]
    first, again, other = (Looks(10, None, seed).kept(samples) for seed in (1, 1, 2))
    assert first == again != other
    gaps = [
        after[0].line - before[0].line for before, after in pairwise(first)
    ]  # in seconds: one look each
    assert statistics.mean(gaps) == pytest.approx(10, rel=0.1)
    assert statistics.stdev(gaps) == pytest.approx(10, rel=0.1)  # an even rhythm would have 0
    assert Looks(10, 30, 1).kept(samples) == first[:30]
    assert Looks(10, 30, 1).seconds >= first[29][0].line


@pytest.mark.parametrize(
    ("frames", "function"),
    [
        ((MAIN, STEP, LOSS, FORWARD), "compute_loss"),
        (
            (MAIN, STEP, Frame("trainer_qa.py", 140, "_RecordingCallback.on_step_end")),
            "on_step_end",
        ),
        (
            (MAIN, STEP, Frame("transformers/trainer.py", 9, "Trainer.train.<locals>.<lambda>")),
            "training_step",
        ),
        ((MAIN, Frame("transformers/trainer_utils.py", 9, "enable_full_determinism")), OUTSIDE),
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
    ]
    frames.append({"name": "Thread._bootstrap", "file": "/elsewhere/threading.py", "line": 3})
    other, main = (
        {"name": "Thread 7", "samples": samples} for samples in ([[2]] * 3, [[], [1, 0], [0], [1]])
    )
    seen = tmp_path / "seen.json"
    assert read_samples(seen) == []
    seen.write_text(json.dumps({"profiles": [other, main], "shared": {"frames": frames}}))
    module = Frame("/elsewhere/b.py", 1, "<module>")
    assert read_samples(seen) == [(module, Frame("torch/a.py", 2, "forward")), (module,)]


def test_looking_no_longer_leaves_the_child_alone(fake, tmp_path):
    fake("echo \"$@\" > options; echo 'py-spy> Samples: 20 Errors: 3'")
    ending = watch(
        python("import time; time.sleep(0.6); raise SystemExit(3)"),
        Looks(0.25, 20, 0),
        tmp_path / "out",
    )
    assert (ending.code, ending.missed, ending.trouble) == (3, 3, "")
    assert ending.looked < 0.5 < ending.seconds
    options = (tmp_path / "options").read_text()
    assert "--rate 4 " in options
    assert "--duration 7 " in options


def test_a_child_that_ends_early(fake, tmp_path):
    fake("sleep 0.5; echo 'Error: no such process'; exit 1")
    ending = watch(python("raise SystemExit(2)"), ALL, tmp_path / "out")
    assert (ending.code, ending.trouble) == (2, "")
    assert watch(python("import os; os.kill(os.getpid(), 9)"), ALL, tmp_path / "out").code == 137


@pytest.mark.parametrize(
    ("lines", "told"), [("echo 'Error: disk full'; exit 1", "disk full"), ("exit 4", "exit code 4")]
)
def test_a_py_spy_that_fails_does_not_end_the_training(fake, tmp_path, lines, told):
    fake(lines)
    ending = watch(python("import time; time.sleep(0.5)"), ALL, tmp_path / "out")
    assert (ending.code, ending.trouble) == (0, told)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_a_signal_reaches_the_child_which_ends_by_itself(fake, tmp_path, number, code):
    fake('while kill -0 "$(echo "$@" | sed "s/.*--pid //")"; do sleep 0.1; done; touch ended')

    def press():
        while not (tmp_path / "ready").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), number)
        time.sleep(1)  # the ended child stays a process until it is waited for
        subprocess.run(["pkill", "-f", str(tmp_path / "bin" / "py-spy")], check=True)

    threading.Thread(target=press).start()
    ending = watch(python(SAVE), ALL, tmp_path / "out")
    assert ending.code == code
    assert ending.seconds < 30


@pytest.mark.parametrize(
    "says", ["Permission Denied: Try running again", "Operation not permitted (os error 1)"]
)
def test_py_spy_not_permitted_is_told_with_what_to_do_and_the_child_ended(fake, tmp_path, says):
    fake(f"echo \"$@\" > options; echo 'Error: {says}' >&2; exit 1")
    with pytest.raises(UserError, match="py-spy is not permitted .*ptrace_scope=0"):
        watch(python("import time; time.sleep(60)"), ALL, tmp_path / "out")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "options").read_text().split()[-1]), 0)


def test_no_py_spy(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="py-spy not found; run ./setup"):
        watch(["never"], ALL, tmp_path / "out")


def test_the_real_py_spy_sees_a_child(tmp_path):
    code = "import time\ndef wait():\n    time.sleep(2)\nwait()"
    try:
        ending = watch(python(code), ALL, tmp_path / "out")
    except UserError as error:
        pytest.skip(f"no ptrace here: {error}")
    samples = read_samples(tmp_path / "out")
    assert (ending.code, ending.trouble) == (0, "")
    assert 10 <= len(samples) <= 80  # 40 are due in two seconds
    seen = [(frame.function, frame.line) for frame in samples[len(samples) // 2]]
    assert seen == [("<module>", 4), ("wait", 3)]
