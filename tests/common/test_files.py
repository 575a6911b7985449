"""Files are whole or absent; errors are one line."""

import subprocess
import sys

import pytest

from huggin.common.files import replacing, write_json
from huggin.common.text import printable
from tests.conftest import ROOT


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
        ("KeyboardInterrupt", 130, "stopped by Ctrl-C"),
        ("BrokenPipeError", 2, "error: BrokenPipeError; check"),  # of another pipe than stdout
    ],
)
def test_a_door_turns_errors_into_one_line_and_a_code(raised, code, said):
    program = f"from huggin.common.cli import *\ndef main(argv=None):\n    raise {raised}\nrun_command(main)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 1


def test_control_characters_do_not_reach_the_terminal():
    assert printable("a\x1b[2Jb\tc\nd\x00é世") == "a\ufffd[2Jb\tc\nd\ufffdé世"


def test_a_defect_is_not_taken_for_an_answer():
    program = "from huggin.common.cli import *\ndef main(argv=None):\n    raise KeyError('x')\nrun_command(main)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 70
    assert "Traceback" in done.stderr
    assert "please report it" in done.stderr
