"""The benchmarks: each explains itself without the rivals; what they share measures rightly."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import start
from bench.measure import Asked, Spread, alternate, last_line, ratios, row, short, spread
from tests.conftest import ROOT

LIBRARIES = ("measure.py", "one_step.py", "by_steps.py")
LOADING_TORCH = ("efficacy.py", "recording.py", "training.py")


def scripts() -> list:
    """The names of all scripts; those that load torch before they answer are marked as slow."""
    names = sorted(path.name for path in (ROOT / "bench").glob("*.py"))
    return [
        pytest.param(name, marks=pytest.mark.slow) if name in LOADING_TORCH else name
        for name in names
        if name not in LIBRARIES
    ]


@pytest.mark.parametrize("script", scripts())
def test_every_script_explains_itself(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    module = importlib.import_module(f"bench.{script.removesuffix('.py')}")
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 0
    explained = capsys.readouterr().out
    assert f"python bench/{script}" in explained
    assert "--quick" in explained
    pages = (ROOT / "README.md", ROOT / "bench" / "README.md")
    assert any(script in page.read_text() for page in pages)


@pytest.mark.parametrize("driver", start.DRIVERS)
def test_a_hollow_folder_needs_no_installation(driver, tmp_path, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    folder = start.hollow(tmp_path)
    before = installed_in(folder)
    done = subprocess.run([folder / driver], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "installing" not in done.stderr
    assert installed_in(folder) == before


def installed_in(folder: Path) -> dict[str, bytes]:
    files = [path for path in (folder / ".venv").rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files}


def test_a_spread_is_median_lowest_and_highest():
    assert spread([5.0, 1.0, 2.0]) == Spread(2.0, 1.0, 5.0)
    assert str(spread([1234.5, 0.5])) == "617.5 (0.5 to 1,234)"


def test_ratios_are_of_the_same_round():
    measured = {
        "one": [2.0, 20.0, 6.0],
        "other": [1.0, 10.0, 2.0],
    }  # the second round was slow for both
    assert ratios(measured, "one", "other") == Spread(2.0, 2.0, 3.0)


def test_contenders_take_turns_and_every_other_round_is_backwards():
    asked: list[str] = []

    def contender(name):
        return lambda: asked.append(name) or float(len(asked))

    measured = alternate({name: contender(name) for name in "abc"}, rounds=2)
    assert "".join(asked) == "abccba"
    assert measured == {"a": [1.0, 6.0], "b": [2.0, 5.0], "c": [3.0, 4.0]}


def test_no_round_begins_when_the_time_is_up_but_the_first():
    assert alternate({"a": lambda: 1.0}, rounds=5, seconds=-1) == {"a": [1.0]}


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [
        ({"most": 2}, "at most 2: met"),
        ({"most": 1.9}, "at most 1.9: MISSED"),
        ({"least": 2}, "at least 2: met"),
    ],
)
def test_a_row_says_whether_the_median_meets_its_target(limits, verdict, capsys):
    row("a step", Spread(2.0, 1.0, 9.0), "ms", **limits)
    assert capsys.readouterr().out == f"| a step | 2 (1 to 9) ms | {verdict} |\n"


def test_the_last_line_is_read_by_machines(capsys):
    last_line("reading", Spread(100.25, 1 / 3, 14_754.0))
    name, *numbers = capsys.readouterr().out.split()
    assert (name, [float(number) for number in numbers]) == ("reading", [100.25, 0.333333, 14754.0])


@pytest.mark.slow  # loads TensorFlow
def test_masks_for_an_error_lie_on_the_line_of_those_that_were_measured():
    lime = importlib.import_module("bench.lime")
    assert lime.masks_for({100: 0.02, 400: 0.01}) == pytest.approx(1600)
    assert lime.masks_for({100: 0.002, 400: 0.001}) == 100
    assert lime.targets_of("mobilenet_v2_imagenet, 14 segments")["predict"] == 0.35
    assert lime.targets_of("the sample, 34 segments") == lime.USUAL


def test_numbers_are_short():
    assert [short(number) for number in (14_754, 1.00051, 0.0123456)] == [
        "14,754",
        "1.0005",
        "0.012346",
    ]


def test_a_process_is_asked_elsewhere_and_hears_no_libraries(tmp_path, monkeypatch):
    (tmp_path / "rivals").mkdir()
    code = f"""
import os, sys
sys.path.append({str(ROOT / "bench")!r})
from measure import serve
def answer(number):
    print("a library's line")
    return {{"double": 2 * number, "here": os.getcwd()}}
serve(answer)
"""
    (tmp_path / "rivals" / "double.py").write_text(code)
    monkeypatch.setattr("bench.measure.BENCH", tmp_path)
    with Asked(sys.executable, "double.py") as process:
        answers = [process.ask(number=number) for number in (1, 2)]
    assert [answer["double"] for answer in answers] == [2, 4]
    assert answers[0]["here"] not in json.dumps([str(ROOT), str(tmp_path)])


def test_a_process_that_ends_is_named(tmp_path, monkeypatch):
    (tmp_path / "rivals").mkdir()
    (tmp_path / "rivals" / "gone.py").write_text("")
    monkeypatch.setattr("bench.measure.BENCH", tmp_path)
    with (
        pytest.raises(SystemExit, match=r"gone\.py: ended"),
        Asked(sys.executable, "gone.py") as process,
    ):
        process.ask(number=1)
