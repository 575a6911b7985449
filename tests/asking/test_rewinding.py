"""huggin rewind: parts put back to step 0, where the weights of step 0 come from, what is kept."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForQuestionAnswering

import huggin
from huggin.asking.rewinding import untrained_model
from huggin.common.errors import UserError
from huggin.graphs.parts import draw_rewound
from huggin.model.loading import head_of, load_trained
from huggin.model.parts import TwoStates
from huggin.qa.answers import cross_entropy
from huggin.qa.given import arguments_of
from huggin.recording.reader import Recording
from huggin.recording.results import read_all_rewound
from huggin.recording.run_folder import RunFolder
from tests.conftest import command
from tests.model.test_families import config_of, passed

IDS = [2, 7, 9, 11, 3, 20, 21, 22, 3]


def two_states(run):
    """The trained model, an untrained one, and both in one."""
    recording = Recording(run)
    untrained = untrained_model(recording, arguments_of(recording.facts.cfg)[0]).eval()
    _, trained, _ = load_trained(run, torch.device("cpu"))
    return trained, untrained, TwoStates.of(trained, untrained)


def logits_of(model):
    output = passed(model, IDS)
    return torch.stack([output.start_logits, output.end_logits])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny_run", "pretrained_run"])
def test_nothing_put_back_is_the_trained_model_and_everything_the_untrained_one(name, request):
    trained, untrained, two = two_states(request.getfixturevalue(name))
    after = logits_of(trained)
    before = logits_of(untrained)
    with two.put_back([]) as model:
        assert torch.equal(logits_of(model), after)
    with two.put_back(two.parts) as model:
        assert torch.equal(logits_of(model), before)
    for part in two.parts:
        with two.put_back([part]) as model:
            mixed = logits_of(model)
        assert not torch.equal(mixed, after)
        assert not torch.equal(mixed, before)
    assert torch.equal(logits_of(trained), after)


def test_distances_are_those_of_the_weights(tiny_run):
    trained, untrained, two = two_states(tiny_run)
    assert two.parts == ["embeddings", "layer 1", "layer 2", "head"]
    moved = (head_of(trained).weight - head_of(untrained).weight).flatten()
    biases = head_of(trained).bias - head_of(untrained).bias
    assert two.size("head") == len(moved) + 2
    expected = torch.cat([moved, biases]).double().norm().item()
    assert two.distance("head") == pytest.approx(expected, rel=1e-5)


def test_layers_that_share_their_weights_are_one_part():
    models = [AutoModelForQuestionAnswering.from_config(config_of("albert")) for _ in range(2)]
    assert TwoStates.of(*models).parts == ["embeddings", "layers 1 to 3", "head"]


def test_the_loss_is_torchs():
    logits = torch.randn(3, 5)
    places = torch.tensor([0, 4, 2])
    expected = torch.nn.functional.cross_entropy(logits, places, reduction="none")
    found = cross_entropy(
        np.pad(logits.numpy(), ((0, 0), (0, 2)), constant_values=-np.inf), places.numpy()
    )
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5)


@pytest.fixture
def run(pretrained_run, tmp_path) -> Path:
    return Path(shutil.copytree(pretrained_run, tmp_path / "run"))


@pytest.mark.slow
def test_the_command_keeps_draws_and_prints(run):
    words = ["run", "--samples", "3", "--split", "validation"]
    done = command("rewind", *words, cwd=run.parent)
    assert (done.returncode, done.stderr) == (0, "")
    found = read_all_rewound(RunFolder(run))[-1]
    assert found and found.step == 8
    assert [part.part for part in found.parts] == ["embeddings", "layer 1", "layer 2", "head"]
    assert len(found.questions) == len(found.trained.answer) == 3
    assert found.data == "questions.json (validation data)"
    at = found.questions.index(0)
    expected = Recording(run).probes(0)  # the same question, of one window
    both = (expected.start_loss[-1] + expected.end_loss[-1]) / 2
    assert found.trained.loss[at] == pytest.approx(both, rel=1e-4)
    assert f"{np.mean(found.trained.loss):.2f}" in done.stdout.splitlines()[3]
    assert "change of a weight" in done.stdout
    with Image.open(run / "graphs" / "rewind.png") as picture:
        assert len(set(picture.convert("L").get_flattened_data())) > 20
    (figure,) = draw_rewound(Recording(run), found).values()
    credits = [bar.get_width() for bar in figure.axes[3].containers[0]]
    change = both - (expected.start_loss[0] + expected.end_loss[0]) / 2
    assert sum(credits) == pytest.approx(change, rel=0.01)
    assert list(huggin.figures(run, "rewind").figures) == ["rewind"]
    with pytest.raises(UserError, match="this is drawn of a single run"):
        huggin.figures(run, "rewind", [run.parent])
    again = command("rewind", "run", "--samples", "1", "--checkpoint", "3", cwd=run.parent)
    assert (again.returncode, again.stderr) == (0, "")
    assert (run / "graphs" / "rewind-step-3.png").exists()
    fewer = command("rewind", "run", "--samples", "1", cwd=run.parent)
    (line,) = fewer.stderr.splitlines()
    assert (
        line
        == "huggin rewind: run/rewind.json: the answers to 3 questions after step 8 are replaced"
    )
    assert [entry["step"] for entry in json.loads((run / "rewind.json").read_text())] == [3, 8]


def change_facts(run, **changes):
    path = run / "recording" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refused(run, *words):
    done = command("rewind", "run", *words, cwd=run.parent)
    assert done.returncode == 2
    assert not (run / "rewind.json").exists()
    (line,) = done.stderr.splitlines()
    return line


def test_another_seed_draws_another_head(tiny_run, tmp_path):
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    change_facts(run, seed=7)
    assert "do not come back" in (line := refused(run))
    assert "its head has other weights; nothing can be rewound" in line


def test_a_source_that_has_changed(run):
    source = json.loads((run / "recording" / "run.json").read_text())["cfg"]["model_name_or_path"]
    shutil.copytree(source, run.parent / "source")
    _, other, _ = load_trained(run.parent / "source")
    with torch.no_grad():
        next(other.parameters()).add_(0.1 * torch.randn(16))
    other.save_pretrained(run.parent / "source")
    facts = Recording(run).facts
    change_facts(run, cfg=facts.cfg | {"model_name_or_path": str(run.parent / "source")})
    assert "it answers tracked sample 0 differently" in refused(run)


@pytest.mark.parametrize(
    ("cfg", "said"),
    [
        ({}, "does not say where the model came from; only a run of run_qa.py"),
        ({"model_name_or_path": "gone/away"}, "gone/away: no model found"),
    ],
)
def test_weights_that_cannot_be_had(run, cfg, said):
    change_facts(run, cfg=cfg)
    assert said in refused(run)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--samples", "0"], "--samples: 0: must be 1 or more"),
        (["--checkpoint", "5"], "--checkpoint 5: no such checkpoint; choose 3, 6, 8"),
    ],
)
def test_refusals(run, words, said):
    assert said in refused(run, *words)


def test_what_is_kept_and_damaged(run):
    (run / "rewind.json").write_text('[{"step": 1}]')
    done = command("rewind", "run", cwd=run.parent)
    assert done.returncode == 2
    assert "rewind.json: 0.data: Field required; delete the file" in done.stderr
