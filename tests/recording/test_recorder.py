"""Probes leave no trace; hooks are gone after success and after an exception."""

import random

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import AutoTokenizer, BertConfig, BertForQuestionAnswering

from huggin.common.errors import UserError
from huggin.common.site import Site
from huggin.model.hooks import find_sites, hooked, undisturbed
from huggin.qa.arguments import DataArguments
from huggin.qa.features import track_samples
from huggin.recording.probe import probe
from huggin.recording.reader import Recording
from huggin.recording.recorder import Recorder, schedule

DATA = DataArguments(max_seq_length=64, doc_stride=16)


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    return BertForQuestionAnswering(BertConfig.from_pretrained(tiny / "model"))


@pytest.fixture
def sample(tiny, records):
    tokenizer = AutoTokenizer.from_pretrained(tiny / "model")
    return track_samples(Dataset.from_list(records), 1, 0, tokenizer, DATA)[0]


def hooks(model):
    return sum(len(module._forward_hooks) for module in model.modules())


def test_sites(model):
    ends = [
        Site(1, "self", "bert.encoder.layer.0.attention.self"),
        Site(2, "self", "bert.encoder.layer.1.attention.self"),
    ]
    assert find_sites(model, "ends") == [*ends, Site(2, "out", "bert.encoder.layer.1")]
    assert len(find_sites(model, "all")) == 4


def test_a_model_without_layers_is_refused():
    with pytest.raises(UserError, match="no list of layers to hook: .*; set record to false"):
        find_sites(torch.nn.Linear(2, 2), "ends")


def test_hooks_read_what_the_model_computes(model, sample):
    inputs = {name: torch.tensor([ids]) for name, ids in sample.inputs.items()}
    hidden = model.eval()(**inputs, output_hidden_states=True).hidden_states
    before = hooks(model)  # transformers has hooks of its own for hidden states
    with hooked(model, find_sites(model, "all")) as outputs:
        model(**inputs)
    for site, output in outputs.items():
        if site.component == "out":
            torch.testing.assert_close(output, hidden[site.layer])
    assert hooks(model) == before


def test_hooks_are_gone_after_an_exception(model):
    with pytest.raises(ZeroDivisionError), hooked(model, find_sites(model, "all")):
        assert hooks(model) == 4
        raise ZeroDivisionError
    with (
        pytest.raises(AttributeError),
        hooked(model, [*find_sites(model, "ends"), Site(9, "out", "bert.nowhere")]),
    ):
        pass
    assert hooks(model) == 0


def random_numbers():
    return random.random(), np.random.rand(), torch.rand(1).item()


def seed():
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)


@pytest.mark.parametrize("fails", [False, True])
def test_a_probe_leaves_no_trace(model, fails):
    model.train()
    model.bert.embeddings.dropout.eval()  # a module that the user froze
    seed()
    expected = random_numbers()
    seed()
    try:
        with undisturbed(model):
            assert not model.training
            assert not torch.is_grad_enabled()
            random_numbers()
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert random_numbers() == expected
    assert torch.is_grad_enabled()
    assert model.bert.encoder.training
    assert not model.bert.embeddings.dropout.training


def test_a_probe_is_the_models_own_answer(model, sample):
    sites = find_sites(model, "ends")
    seen, again = (
        probe(model.train(), sample, sites, DATA),
        probe(model.train(), sample, sites, DATA),
    )
    np.testing.assert_array_equal(seen.start_logits, again.start_logits)  # dropout is off
    inputs = {name: torch.tensor([ids]) for name, ids in sample.inputs.items()}
    gold = {
        "start_positions": torch.tensor([sample.gold_start]),
        "end_positions": torch.tensor([sample.gold_end]),
    }
    with undisturbed(model):
        expected = model(**inputs, **gold)
    np.testing.assert_array_equal(seen.start_logits, expected.start_logits[0].numpy())
    assert (seen.start_loss + seen.end_loss) / 2 == pytest.approx(expected.loss.item())
    last = seen.activations[sites[-1]].astype(np.float32)
    start_logits = (
        last @ model.qa_outputs.weight[0].detach().numpy() + model.qa_outputs.bias[0].item()
    )
    np.testing.assert_allclose(start_logits, seen.start_logits, atol=2e-3)


def test_schedule():
    assert schedule(100, 3) == {0, 50, 100}
    assert schedule(4, 200) == {0, 1, 2, 3, 4}
    assert len(schedule(14754, 200)) == 200
    assert schedule(2, 10**12) == {0, 1, 2}
    assert {0, 14754} <= schedule(14754, 32)


def test_recorder_rows(model, sample, tmp_path):
    with Recorder(tmp_path, model, [sample], 4, probe_points=3, node_points=2) as recorder:
        for step in range(1, 5):
            with torch.no_grad():
                model.qa_outputs.weight += 1
            loss = torch.tensor(float("nan") if step == 2 else 0.75)
            recorder.step(step, loss=loss, grad_norm=torch.tensor(3.0), learning_rate=1e-3)
    assert recorder.not_finite == 1
    recording = Recording(tmp_path)
    np.testing.assert_array_equal(recording.steps.loss, [np.nan, 0.75, np.nan, 0.75, 0.75])
    np.testing.assert_array_equal(recording.steps.grad_norm, [np.nan, 3, 3, 3, 3])
    np.testing.assert_allclose(recording.steps.weight[4] - recording.steps.weight[1], 3, atol=1e-5)
    assert recording.probes().step.tolist() == [0, 2, 4]
    assert sorted(set(recording.table("nodes")["step"].to_pylist())) == [0, 4]
