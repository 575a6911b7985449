"""Standard output: hostile texts, closed, full, in ASCII, without a reader; bars in a log."""

import json
import os
import subprocess
import sys

import pytest

from huggin.common.cli import exit_code_of
from huggin.common.streams import Stream, lasting_output, output_is_lost, standing_in, warn
from tests.conftest import ROOT

SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from huggin.common.cli import run_command
from huggin.common.streams import warn
def main(argv=None):
    {body}
    return 0
run_command(main)
"""


def run(tmp_path, body, prefix="", suffix="", **environment):
    """Run a command in a shell; its exit code is the pipeline's first."""
    script = tmp_path / "command.py"
    script.write_text(SCRIPT.format(root=str(ROOT), body=body))
    line = f"{prefix}{sys.executable} {script}{suffix}"
    shell = f"set -o pipefail; {line}"
    return subprocess.run(
        ["bash", "-c", shell],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **environment},
    )


def test_data_cannot_act_on_the_terminal(tmp_path):
    done = run(tmp_path, r"print('a\x1b[2Jb\tc'); warn('d\x1b]0;x\x07')")
    assert done.stdout == "a\ufffd[2Jb\tc\n"
    assert done.stderr == "d\ufffd]0;x\ufffd\n"


def test_a_reader_that_leaves_is_no_error_for_bytes_either(tmp_path):
    """As of a table in CSV, which Arrow writes past the text stream."""
    writes = "[sys.stdout.buffer.write(b'x' * 9999 + b'\\n') for _ in range(1000)]"
    done = run(tmp_path, writes, suffix=" | head -n 1")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_leaves_is_no_error(tmp_path):
    done = run(tmp_path, "[print('x' * 1000) for _ in range(10_000)]", suffix=" | head -n 1")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_broken_pipe_that_is_not_stdout_is_an_error(tmp_path):
    done = run(tmp_path, "raise BrokenPipeError(32, 'Broken pipe')")
    assert done.returncode == 2


def test_a_full_disk_under_stdout_is_said(tmp_path):
    done = run(tmp_path, "print('x')", suffix=" > /dev/full")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_files(tmp_path, closed):
    """A file that the command opens does not get the number of the closed one."""
    body = "file = open('x.txt', 'w'); print('printed'); warn('warned'); file.close()"
    done = run(tmp_path, body, suffix=f" {closed}")
    assert done.returncode == 0
    assert (tmp_path / "x.txt").read_text() == ""


def test_a_terminal_in_ascii(tmp_path):
    done = run(tmp_path, r"print('é世'); warn('ß')", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert done.stdout == "\\xe9\\u4e16\n"


def test_no_memory_is_one_line(capsys):
    def main(_argv=None):
        raise MemoryError

    assert exit_code_of(main) == 2
    assert "not enough memory; close other programs" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_names_that_no_file_can_have(name, capsys):
    def main(_argv=None):
        with open(name) as file:  # noqa: PTH123
            file.read()
        return 0

    assert exit_code_of(main) == 2
    assert "a path holds characters" in capsys.readouterr().err


class Broken:
    encoding = "utf-8"

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")

    flush = write


def test_a_lasting_stream_goes_on(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Broken())
    with standing_in(), lasting_output():
        print("lost")
        assert output_is_lost()


def test_other_streams_tell(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Broken())
    warn("lost")  # nobody can be told
    with pytest.raises(BrokenPipeError):
        Stream(Broken()).write("x")


@pytest.mark.slow
def test_a_log_file_gets_no_bars(tmp_path, tiny_cfg):
    """In a process that loads the libraries itself: they ask then whether to show bars."""
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(eval_strategy="epoch")))
    with (tmp_path / "log").open("wb") as log:
        line = [sys.executable, ROOT / "run_qa.py", "cfg.json"]
        done = subprocess.run(line, cwd=tmp_path, stdout=log, stderr=log)
    assert done.returncode == 0
    written = (tmp_path / "log").read_bytes()
    assert b"EM" in written
    assert b"\r" not in written
