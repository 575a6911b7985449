"""Watching a program: signals, and what py-spy cannot do. The real py-spy looks once."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from huggin.common.errors import UserError
from huggin.tracking.watch import Looks, read_samples, watch

ALL = Looks(0.05, None, 0)
SAVE = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
open("ready", "w").close()
time.sleep(60)
"""
NOBODY = 65534


@pytest.fixture(autouse=True)
def handlers():
    """Signals as they were before the test."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Write a py-spy of some lines of shell, which is found instead of ours; returns a folder."""

    def make(lines: str) -> Path:
        spy = write_script(tmp_path / "bin" / "py-spy", lines)
        monkeypatch.setattr("huggin.tracking.watch.shutil.which", lambda *_, **__: str(spy))
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return make


@pytest.fixture
def mac(tmp_path, monkeypatch):
    """A system where only root may look, with a sudo that writes down how it was called."""
    monkeypatch.setattr("huggin.tracking.watch.ONLY_ROOT_MAY_LOOK", True)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def make(refusing: bool = False) -> Path:
        calls = tmp_path / "sudo-calls"
        write_script(
            tmp_path / "bin" / "sudo",
            f'printf "%s\\n" "$*" >> {calls}\n'
            f'if [ "$1" = -v ]; then exit {int(refusing)}; fi\n'
            'shift; exec "$@"',
        )
        return calls

    return make


def write_script(path: Path, lines: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.slow
def test_py_spy_looks_until_the_child_ends(fake, tmp_path):
    fake("echo \"$@\" > options; echo 'py-spy> Samples: 20 Errors: 3'")
    child = python("import time; time.sleep(0.6); raise SystemExit(3)")
    ending = watch(child, Looks(0.25, 20, 0), tmp_path / "out")
    assert (ending.code, ending.missed, ending.trouble) == (3, 3, "")
    assert ending.looked < ending.seconds
    options = (tmp_path / "options").read_text()
    assert "--rate 4 " in options
    assert "--duration" not in options


@pytest.mark.slow
def test_a_child_that_ends_early(fake, tmp_path):
    fake("sleep 0.5; echo 'Error: no such process'; exit 1")
    ending = watch(python("raise SystemExit(2)"), ALL, tmp_path / "out")
    assert (ending.code, ending.trouble) == (2, "")
    assert watch(python("import os; os.kill(os.getpid(), 9)"), ALL, tmp_path / "out").code == 137


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "told"), [("echo 'Error: disk full'; exit 1", "disk full"), ("exit 4", "exit code 4")]
)
def test_a_py_spy_that_fails_does_not_end_the_training(fake, tmp_path, lines, told):
    fake(lines)
    ending = watch(python("import time; time.sleep(0.5)"), ALL, tmp_path / "out")
    assert (ending.code, ending.trouble) == (0, told)


@pytest.mark.slow
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


def test_on_macos_py_spy_alone_runs_by_sudo(fake, mac, tmp_path, capsys):
    calls = mac()
    fake("echo 'py-spy> Samples: 2 Errors: 0'")
    out = tmp_path / "out"
    child = python("import os; assert 'SUDO' not in os.environ; open('child', 'w').close()")
    ending = watch(child, ALL, out)
    assert (ending.code, ending.trouble) == (0, "")
    assert (tmp_path / "child").exists()
    ask, look = calls.read_text().splitlines()
    assert ask == "-v"
    assert look.startswith(f"-n {tmp_path / 'bin' / 'py-spy'} record ")
    assert out.exists()  # made by us, so that a py-spy that is root does not own it
    assert "sudo may ask for your password" in capsys.readouterr().err


def test_on_macos_nothing_is_trained_if_sudo_is_refused(fake, mac, tmp_path):
    mac(refusing=True)
    fake("touch looked")
    with pytest.raises(UserError, match="sudo was refused"):
        watch(python("open('child', 'w').close()"), ALL, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "sudo-calls"]


def test_on_macos_a_start_by_sudo_is_refused(fake, mac, tmp_path, monkeypatch):
    mac()
    fake("touch looked")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", "501")
    with pytest.raises(UserError, match="start it without sudo"):
        watch(python("open('child', 'w').close()"), ALL, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_no_py_spy(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="py-spy not found; run ./setup"):
        watch(["never"], ALL, tmp_path / "out")


@pytest.mark.slow
def test_the_real_py_spy_sees_a_child(tmp_path):
    code = "import time\ndef wait():\n    time.sleep(2)\nwait()"
    try:
        ending = watch(python(code), ALL, tmp_path / "out")
    except UserError as error:
        pytest.skip(f"no ptrace here: {error}")
    samples = read_samples(tmp_path / "out")
    assert (ending.code, ending.trouble) == (0, "")
    assert samples
    seen = [(frame.function, frame.line) for frame in samples[len(samples) // 2]]
    assert seen == [("<module>", 4), ("wait", 3)]
