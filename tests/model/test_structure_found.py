"""Structure is found with a real window: models that take no other, and models that are none."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForQuestionAnswering, BertForTokenClassification

from huggin.common.errors import UserError
from huggin.common.window import Window
from huggin.model.hooks import find_sites, hooked, undisturbed
from huggin.model.lens import find_lens
from huggin.model.loading import head_of, name_of_head
from tests.model.test_families import SMALL, config_of

LONG = {"sep_token_id": 2, "bos_token_id": 0, "eos_token_id": 2, "attention_window": 8}


def window(*ids: int) -> Window:
    """A question of one token and a context; ids: all tokens, the special ones included."""
    size = len(ids)
    parts = ["special", "question", *["special"] * 2, *["context"] * (size - 5), "special"]
    return Window(
        index=0,
        question="who?",
        context="",
        answer="",
        tokens=[str(one) for one in ids],
        parts=parts,
        gold_start=4,
        gold_end=4,
        inputs={"input_ids": list(ids), "attention_mask": [1] * size},
    )


def small(family: str, **more) -> torch.nn.Module:
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **{**SMALL, "pad_token_id": 1, **more})
    return AutoModelForQuestionAnswering.from_config(config)


def test_longformer_is_watched_with_its_three_separators():
    model = small("longformer", **LONG)
    seen = window(0, 9, 2, 2, 10, 11, 12, 2)
    with pytest.raises(UserError, match="cannot be watched"):
        find_sites(model, "all")
    sites = find_sites(model, "all", seen)
    assert [site.layer for site in sites if site.component == "out"] == [1, 2, 3]
    inputs = {name: torch.tensor([ids]) for name, ids in seen.inputs.items()}
    with undisturbed(model), hooked(model, sites) as outputs:
        logits = model(**inputs).start_logits
    last = outputs[sites[-1]]
    assert last.shape[:2] == (1, 8)
    torch.testing.assert_close(head_of(model)(last)[..., 0], logits)


def test_what_a_model_pads_by_itself_is_cut_off():
    model = small("longformer", **LONG)
    seen = window(0, 9, 2, 2, 10, 11, 12, 13, 14, 2)  # 10 tokens: padded to 16
    sites = find_sites(model, "all", seen)
    inputs = {name: torch.tensor([ids]) for name, ids in seen.inputs.items()}
    with undisturbed(model), hooked(model, sites) as outputs:
        model(**inputs)
    assert {outputs[site].shape[1] for site in sites} == {10}


def test_the_head_may_be_inside_another_module():
    model = small("big_bird", attention_type="original_full")
    assert name_of_head(model) == "qa_classifier.qa_outputs"
    sites = find_sites(model, "ends", window(0, 9, 2, 2, 10, 11, 12, 2))
    assert sites[-1].component == "head"
    assert find_lens(model, window(0, 9, 2, 2, 10, 11, 12, 2)) is None  # no chain before its head


def test_a_head_with_two_outputs_is_not_enough():
    model = BertForTokenClassification(config_of("bert"))
    assert head_of(model).out_features == 2
    with pytest.raises(UserError, match="gives no start and end logits; choose a model for"):
        find_sites(model, "ends", window(2, 9, 3, 3, 10, 11, 3))
