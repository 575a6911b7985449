"""Linear layers by oneDNN if it is faster: the same numbers, names, hooks and gradients."""

import json

import pytest
import torch

from huggin.asking.examination import Examination
from huggin.model import fast_linear
from huggin.model.fast_linear import onednn_is_faster, speed_up
from huggin.model.loading import head_of
from huggin.qa.config import read_config
from huggin.recording.run_folder import RunFolder

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="a PyTorch without oneDNN"
)
IDS = torch.tensor([[101, 5, 6, 102, 7, 8, 102]])


@pytest.fixture
def models(tiny_run):
    """Twice the same model, the second one sped up."""
    from transformers import AutoModelForQuestionAnswering

    load = AutoModelForQuestionAnswering.from_pretrained
    return load(tiny_run).eval(), speed_up(load(tiny_run).eval(), lambda layer: True)


def onednn_calls(model):
    with torch.profiler.profile() as profile, torch.inference_mode():
        model(IDS)
    return sum(
        event.count for event in profile.key_averages() if event.key == "mkldnn::_linear_pointwise"
    )


def test_the_same_logits_from_other_operators(models):
    usual, fast = models
    linear = sum(isinstance(module, torch.nn.Linear) for module in fast.modules())
    assert (onednn_calls(usual), onednn_calls(fast)) == (0, linear)
    with torch.inference_mode():
        torch.testing.assert_close(
            fast(IDS).start_logits, usual(IDS).start_logits, rtol=1e-4, atol=1e-5
        )


def test_names_and_hooks_stay(models):
    usual, fast = models
    assert list(fast.state_dict()) == list(usual.state_dict())
    seen = []
    with torch.no_grad(), head_of(fast).register_forward_hook(lambda *call: seen.append(call[2])):
        output = fast(IDS)
    assert torch.equal(seen[0][..., 0], output.start_logits)


def test_gradients_are_as_ever(models):
    for model in models:
        model(IDS).start_logits.sum().backward()
    for usual, fast in zip(*(model.parameters() for model in models), strict=True):
        assert usual.grad is fast.grad is None or torch.equal(usual.grad, fast.grad)


def test_other_numbers_than_float32_are_left_alone(models):
    usual, _ = models
    assert onednn_calls(speed_up(usual.to(torch.bfloat16), lambda layer: True)) == 0


def test_where_onednn_is_slower_nothing_changes(models):
    usual, _ = models
    assert onednn_calls(speed_up(usual, lambda layer: False)) == 0


def test_a_layer_of_the_most_common_size_is_timed(models):
    usual, _ = models
    timed = []
    speed_up(usual, timed.append)
    assert [tuple(layer.weight.shape) for layer in timed] == [(16, 16)]


@pytest.mark.parametrize(("onednn", "faster"), [(1.0, True), (1.99, False), (3.0, False)])
def test_the_faster_one_is_found(monkeypatch, onednn, faster):
    layer = torch.nn.Linear(4, 2)
    taken = {layer.forward: 2.0}
    monkeypatch.setattr(fast_linear, "_seconds", lambda way, _: taken.get(way, onednn))
    assert onednn_is_faster(layer) is faster


def test_a_model_that_is_asked_is_sped_up(tiny_run, tiny_cfg, tmp_path, monkeypatch):
    monkeypatch.setattr(fast_linear, "onednn_is_faster", lambda layer: True)
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(output_dir=str(tiny_run))))
    config = read_config(tmp_path / "cfg.json", [])
    assert (
        onednn_calls(Examination.load(config, RunFolder(tiny_run), tiny_run, None).trained.model)
        > 0
    )
