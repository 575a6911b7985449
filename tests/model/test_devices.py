"""Devices: which one computes, and that all works on one that refuses (see fake_device.py)."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from transformers import TrainingArguments

from huggin.common.errors import UserError
from huggin.model.device import (
    choose_device,
    copy_to_host,
    describe_device,
    random_states,
    save_random_states,
    use_one_gpu,
)
from huggin.recording.run_folder import RunFolder
from tests.conftest import ROOT, command, python
from tests.training.test_overnight import train_here

no_accelerator = pytest.mark.skipif(
    torch.accelerator.is_available(), reason="this machine has an accelerator"
)


@pytest.mark.slow
def test_all_that_uses_an_accelerator_works_on_one_that_refuses():
    words = ["-n", "0", "-p", "tests.model.fake_device", "tests/model/on_fake_device.py"]
    line = [python(), "-m", "pytest", *words]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:]


@no_accelerator
def test_without_an_accelerator_the_cpu_computes(tmp_path):
    assert choose_device() == torch.device("cpu")
    assert random_states() == {}
    save_random_states(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["cuda:99", "meta", "nonsense", ""])
def test_a_device_that_is_not_here_is_refused(tiny_run, tiny_cfg, tmp_path, name):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(output_dir=str(tiny_run))))
    done = command("test-qa-efficacy.py", "cfg.json", "--device", name, cwd=tmp_path)
    said = f"test-qa-efficacy.py: error: --device {name}: not on this machine; choose one of: cpu"
    assert (done.returncode, done.stderr.startswith(said)) == (2, True), done.stderr


def test_what_is_on_the_cpu_is_not_copied():
    tensor = torch.ones(3)
    assert copy_to_host(tensor).wait() is tensor


def test_a_training_says_where_it_is(tmp_path, tiny_cfg):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(use_cpu=True, max_steps=1)))
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    assert f"  device    {describe_device(torch.device('cpu'))}\n" in done.stdout


# Several GPUs without torchrun


def test_one_gpu_of_several_is_taken(tmp_path, capsys):
    training = TrainingArguments(str(tmp_path), per_device_train_batch_size=4)
    assert training.device
    training._n_gpu = 2
    use_one_gpu(training)
    assert (training.n_gpu, training.train_batch_size) == (1, 4)
    assert "trains on one of 2 GPUs; torchrun takes more" in capsys.readouterr().err


@pytest.fixture
def begun(tiny_run, tmp_path):
    """A finished run, and the settings that its run.json fixes."""
    run = RunFolder(Path(shutil.copytree(tiny_run, tmp_path / "run")))
    return run, json.loads(run.facts.read_text())


def test_a_run_begun_on_two_gpus_at_once_is_not_resumed_on_one(begun, tmp_path, tiny_cfg):
    run, facts = begun
    facts["fixed"]["n_gpu"] = 2
    run.facts.write_text(json.dumps(facts))
    with pytest.raises(UserError, match="n_gpu was 2, is now 1"):
        train_here(tmp_path, tiny_cfg(num_train_epochs=5))


def test_a_run_of_an_earlier_version_is_resumed(begun, tmp_path, tiny_cfg):
    run, facts = begun
    assert facts["fixed"].pop("n_gpu") == 1
    run.facts.write_text(json.dumps(facts))
    assert train_here(tmp_path, tiny_cfg(num_train_epochs=5)) == 0
