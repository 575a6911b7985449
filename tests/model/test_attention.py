"""Where attention heads read from, in ten families of models."""

import numpy as np
import torch

from huggin.asking.answering import attention_of_answer
from huggin.model.hooks import attention_rows
from tests.model.test_families import (
    SMALL,
    built,  # noqa: F401
    family,  # noqa: F401
    passed,
    tracked,  # noqa: F401
)


def test_rows_are_those_of_the_model_which_stays_as_it_is(family, tracked):  # noqa: F811
    model, sample = tracked
    ids = sample.inputs["input_ids"]
    model.set_attn_implementation("eager")
    attentions = passed(model, ids, output_attentions=True).attentions
    usual = "eager" if family.name in ("mpnet", "deberta-v2") else "sdpa"  # these have no other
    model.set_attn_implementation(usual)
    before = passed(model, ids)
    rows = attention_rows(model, {"input_ids": ids}, [3, 0])
    assert rows is not None
    assert rows.shape == (SMALL["num_hidden_layers"], SMALL["num_attention_heads"], 2, len(ids))
    expected = torch.stack([layer[0][:, [3, 0]] for layer in attentions])
    np.testing.assert_allclose(rows, expected.numpy(), atol=1e-3)
    np.testing.assert_allclose(rows.astype(np.float32).sum(axis=-1), 1, atol=1e-2)
    assert model.config._attn_implementation == usual
    assert model.training
    assert torch.equal(passed(model, ids).start_logits, before.start_logits)


def test_a_model_without_attention_weights(tracked, monkeypatch, capsys):  # noqa: F811
    model, sample = tracked
    forward = type(model).forward

    def without(self, *args, **kwargs):
        output = forward(self, *args, **kwargs)
        output.attentions = None
        return output

    monkeypatch.setattr(type(model), "forward", without)
    assert attention_of_answer(model, sample) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("gives no attention weights; the answer is kept without them")
