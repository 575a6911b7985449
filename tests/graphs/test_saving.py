"""Figures' files, windows, and what the commands print of a run's texts."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from pypdf import PdfReader

from huggin.common.cli import CommandParser
from huggin.graphs.arguments import add_options, load_matplotlib
from huggin.graphs.saving import NO_WINDOW, metadata_of, save_figures
from huggin.graphs.style import drawn_for, new_figure, say_drawn_for
from tests.conftest import ROOT, command, spawned

HOSTILE = "\x1b[2J\x1b]0;mine\x07 Which \x9b31mraven\x00?"
FORBIDDEN = {chr(code) for code in (*range(32), *range(127, 160))} - {"\n", "\t"}


@pytest.fixture
def run(tiny_run, tmp_path) -> Path:
    """A copy of the finished run that a test may write to."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def without_screen(**changes: str) -> dict[str, str]:
    """The environment of a process on a computer without a screen."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    return {name: value for name, value in os.environ.items() if name not in hidden} | changes


@pytest.mark.parametrize("backend", ["nonsense", "module://matplotlib_inline.backend_inline"])
def test_mplbackend_stays_as_it_is(monkeypatch, backend):
    monkeypatch.setenv("MPLBACKEND", backend)
    add_options(CommandParser("Draw.", "python graph.py"), "--show")
    assert os.environ["MPLBACKEND"] == backend
    load_matplotlib()
    assert os.environ["MPLBACKEND"] == backend


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["nonsense", "module://nowhere.backend"])
def test_show_without_a_screen_says_so_and_saves(run, backend):
    environment = without_screen(MPLBACKEND=backend)
    done = spawned("graph-losses.py", "run", "--show", cwd=run.parent, env=environment)
    assert (done.returncode, done.stdout) == (0, "run/graphs/losses.png\n")
    assert done.stderr == f"{NO_WINDOW}\n"
    assert (run / "graphs" / "losses.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["graph-losses", "graph-layers"])
def test_settings_of_matplotlib_in_the_folder_change_nothing(run, name):
    (run.parent / "matplotlibrc").write_bytes(b"font.size: 1e9\ntext.usetex: True\n\xff")
    # a process that has not loaded matplotlib yet
    line = [sys.executable, "-m", "huggin.common.console", name, "run"]
    environment = os.environ | {"MPLBACKEND": "nonsense", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, cwd=run.parent, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_pyplot_is_loaded_only_for_windows(run):
    code = (
        "import runpy, sys; sys.argv = ['graph-losses.py', 'run']\n"
        f"try: runpy.run_path({str(ROOT / 'graph-losses.py')!r}, run_name='__main__')\n"
        "finally: print('matplotlib.pyplot' in sys.modules)"
    )
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, cwd=run.parent, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False", done.stderr


@pytest.mark.slow
def test_every_figure_says_what_it_was_drawn_for(run):
    words = ["run", "--node", "12", "--format", "png,pdf,svg"]
    assert command("graph-weights.py", *words, cwd=run.parent).returncode == 0
    said = "node 12, ranked by share, sample 0"
    with Image.open(run / "graphs" / "weights.png") as picture:
        assert picture.info["Description"] == said
        assert picture.info["Title"].startswith("Weights of the head by node: none changed by")
        title = picture.info["Title"]
    metadata = PdfReader(run / "graphs" / "weights.pdf").metadata
    assert (metadata.subject, metadata.title) == (said, title)
    assert said in (run / "graphs" / "weights.svg").read_text()


class Counted(Line2D):
    """A line that counts how often it is drawn."""

    drawn = 0

    def draw(self, renderer):
        self.drawn += 1
        super().draw(renderer)


def test_a_figure_is_drawn_once_for_each_of_its_files(tmp_path):
    figure = new_figure(4, 3, "Ravens")
    line = Counted([0, 1], [0, 1])
    figure.add_subplot().add_line(line)
    layout = figure.get_layout_engine()
    save_figures({"ravens": figure}, tmp_path, show=False, formats=("png", "pdf"))
    assert line.drawn == 2
    assert figure.get_layout_engine() is layout  # a window places the parts anew when it is resized


def test_facts_that_are_not_there_are_left_out():
    figure = Figure()
    assert metadata_of(figure, "png") == {}
    say_drawn_for(figure, node=None, ranked_by="share")
    assert drawn_for(figure) == "ranked by share"


def test_control_characters_are_not_in_metadata(tmp_path, capsys):
    figure = Figure()
    figure.suptitle("a\x1b[2Jb")
    save_figures({"one": figure}, tmp_path, show=False)
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.info["Title"] == "a\N{REPLACEMENT CHARACTER}[2Jb"
    assert capsys.readouterr().out == f"{tmp_path / 'one.png'}\n"


@pytest.fixture
def hostile_run(run) -> Path:
    """A run whose names and texts try to act on the terminal."""
    path = run / "recording" / "run.json"
    facts = json.loads(path.read_text())
    facts |= {"data_name": HOSTILE, "model_name": HOSTILE, "model_class": HOSTILE}
    facts["samples"][0]["question"] = HOSTILE
    path.write_text(json.dumps(facts))
    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["graph-weights.py", "run"],
        ["graph-weights.py", "run", "--all-rankings"],
        ["graph-weights.py", "run", "other"],
        ["graph-losses.py", "run"],
        ["graph-logits.py", "run", "--over-time"],
        ["graph-logits.py", "run", "--sample", HOSTILE.replace("\x00", "")],
        ["graph-node-logits.py", "run", "--share"],
        ["graph-node-logits.py", "run", "--share", "--token", "\x1b[31m"],
        pytest.param(["create-gv-training.py", "run"], marks=pytest.mark.slow),
    ],
    ids=lambda words: "-".join(words[:4]).encode("unicode_escape").decode(),
)
def test_no_escape_sequence_reaches_the_terminal(hostile_run, words):
    if "other" in words:
        shutil.copytree(hostile_run, hostile_run.with_name("other"))
    done = command(*words, cwd=hostile_run.parent)
    assert done.returncode in (0, 2), done.stderr
    assert FORBIDDEN & set(done.stdout + done.stderr) == set()
