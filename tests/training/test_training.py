"""run_qa.py as a user types it: train, stop, go on, refuse."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from huggin.recording.exports import recording_summary
from huggin.recording.reader import Recording
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import TABLES
from tests.conftest import command, process


def train(folder: Path, keys: dict) -> subprocess.CompletedProcess[str]:
    (folder / "cfg.json").write_text(json.dumps(keys))
    return command("run_qa.py", "cfg.json", cwd=folder)


def weights(run: Path) -> bytes:
    return (run / "model.safetensors").read_bytes()


def same_rows(one: Path, other: Path) -> bool:
    first, second = Recording(one), Recording(other)
    return all(
        repr(first.table(name).to_pylist()) == repr(second.table(name).to_pylist())
        for name in TABLES
    )


def test_a_run_leaves_model_recording_and_scores(tiny_run):
    assert (tiny_run / "config.json").is_file()
    summary = recording_summary(tiny_run)
    assert {
        key: summary[key]
        for key in ("first_step", "last_step", "steps", "probes", "node_snapshots")
    } == {
        "first_step": 0,
        "last_step": 8,
        "steps": 9,
        "probes": 9,
        "node_snapshots": 3,
    }
    assert (
        summary["missing_steps"],
        summary["duplicate_steps"],
        summary["dropped_tail_bytes"],
    ) == (0, 0, 0)
    steps = Recording(tiny_run).steps
    assert (steps.loss[1:] > 0).all()
    assert (steps.grad_norm[1:] > 0).all()
    assert steps.learning_rate[1] == pytest.approx(1e-3)
    facts = Recording(tiny_run).facts
    assert facts.samples[0].question == "Who owns the ravens?"
    assert [site.component for site in facts.sites] == ["self", "self", "out"]
    scores = json.loads((tiny_run / "eval_results.json").read_text())
    assert scores["step"] == 8
    assert 0 <= scores["eval_exact_match"] <= scores["eval_f1"] <= 100


def test_recording_changes_nothing(tiny_run, tiny_cfg, tmp_path):
    done = train(tmp_path, tiny_cfg(record=False))
    assert done.returncode == 0, done.stderr
    assert weights(tmp_path / "run") == weights(tiny_run)
    assert not (tmp_path / "run" / "recording").exists()


def test_starting_a_finished_run_again_changes_nothing(tiny_run, tmp_path, tiny_cfg):
    copy = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    done = train(tmp_path, tiny_cfg())
    assert done.returncode == 0, done.stderr
    assert weights(copy) == weights(tiny_run)
    assert same_rows(copy, tiny_run)


LONG = {"num_train_epochs": 30, "save_steps": 1000, "do_eval": False}


def stop_after(folder: Path, rows: int, number: int) -> subprocess.Popen[str]:
    """Start a run, and send it a signal once it has recorded that many steps."""
    started = subprocess.Popen(
        process("run_qa.py", "cfg.json"),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_steps(folder / "run", started, rows)
    started.send_signal(number)
    return started


def wait_for_steps(run: Path, process: subprocess.Popen, steps: int = 1) -> None:
    """Wait until a process has recorded more than `steps` steps, or has ended."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if RunFolder(run).facts.exists() and len(Recording(run).table("steps")) > steps:
            return
        time.sleep(0.01)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, tiny_cfg) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    done = train(folder, tiny_cfg(**LONG))
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_end(tmp_path, tiny_cfg, uninterrupted, number, code):
    keys = tiny_cfg(**LONG) | ({"save_steps": 10} if number == signal.SIGKILL else {})
    (tmp_path / "cfg.json").write_text(json.dumps(keys))
    stopped = stop_after(tmp_path, rows=25, number=number)
    out, err = stopped.communicate(timeout=120)
    assert stopped.returncode == code, err
    if number != signal.SIGKILL:
        assert "finishing the step and saving" in err
        assert "the same command goes on from there" in out
    assert recording_summary(tmp_path / "run")["last_step"] < 60
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert recording_summary(tmp_path / "run")["segments"] == 2
    assert weights(tmp_path / "run") == weights(uninterrupted)
    assert same_rows(tmp_path / "run", uninterrupted)


@pytest.mark.slow
def test_a_torn_checkpoint_is_passed_over(tmp_path, tiny_cfg, tiny_run):
    assert train(tmp_path, tiny_cfg()).returncode == 0
    newest = RunFolder(tmp_path / "run").checkpoints()[-1][1]
    os.truncate(newest / "optimizer.pt", 100)
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "checkpoint-8: optimizer.pt has another size than it was saved with" in done.stderr
    assert weights(tmp_path / "run") == weights(tiny_run)
    assert same_rows(tmp_path / "run", tiny_run)


def test_overwrite_starts_anew_and_spares_what_is_not_the_runs(tmp_path, tiny_cfg):
    assert train(tmp_path, tiny_cfg(do_eval=False)).returncode == 0
    (tmp_path / "run" / "notes.txt").write_text("mine")
    (tmp_path / "run" / "efficacy.json").write_text("[]")
    changes = {"overwrite_output_dir": True, "max_steps": 2, "do_eval": False}
    assert train(tmp_path, tiny_cfg(**changes)).returncode == 0
    assert [step for step, _ in RunFolder(tmp_path / "run").checkpoints()] == [2]
    assert recording_summary(tmp_path / "run")["steps"] == 3
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "run" / "efficacy.json").exists()


@pytest.mark.parametrize(
    "changes", [{"learning_rate": 1e-3, "adam_beta1": 2}, {"optim": "adamw_8bit"}]
)
def test_an_old_run_is_deleted_only_when_the_new_one_begins(tiny_run, tmp_path, tiny_cfg, changes):
    copy = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    done = train(tmp_path, tiny_cfg(overwrite_output_dir=True, **changes))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert weights(copy) == weights(tiny_run)
    assert recording_summary(copy)["steps"] == 9
    assert (copy / "recording" / "run.json").read_bytes() == (
        tiny_run / "recording" / "run.json"
    ).read_bytes()


def test_answers_that_no_window_holds_are_counted(tmp_path, tiny_cfg):
    words = " ".join("abcdefghijklmnop" * 5)
    questions = [
        {
            "id": text[:1],
            "context": words,
            "question": "z ?",
            "answers": {"text": [text], "answer_start": [0]},
        }
        for text in ("a b", words)
    ]
    (tmp_path / "long.json").write_text(json.dumps(questions))
    done = train(tmp_path, tiny_cfg(train_file="long.json", max_steps=1, do_eval=False))
    assert done.returncode == 0, done.stderr
    said = "run_qa.py: 1 of 2 answers are longer than any window; these questions are trained"
    assert f"{said} as unanswerable; raise" in done.stderr


def test_a_trained_model_without_checkpoints_is_not_trained_over(tmp_path, tiny_cfg):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "trainer_state.json").write_text("{}")
    done = train(tmp_path, tiny_cfg())
    assert done.returncode == 2
    assert (
        "run: a trained model without a checkpoint; overwrite_output_dir true starts anew"
        in done.stderr
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"model_name_or_path": "nobody/no-such-model"},
            "/nobody/no-such-model, so name a folder that holds one, or a model on the Hub",
        ),
        ({"max_seq_length": 300}, "max_seq_length: 300 is more than the model's 256 positions"),
        ({"seeed": 3}, "seeed: no such key; did you mean seed?"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_nothing(tmp_path, tiny_cfg, changes, said):
    done = train(tmp_path, tiny_cfg(**changes))
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("run_qa.py: error: ")]
    assert done.returncode == 2
    assert said in error
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["cfg.json"]


@pytest.mark.parametrize("name", ["graphs/holiday.png", "recording/song.wav", "checkpoint-5/notes"])
def test_overwriting_refuses_a_folder_that_holds_no_run(tmp_path, tiny_cfg, name):
    mine = tmp_path / "run" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    done = train(tmp_path, tiny_cfg(overwrite_output_dir=True))
    assert done.returncode == 2
    assert "and no run; name another output_dir" in done.stderr
    assert mine.read_text() == "mine"


def test_overwriting_a_run_spares_other_files_in_its_folders(tmp_path, tiny_cfg, tiny_run):
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    assert command("graph-losses.py", "run", cwd=tmp_path).returncode == 0
    mine = [run / "graphs" / "holiday.png", run / "recording" / "song.wav"]
    for path in mine:
        path.write_text("mine")
    (run / "checkpoint-77").mkdir()
    (run / "checkpoint-77" / "notes").write_text("mine")
    keys = tiny_cfg(overwrite_output_dir=True, max_steps=2, do_eval=False)
    assert train(tmp_path, keys).returncode == 0
    assert [path.read_text() for path in mine] == ["mine", "mine"]
    assert (run / "checkpoint-77" / "notes").exists()
    assert not (run / "graphs" / "losses.png").exists()
    assert recording_summary(run)["steps"] == 3


def test_a_bare_output_dir_needs_a_value(tmp_path, tiny_cfg):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg()))
    done = command("run_qa.py", "cfg.json", "--output_dir", cwd=tmp_path)
    assert done.returncode == 2
    assert "output_dir: needs a value" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["cfg.json"]
