"""Who may go on with a run, and with which cfg."""

import json
import os
import shutil
from pathlib import Path

import pytest

from huggin.common.errors import UserError
from huggin.recording.exports import recording_summary
from huggin.recording.run_folder import RunFolder, locked
from tests.conftest import ROOT
from tests.training.test_overnight import train_here
from tests.training.test_training import train


@pytest.fixture
def finished(tiny_run, tmp_path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(tiny_run, tmp_path / "run")))


# 6. Twice at once


def test_the_second_in_one_folder_says_who_holds_it(tmp_path, tiny_cfg):
    with locked(RunFolder(tmp_path / "run")):
        done = train(tmp_path, tiny_cfg())
    assert done.returncode == 2
    assert f"run: in use by process {os.getpid()} on " in done.stderr
    assert not (tmp_path / "run").exists()


# 7. A changed cfg


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 7}, "seed was 42, is now 7"),
        ({"max_seq_length": 60}, "max_seq_length was 64, is now 60"),
        ({"probe_samples": 2}, "probe_samples was 1, is now 2"),
        ({"probe_data": "validation"}, "probe_data was train, is now validation"),
        ({"max_train_samples": 3}, "training data was "),
        (
            {"learning_rate": 1e-4, "optim": "sgd"},
            "learning_rate was 0.001, is now 0.0001; optim was ",
        ),
        (
            {"model_name_or_path": str(ROOT / "sample" / "bert-tiny")},
            "model_name_or_path was model, is now bert-tiny",
        ),
    ],
)
def test_what_would_make_nonsense_of_the_recording_is_refused_by_name(
    finished, tmp_path, tiny_cfg, changes, said
):
    before = finished.facts.read_bytes()
    with pytest.raises(UserError, match="begun with other settings") as refused:
        train_here(tmp_path, tiny_cfg(num_train_epochs=6, **changes))
    assert said in str(refused.value)
    assert finished.facts.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 7}, "8 steps, begun with other settings: seed was 42, is now 7)"),
        # with a batch of 1 an epoch has more steps, as in one process instead of two
        ({"per_device_train_batch_size": 1}, "per_device_train_batch_size was 2, is now 1)"),
        ({"max_steps": 8, "max_train_samples": 3}, "training data was "),
    ],
)
def test_a_finished_run_is_finished_whatever_changed(finished, tmp_path, tiny_cfg, changes, said):
    before = finished.facts.read_bytes()
    done = train(tmp_path, tiny_cfg(**changes))
    assert done.returncode == 0, done.stderr
    assert "run: already trained (8 steps, begun with other settings: " in done.stdout
    assert said in done.stdout
    assert finished.facts.read_bytes() == before


def test_a_finished_run_says_what_changed(finished, tmp_path, tiny_cfg):
    begun = json.loads(finished.facts.read_text())
    begun["fixed"]["world_size"] = 2  # as torchrun trained it
    finished.facts.write_text(json.dumps(begun))
    done = train(tmp_path, tiny_cfg())
    assert done.returncode == 0, done.stderr
    said = "run: already trained (8 steps, begun with other settings: world_size was 2, is now 1)"
    assert f"{said}; nothing to do" in done.stdout


@pytest.mark.usefixtures("finished")
def test_more_epochs_and_other_intervals_go_on(tmp_path, tiny_cfg):
    assert train_here(tmp_path, tiny_cfg(num_train_epochs=6, save_steps=5, logging_steps=1)) == 0
    summary = recording_summary(tmp_path / "run")
    assert (summary["last_step"], summary["segments"], summary["missing_steps"]) == (12, 2, 0)
