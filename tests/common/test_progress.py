"""Progress bars: on a terminal, after a while, and nowhere else."""

import ast

import pytest

from huggin.common.progress import progress
from tests.conftest import ROOT


class Screen:
    """A stderr that is a terminal, and remembers what it shows."""

    encoding = "utf-8"

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


def test_a_terminal_shows_a_bar(monkeypatch):
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    assert list(progress(range(3), label="asking", unit="questions", delay=0)) == [0, 1, 2]
    assert "asking" in screen.text
    assert "questions" in screen.text


def test_short_work_shows_none(monkeypatch):
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    assert list(progress(range(3), label="asking", unit="questions")) == [0, 1, 2]
    assert screen.text == ""


def test_a_log_gets_none(capsys):
    with progress(total=2, label="asking", unit="questions", delay=0) as bar:
        bar.update()
    assert capsys.readouterr().err == ""


BENCH = [path for path in (ROOT / "bench").rglob("*.py") if ".venv" not in path.parts]
FILES = [*ROOT.glob("*.py"), *(ROOT / "huggin").rglob("*.py"), *BENCH]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_bar_is_made_in_one_place(path):
    called = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert "tqdm" not in called or path.name == "progress.py"
