"""The table of a folder of runs."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import command


@pytest.fixture
def runs(tiny_run, tmp_path) -> Path:
    """A finished run, one that goes on, one in a folder below, two broken ones, and other folders.

    None of them has its checkpoints and model, which no table reads.
    """
    folder = tmp_path / "runs"
    for name in ("done", "older/going on", "damaged", "no recording"):
        without = shutil.ignore_patterns("checkpoint-*", "*.safetensors")
        shutil.copytree(tiny_run, folder / name, ignore=without)
    (folder / "older" / "going on" / "trainer_state.json").write_text('{"global_step": 4}')
    (folder / "older" / "going on" / "eval_results.json").unlink()
    (folder / "damaged" / "recording" / "run.json").write_text("{")
    shutil.rmtree(folder / "no recording" / "recording")
    (folder / "notes" / "pictures").mkdir(parents=True)
    return folder


def test_a_line_for_each_run(runs):
    done = command("huggin_utils.py", "runs", cwd=runs.parent)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line[:14].strip() for line in lines] == [
        *("run", "damaged", "done", "no recording", "older/going on"),
    ]
    state = "BertForQuestionAnswering-NoPretrain-8-questions.json"
    assert "run.json: its content: Invalid JSON" in lines[1]
    assert f"{state}         8  " in lines[2]
    assert "nothing recorded here" in lines[3]
    assert f"{state}  8 so far  " in lines[4]


def test_the_numbers_are_those_of_the_run(runs, tiny_run):
    done = command("huggin_utils.py", "runs", "--csv", cwd=runs.parent)
    rows = {row["folder"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
    row = rows["runs/done"]
    scores = json.loads((tiny_run / "eval_results.json").read_text())
    assert (float(row["exact_match"]), float(row["f1"])) == (
        scores["eval_exact_match"],
        scores["eval_f1"],
    )
    steps = command("huggin_utils.py", tiny_run, "--csv", "steps", cwd=runs).stdout
    *_, last = csv.DictReader(io.StringIO(steps))
    assert (int(row["steps"]), float(row["loss"])) == (8, float(last["loss"]))
    files = [path for path in (runs / "done").rglob("*") if path.is_file()]
    assert int(row["size"]) == sum(path.stat().st_size for path in files)
    assert (row["finished"], rows["runs/older/going on"]["finished"]) == ("True", "False")
    assert rows["runs/damaged"]["problem"] and not rows["runs/damaged"]["steps"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["runs", "--csv", "steps"],
            "runs: a folder of runs; name one of them, such as runs/damaged",
        ),
        (["runs", "--tensorboard", "out"], "runs: a folder of runs; name one of them"),
        (["runs/done", "--csv"], "runs/done: no folder of runs; name a table: steps, probes"),
        (["runs/notes"], "nothing recorded here; run get-training-output first"),
    ],
)
def test_what_does_not_fit_is_refused(runs, words, text):
    done = command("huggin_utils.py", *words, cwd=runs.parent)
    assert done.returncode == 2
    assert text in done.stderr
