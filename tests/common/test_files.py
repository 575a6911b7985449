"""Files are whole or absent; errors are one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from huggin.common.errors import UserError
from huggin.common.files import read_json, read_text, replacing, write_json
from huggin.common.text import printable
from tests.conftest import ROOT

PROGRAM = """
from huggin.common.cli import *
def main(argv=None):
    raise {raised}
run_command(main)
"""


def test_a_file_is_replaced_whole(tmp_path):
    write_json(tmp_path / "new" / "a.json", {"ä": 1})
    write_json(tmp_path / "new" / "a.json", {"ä": 2})
    assert (tmp_path / "new" / "a.json").read_text(encoding="utf-8") == '{\n  "ä": 2\n}\n'
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.json"]


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as beside:
        beside.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_that_was_meant(tmp_path):
    with (
        pytest.raises(OSError, match="No space left") as refused,
        replacing(tmp_path / "a.txt") as beside,
    ):
        raise OSError(28, "No space left on device", str(beside))
    assert refused.value.filename == str(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        ("UserError('x: wrong; mend it')", 2, "error: x: wrong; mend it"),
        (r"UserError('\x1b[2Jx')", 2, "error: \ufffd[2Jx"),
        (
            "OSError(28, 'No space left on device', 'a.png')",
            2,
            "error: a.png: No space left on device; check the path",
        ),
        (
            "FileExistsError(17, 'File exists', 'mine')",
            2,
            "error: mine: a file, where a folder is needed; name another",
        ),
        ("KeyboardInterrupt", 130, "stopped by Ctrl-C"),
        ("BrokenPipeError", 2, "error: BrokenPipeError; check"),  # of another pipe than stdout
    ],
)
def test_a_door_turns_errors_into_one_line_and_a_code(raised, code, said):
    program = PROGRAM.format(raised=raised)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 1


def test_control_characters_do_not_reach_the_terminal():
    assert printable("a\x1b[2Jb\tc\nd\x00é世") == "a\ufffd[2Jb\tc\nd\ufffdé世"


def test_a_defect_is_not_taken_for_an_answer():
    program = PROGRAM.format(raised="KeyError('x')")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 70
    assert "Traceback" in done.stderr
    assert "please report it" in done.stderr


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to("real.txt")
    with replacing(link) as beside:
        beside.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_a_pipe_or_folder_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("pipe", "folder", "loop"):
        with pytest.raises(OSError), replacing(tmp_path / name):  # noqa: PT011 (each has its own)
            pytest.fail("nothing is to be written")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "loop", "pipe"]
    assert (tmp_path / "pipe").is_fifo()


def test_a_device_is_written_to():
    """A terminal stands for /dev/full and others, which no test should touch."""
    master, slave = os.openpty()
    name = Path(os.ttyname(slave))
    with replacing(name) as beside:
        beside.write_text("shown")
    assert os.read(master, 100) == b"shown"
    assert name.is_char_device()
    os.close(master)
    os.close(slave)


def test_what_killed_processes_left_is_removed_by_the_next(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = tmp_path / f".{gone.pid}-a.json"
    kept = [tmp_path / f".{os.getppid()}-a.json", tmp_path / f".{gone.pid}-b.json"]
    for path in (left, *kept):
        path.write_text("half")
    write_json(tmp_path / "a.json", 1)
    assert not left.exists()
    assert all(path.exists() for path in kept)


def test_only_plain_files_of_sane_size_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: not a regular file; name one"):
        read_text(tmp_path / "pipe")
    (tmp_path / "large").write_text("x" * 11)
    with pytest.raises(UserError, match="11 bytes are too many; at most 10 are read"):
        read_text(tmp_path / "large", most=10)
    for content in (b"\xff", b"{", b"[" * 100_000):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(UserError, match="bad: not "):
            read_json(tmp_path / "bad")
