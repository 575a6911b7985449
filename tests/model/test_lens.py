"""The head on every layer, and the gradients by part, in ten families of models."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForQuestionAnswering, BertForQuestionAnswering
from transformers.modeling_outputs import QuestionAnsweringModelOutput

from huggin.model.hooks import find_sites
from huggin.model.lens import find_lens
from huggin.model.loading import head_of
from huggin.model.parts import gradient_norms, parameters_by_part
from huggin.recording.probe import probe
from tests.model.test_families import (
    DATA,
    FAMILIES,
    built,  # noqa: F401
    config_of,
    family,  # noqa: F401
    passed,
    tracked,  # noqa: F401
)

LAYERS = 3


def outputs_of(model):
    return [site for site in find_sites(model, "all") if site.component == "out"]


def before_the_head(model, name):
    """What stands between the last layer and the head; no dropout."""
    if name != "modernbert":
        return lambda states: states
    return lambda states: model.head(model.base_model.final_norm(states))


def test_the_lens_is_the_head_on_every_hidden_state(family, tracked):  # noqa: F811
    model, sample = tracked
    lens = find_lens(model)
    assert lens is not None
    assert [site.layer for site in lens.sites] == [0, 1, 2, 3]
    seen = probe(model, sample, [], DATA, lens)
    assert seen.lens.shape == (LAYERS + 1, 2, len(sample.tokens))
    np.testing.assert_allclose(seen.lens[-1, 0], seen.start_logits, atol=1e-5)
    np.testing.assert_allclose(seen.lens[-1, 1], seen.end_logits, atol=1e-5)
    types = {
        name: torch.tensor([ids]) for name, ids in sample.inputs.items() if name == "token_type_ids"
    }
    hidden = passed(model, sample.inputs["input_ids"], **types).hidden_states
    between = before_the_head(model.eval(), family.name)
    for layer in range(LAYERS):  # ModernBERT's last hidden state is normed already
        expected = head_of(model)(between(hidden[layer]))[0].T.detach()
        np.testing.assert_allclose(seen.lens[layer], expected, atol=1e-5)


def test_finding_the_lens_leaves_the_model_as_it_was(tracked):  # noqa: F811
    model, _ = tracked
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    hooks = sum(len(module._forward_hooks) for module in model.modules())
    find_lens(model)
    assert torch.equal(torch.rand(1), expected)
    assert all(module.training for module in model.modules())
    assert sum(len(module._forward_hooks) for module in model.modules()) == hooks


class Odd(BertForQuestionAnswering):
    """Something that is no module stands before the head."""

    def forward(self, **inputs):
        inputs.pop("start_positions", None)
        inputs.pop("end_positions", None)
        states = torch.relu(self.bert(**inputs).last_hidden_state)
        start, end = self.qa_outputs(states).unbind(-1)
        return QuestionAnsweringModelOutput(start_logits=start, end_logits=end)


def test_a_head_behind_a_function_has_no_lens():
    assert find_lens(Odd(config_of("bert"))) is None


def test_a_model_in_bfloat16_has_a_lens():
    model = AutoModelForQuestionAnswering.from_config(config_of("bert")).to(torch.bfloat16)
    assert find_lens(model) is not None


@pytest.mark.parametrize("name", FAMILIES)
def test_parts_hold_every_parameter_once(name):
    model = AutoModelForQuestionAnswering.from_config(config_of(name))
    parts = parameters_by_part(model, outputs_of(model))
    held = [id(parameter) for parameters in parts.values() for parameter in parameters]
    assert sorted(held) == sorted(id(parameter) for parameter in model.parameters())
    layers = ["layers 1 to 3"] if name == "albert" else ["layer 1", "layer 2", "layer 3"]
    rest = ["rest"] if name in ("modernbert", "mpnet", "deberta-v2") else []
    assert list(parts) == ["embeddings", *layers, *rest, "head"]


@pytest.mark.parametrize("name", FAMILIES)
def test_squares_of_the_parts_add_up_to_the_whole_gradient(name):
    torch.manual_seed(0)
    model = AutoModelForQuestionAnswering.from_config(config_of(name))
    ids = torch.randint(5, 99, (2, 12))
    place = torch.tensor([3, 4])
    model(input_ids=ids, start_positions=place, end_positions=place).loss.backward()
    gradients = [parameter.grad.double() for parameter in model.parameters()]
    parts = parameters_by_part(model, outputs_of(model))
    norms = gradient_norms(parts.values())
    for norm, parameters in zip(norms, parts.values(), strict=True):
        expected = sum(parameter.grad.double().square().sum() for parameter in parameters).sqrt()
        assert norm.item() == pytest.approx(expected.item(), rel=1e-5)
        assert norm > 0
    whole = sum(gradient.square().sum() for gradient in gradients)
    assert norms.double().square().sum().item() == pytest.approx(whole.item(), rel=1e-5)
    clipped = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9).item()
    assert clipped**2 == pytest.approx(whole.item(), rel=1e-5)


def test_a_frozen_part_has_norm_0():
    model = AutoModelForQuestionAnswering.from_config(config_of("bert"))
    parts = parameters_by_part(model, outputs_of(model))
    for parameter in parts["layer 2"]:
        parameter.requires_grad_(False)
    place = torch.tensor([3])
    ids = torch.arange(5, 15)[None]
    model(input_ids=ids, start_positions=place, end_positions=place).loss.backward()
    norms = dict(zip(parts, gradient_norms(parts.values()).tolist(), strict=True))
    assert norms["layer 2"] == 0
    assert all(norm > 0 for name, norm in norms.items() if name != "layer 2")
