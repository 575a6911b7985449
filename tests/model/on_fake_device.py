"""Training, recording, resuming and asking on a device that refuses (see fake_device.py).

`test_devices.py` runs this file in a process of its own.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import BertConfig, BertForQuestionAnswering

from huggin.asking.examination import Examination
from huggin.asking.rewinding import rewind
from huggin.common.errors import BadValue
from huggin.model.device import choose_device, copy_to_host, describe_device, device_names
from huggin.model.hooks import find_sites, undisturbed
from huggin.qa.arguments import DataArguments
from huggin.qa.config import read_config
from huggin.qa.features import track_samples
from huggin.recording.probe import probe
from huggin.recording.reader import Recording
from huggin.recording.recorder import Recorder
from huggin.recording.run_folder import RunFolder
from tests.conftest import command

DATA = DataArguments(max_seq_length=64, doc_stride=16)


@pytest.fixture
def sample(tokenizer, records):
    return track_samples(Dataset.from_list(records), 1, 0, tokenizer, DATA)[0]


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    model = BertForQuestionAnswering(BertConfig.from_pretrained(tiny / "model"))
    return model.to("raven")


# The device itself


@pytest.mark.parametrize(
    ("misuse", "said"),
    [
        (lambda tensor: tensor.numpy(), "copy it to the CPU first"),
        (lambda tensor: np.asarray(tensor), "copy it to the CPU first"),
        (lambda tensor: tensor.double(), "no float64"),
        (lambda tensor: torch.ones(2, device="raven", dtype=torch.float64), "no float64"),
        (lambda tensor: tensor + torch.ones(2), "expected all tensors on one device"),
    ],
)
def test_it_refuses(misuse, said):
    with pytest.raises((TypeError, RuntimeError), match=said):
        misuse(torch.ones(2, device="raven"))


def test_it_has_random_numbers_of_its_own():
    before = torch.get_rng_state()
    first = torch.rand(3, device="raven").cpu()
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(torch.rand(3, device="raven").cpu(), first)


# Devices


def test_it_is_chosen_unless_something_else_is_said():
    assert device_names() == ["cpu", "raven:0"]
    assert choose_device() == torch.device("raven")
    assert choose_device(use_cpu=True) == torch.device("cpu")
    assert choose_device("raven:0", use_cpu=True) == torch.device("raven:0")
    with pytest.raises(BadValue, match="cuda: not on this machine; choose one of: cpu, raven:0"):
        choose_device("cuda")
    assert describe_device(torch.device("raven:0")) == "raven:0"


def test_a_copy_is_on_the_cpu():
    copy = copy_to_host(torch.arange(3, device="raven"))
    assert copy.is_there
    assert copy.wait().numpy().tolist() == [0, 1, 2]


# Recording


def test_a_probe_leaves_its_random_numbers_alone(model):
    torch.manual_seed(1)
    expected = torch.rand(3, device="raven").cpu()
    torch.manual_seed(1)
    with undisturbed(model):
        torch.rand(3, device="raven")
    assert torch.equal(torch.rand(3, device="raven").cpu(), expected)


def test_a_probe_is_what_the_cpu_computes(model, sample):
    sites = find_sites(model, "all")
    seen = probe(model, sample, sites, DATA)
    expected = probe(model.to("cpu"), sample, sites, DATA)
    np.testing.assert_allclose(seen.start_logits, expected.start_logits, rtol=1e-4, atol=1e-6)
    assert seen.predicted == expected.predicted
    for site in sites:
        np.testing.assert_allclose(
            seen.activations[site], expected.activations[site], rtol=1e-2, atol=1e-4
        )


def test_a_loop_is_recorded(model, sample, tmp_path):
    ids = torch.ones(2, 8, dtype=torch.long, device="raven")
    places = torch.ones(2, dtype=torch.long, device="raven")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    with Recorder(tmp_path / "run", model, [sample], last_step=2) as recorder:
        for step in (1, 2):
            loss = model(input_ids=ids, start_positions=places, end_positions=places).loss
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            recorder.step(step, loss=loss, grad_norm=loss, learning_rate=0.1)
    steps = Recording(tmp_path / "run").steps
    assert steps.loss[1:].tolist() == losses
    expected = model.qa_outputs.weight.detach().cpu().numpy().reshape(-1)
    np.testing.assert_array_equal(steps.weight[-1].reshape(-1), expected)


# Training by run_qa.py


def train(folder: Path, cfg: dict) -> bytes:
    """The trained weights."""
    folder.mkdir(exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(cfg))
    done = command("run_qa.py", "cfg.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "  device    raven:0" in done.stdout
    return (folder / "run" / "model.safetensors").read_bytes()


def test_recording_does_not_change_the_training(tmp_path, tiny_cfg):
    recorded = train(tmp_path / "recorded", tiny_cfg())
    assert train(tmp_path / "plain", tiny_cfg(record=False)) == recorded


@pytest.mark.parametrize("record", [True, False])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, tiny_cfg, record):
    uninterrupted = train(tmp_path, tiny_cfg(record=record))
    run = tmp_path / "run"
    for name in ("checkpoint-6", "checkpoint-8"):
        shutil.rmtree(run / name)
    for name in ("trainer_state.json", "model.safetensors"):
        (run / name).unlink()
    torch.rand(5, device="raven")
    assert train(tmp_path, tiny_cfg(record=record)) == uninterrupted


# Asking


@pytest.fixture
def asked(tiny_run, tiny_cfg, tmp_path):
    """A folder with a run and its cfg."""
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg()))
    return tmp_path


def examination(folder: Path, device: str | None = None, bf16: bool = False) -> Examination:
    run = RunFolder(folder / "run")
    return Examination.load(read_config(folder / "cfg.json", []), run, run.path, None, device, bf16)


def test_questions_are_asked_on_it(asked):
    assert examination(asked).trained.model.device.type == "raven"
    assert examination(asked, "cpu").trained.model.device.type == "cpu"


def test_use_cpu_of_the_cfg_is_respected(asked, tiny_cfg):
    (asked / "cfg.json").write_text(json.dumps(tiny_cfg(use_cpu=True)))
    assert examination(asked).trained.model.device.type == "cpu"
    assert examination(asked, "raven").trained.model.device.type == "raven"


def test_bf16_where_asked(asked):
    one = examination(asked, bf16=True)
    assert one.trained.model.dtype == torch.bfloat16
    assert len(one.ask(seed=0).asked) == 4


@pytest.mark.parametrize("words", [[], ["--bf16"], ["--device", "raven:0", "--batch-size", "3"]])
def test_the_command_answers_and_looks_inside(asked, words):
    done = command("test-qa-efficacy.py", "cfg.json", "--all", *words, cwd=asked)
    assert done.returncode in (0, 1), done.stderr
    assert "/4 right" in done.stdout
    assert list((asked / "run" / "recording").glob("answers-*.arrow"))


def test_answers_are_those_of_the_cpu(asked):
    answers = [
        [one.answer.text for one in examination(asked, device).ask(seed=0, batch_size=2).asked]
        for device in ("raven", "cpu")
    ]
    assert answers[0] == answers[1]


def test_rewinding_finds_what_it_finds_on_the_cpu(asked):
    found = [rewind(asked / "run", 4, device=name).rewound for name in (None, "cpu")]
    for part, of_cpu in zip(found[0].parts, found[1].parts, strict=True):
        np.testing.assert_allclose(part.put_back.loss, of_cpu.put_back.loss, rtol=1e-4)
        assert part.distance == pytest.approx(of_cpu.distance, rel=1e-4)
