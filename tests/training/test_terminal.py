"""The terminal goes, is suspended, or nobody reads what is printed: nothing is lost."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from huggin.recording.checkpoints import is_complete
from huggin.recording.exports import recording_summary
from huggin.recording.run_folder import RunFolder
from tests.conftest import ROOT, process, toolkit
from tests.training.terminal import Terminal
from tests.training.test_overnight import train_here
from tests.training.test_training import LONG, same_rows, wait_for_steps, weights

pytestmark = pytest.mark.slow
RUN_QA = ("run_qa.py", "cfg.json")
ENDLESS = {"num_train_epochs": 100_000, "do_eval": False, "save_steps": 100_000}
in_venv = pytest.mark.skipif(
    not (ROOT / ".venv" / "installed.txt").exists(),
    reason="the drivers run in .venv; ./setup makes it",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_cfg) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    assert train_here(folder, tiny_cfg(**LONG)) == 0
    return folder / "run"


def wait_until(condition, seconds=120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def newest(folder: Path) -> Path:
    return RunFolder(folder / "run").checkpoints()[-1][1]


def test_a_closed_terminal_saves_and_ends_with_129(tmp_path, tiny_cfg):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(**ENDLESS)))
    terminal = Terminal(process(*RUN_QA), tmp_path)
    wait_for_steps(tmp_path / "run", terminal.process, 5)
    terminal.close()
    assert terminal.process.wait(timeout=60) == 129
    assert is_complete(newest(tmp_path))
    summary = recording_summary(tmp_path / "run")
    assert newest(tmp_path).name == f"checkpoint-{summary['last_step']}"


def test_a_training_under_nohup_outlives_its_terminal(tmp_path, tiny_cfg, whole):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(**LONG, logging_steps=1)))
    terminal = Terminal(process(*RUN_QA), tmp_path, ignore_sighup)
    terminal.close()
    assert terminal.process.wait(timeout=120) == 141
    assert weights(tmp_path / "run") == weights(whole)
    assert same_rows(tmp_path / "run", whole)


def ignore_sighup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@pytest.mark.parametrize("left", [("stdout",), ("stdout", "stderr")])
def test_readers_that_leave_end_no_training(tmp_path, tiny_cfg, whole, left):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(**LONG, logging_steps=1)))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(process(*RUN_QA), cwd=tmp_path, **pipes) as started:
        for name in left:
            getattr(started, name).close()
        assert started.wait(timeout=120) == 141
    assert weights(tmp_path / "run") == weights(whole)
    assert is_complete(newest(tmp_path))


def test_a_stop_is_saved_when_nobody_reads_stderr(tmp_path, tiny_cfg):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(**ENDLESS)))
    with subprocess.Popen(process(*RUN_QA), cwd=tmp_path, stderr=subprocess.PIPE) as started:
        started.stderr.close()
        wait_for_steps(tmp_path / "run", started, 5)
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=120) == 143
    assert is_complete(newest(tmp_path))


@in_venv
def test_ctrl_z_suspends_the_training_and_fg_goes_on(tmp_path, tiny_cfg):
    """The driver is the real one: a forked training would not be suspended with it."""
    terminal, training = start_driver(ROOT, tmp_path, tiny_cfg)
    terminal.type("\x1a")
    wait_until(lambda: state_of(training) == "T")
    before = steps_of(tmp_path)
    time.sleep(0.5)
    assert steps_of(tmp_path) == before
    terminal.type("fg\n")
    wait_until(lambda: steps_of(tmp_path) > before + 5)
    terminal.type("\x03")
    wait_until(lambda: not is_alive(training))
    terminal.type("exit 0\nexit 0\n")
    wait_until(lambda: terminal.process.poll() is not None)
    terminal.close()
    assert is_complete(newest(tmp_path))
    assert recording_summary(tmp_path / "run")["missing_steps"] == 0
    assert "the same command goes on from there" in terminal.text


def test_a_driver_whose_terminal_is_closed_saves(tmp_path, tiny_cfg):
    terminal, training = start_driver(toolkit(), tmp_path, tiny_cfg)
    terminal.close()
    wait_until(lambda: not is_alive(training))
    terminal.process.wait(timeout=60)
    assert is_complete(newest(tmp_path))
    assert not (tmp_path / "gv-graphs").exists()


def start_driver(toolkit: Path, folder: Path, tiny_cfg) -> tuple[Terminal, int]:
    """A terminal in which a driver trains, and the process that trains."""
    (folder / "cfg.json").write_text(json.dumps(tiny_cfg(**ENDLESS)))
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], folder)
    terminal.type(f"{toolkit}/get-training-output cfg.json\n")
    wait_for_steps(folder / "run", terminal.process, 5)
    return terminal, json.loads((folder / "run" / "in-use.json").read_text())["pid"]


def steps_of(folder: Path) -> int:
    return recording_summary(folder / "run")["last_step"]


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return state_of(process) != "Z"


def state_of(process: int) -> str:
    """T = stopped, Z = ended and not yet noticed by its parent (ps has it on every system)."""
    line = ["ps", "-o", "stat=", "-p", str(process)]
    return subprocess.run(line, capture_output=True, text=True).stdout.strip()[:1]
