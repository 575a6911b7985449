"""Each sentence that a start says is true."""

import json
import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from huggin.common.errors import UserError
from huggin.recording.run_folder import RunFolder
from huggin.training.notify import notifying, result_in_words
from tests.conftest import command
from tests.training.test_training import weights

# Writes what a command that is told finds in its environment.
TELL = f"""{sys.executable} -c "import os, pathlib
text = os.environ['HUGGIN_RESULT'] + ' ' + os.environ['HUGGIN_EXIT_CODE']
pathlib.Path(os.environ['TOLD']).write_text(text)" """

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def trained(tiny_run, tiny_cfg, tmp_path) -> Path:
    """A folder with cfg.json and a finished run of 8 steps."""
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg()))
    shutil.copytree(tiny_run, tmp_path / "run")
    return tmp_path


def test_a_plan_comes_first(tiny_cfg, tmp_path):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg()))
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("run_qa.py: starting with cfg.json")
    lines = done.stdout.splitlines()
    assert lines[0] == "this training:"
    assert "  training  8 steps: 4 epochs of 2 steps, 2 windows in a step" in lines
    assert any(line.startswith("  data      questions.json, 4 windows") for line in lines)
    assert lines[-1] == "  huggin graph-logits run --over-time"
    assert "{" not in done.stdout  # no dictionaries


def test_a_finished_run_says_so_and_stays_as_it_is(trained):
    before = weights(trained / "run")
    results = (trained / "run" / "eval_results.json").stat().st_mtime_ns
    done = command("run_qa.py", "cfg.json", cwd=trained)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "run: already trained (8 of 8 steps); nothing to do; "
        "--overwrite_output_dir true starts anew\n"
    )
    assert weights(trained / "run") == before
    assert (trained / "run" / "eval_results.json").stat().st_mtime_ns == results


def test_other_questions_in_an_older_file_are_noticed(trained, tiny_cfg, records):
    """As after `mv`, which keeps the time of a file."""
    data = trained / "questions.json"
    records = [*records[:3], {**records[3], "question": "What else?"}]
    data.write_text(json.dumps(records))
    os.utime(data, (0, 0))
    cfg = tiny_cfg(train_file=str(data))
    (trained / "cfg.json").write_text(json.dumps(cfg))
    path = trained / "run" / "recording" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"cfg": cfg}))
    done = command("run_qa.py", "cfg.json", cwd=trained)
    assert "begun with other settings: training data was " in done.stdout + done.stderr


def test_scores_that_are_missing_are_measured_without_training(trained):
    """As after a power cut in the last evaluation."""
    results = trained / "run" / "eval_results.json"
    before = json.loads(results.read_text())
    results.unlink()
    model = weights(trained / "run")
    done = command("run_qa.py", "cfg.json", cwd=trained)
    assert done.returncode == 0, done.stderr
    assert "already trained (8 of 8 steps); not evaluated yet, which is done now" in done.stdout
    assert json.loads(results.read_text()) == before
    assert weights(trained / "run") == model


def test_fewer_epochs_than_are_there_is_a_line(trained):
    done = command("run_qa.py", "cfg.json", "--num_train_epochs", "2", cwd=trained)
    assert "already trained (8 steps, more than the 4 that are asked for)" in done.stdout
    assert done.returncode == 0


def test_a_resumed_start_says_where_it_goes_on(trained):
    done = command("run_qa.py", "cfg.json", "--num_train_epochs", "6", cwd=trained)
    assert done.returncode == 0, done.stderr
    assert "run: going on from step 8 of 12, checkpoint of " in done.stdout
    assert "run: trained, 12 steps" in done.stdout


def test_too_little_disk_is_refused_before_training(tiny_cfg, tmp_path, monkeypatch):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg()))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, 1000))
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    assert done.returncode == 2
    (error,) = [line for line in done.stderr.splitlines() if "error:" in line]
    assert "needed, 1 MB free on its disk; make room" in error
    assert RunFolder(tmp_path / "run").checkpoints() == []


def test_a_dry_run_writes_nothing(tiny_cfg, tmp_path):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg()))
    faster = ("--bf16", "true", "--train_sampling_strategy", "group_by_length")
    done = command("run_qa.py", "cfg.json", "--dry-run", *faster, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "this training would be:" in done.stdout
    assert "(1 thread), in bf16" in done.stdout
    assert "s for a step, about" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["cfg.json"]


def test_a_dry_run_of_a_training_that_evaluates_on_the_way(tiny_cfg, tmp_path):
    keys = tiny_cfg(eval_strategy="steps", eval_steps=2)
    (tmp_path / "cfg.json").write_text(json.dumps(keys))
    done = command("run_qa.py", "cfg.json", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "  time      " in done.stdout


def test_a_dry_run_finds_a_wrong_record(tiny_cfg, records, tmp_path):
    records = [*records, records[0] | {"id": "last", "context": " "}]
    (tmp_path / "wrong.json").write_text(json.dumps(records))
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(train_file="wrong.json")))
    done = command("run_qa.py", "cfg.json", "--dry-run", cwd=tmp_path)
    assert done.returncode == 2
    assert "record 5 (id 'last'): empty context" in done.stderr


def test_a_command_is_told_how_it_ended(trained, monkeypatch):
    monkeypatch.setenv("TOLD", str(trained / "told"))
    command("run_qa.py", "cfg.json", "--notify", TELL, cwd=trained)
    assert (trained / "told").read_text() == "run: done 0"
    others = ("--seed", "7", "--num_train_epochs", "9")
    command("run_qa.py", "cfg.json", "--notify", TELL, *others, cwd=trained)
    assert (trained / "told").read_text().startswith("failed: run: begun with other settings")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UserError("a.json: no such key"), "failed: a.json: no such key 2"),
        (RuntimeError("CUDA out of memory"), "failed: not enough memory; close other programs"),
        (ZeroDivisionError(), "failed: this is a defect of the toolkit"),
        (SystemExit(143), "runs/one: stopped 143"),
    ],
)
def test_a_command_is_told_of_every_bad_end(tmp_path, monkeypatch, error, told):
    monkeypatch.setenv("HUGGIN_MORE_FOLLOWS", "1")  # as in a driver
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    with pytest.raises(type(error)), notifying(TELL, "runs/one"):
        raise error
    assert (tmp_path / "told").read_text().startswith(told)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "done"),
        (137, "killed by signal 9"),
        (143, "stopped, saved"),
        (3, "failed with exit code 3"),
    ],
)
def test_an_exit_code_in_words(code, words):
    assert result_in_words(code, "runs/one") == f"runs/one: {words}"


def test_a_driver_tells_the_good_end_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("HUGGIN_MORE_FOLLOWS", "1")
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    with notifying(TELL, "runs/one"):
        pass
    assert not (tmp_path / "told").exists()


def test_a_hostile_name_does_not_reach_the_terminal(tmp_path):
    done = command("run_qa.py", "\x1b[2J.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
