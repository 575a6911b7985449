"""Pretrained weights are those of the file, all of them, or an error says which are not."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForMaskedLM, BertForPreTraining, LlamaForCausalLM

from huggin.common.errors import UserError
from huggin.model.loading import load_model, load_trained
from huggin.qa.arguments import ModelArguments
from tests.conftest import TOKENIZER, command
from tests.model.test_families import FAMILIES, SMALL, config_of

WEIGHTS = "model.safetensors"


def saved(folder, model):
    """A model's folder with a tokenizer."""
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / name, folder)
    return folder


def bert(folder, **more):
    return saved(folder, BertForPreTraining(AutoConfig.for_model("bert", **{**SMALL, **more})))


def with_names(folder, change):
    file = folder / WEIGHTS
    tensors = {change(name): tensor for name, tensor in load_file(file).items()}
    save_file(tensors, file, {"format": "pt"})
    return folder


def with_keys(folder, **keys):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))
    return folder


def load(folder, trains=True):
    return load_model(ModelArguments(model_name_or_path=str(folder)), 1, trains)


def llama(folder):
    config = AutoConfig.for_model("llama", **SMALL, num_key_value_heads=2)
    return saved(folder, LlamaForCausalLM(config))


def roberta_as_bert(folder):
    roberta = AutoModelForMaskedLM.from_config(config_of("roberta"))
    return with_keys(saved(folder, roberta), model_type="bert", architectures=["BertModel"])


NOT_LOADED = {
    "a causal decoder": (llama, "begin with 'model.', that of the class that they were saved"),
    "torch.compile": (
        lambda folder: with_names(bert(folder), "_orig_mod.{}".format),
        "begin with '_orig_mod.', torch.compile's, so they were not loaded; take that off",
    ),
    "DDP": (
        lambda folder: with_names(bert(folder), "module.{}".format),
        "begin with 'module.', that of DistributedDataParallel or DataParallel",
    ),
    "a wrapper": (
        lambda folder: with_names(bert(folder), "encoder.{}".format),
        "begin with 'encoder.', that of a wrapper or of another family",
    ),
    "another family": (
        roberta_as_bert,
        "begin with 'roberta.', that of a wrapper or of another family",
    ),
    "names of its own": (
        lambda folder: with_names(bert(folder), lambda name: name.replace("a", "b")),
        "not the weights of this BertForQuestionAnswering: 50 of its tensors were not loaded",
    ),
    "more layers in the config": (
        lambda folder: with_keys(bert(folder), num_hidden_layers=4),
        r"16 of its tensors were not loaded \(bert.encoder.layer.3.attention.output.",
    ),
    "fewer layers in the config": (
        lambda folder: with_keys(bert(folder), num_hidden_layers=2),
        r"16 weights are for no tensor of it \(encoder.layer.2.attention.output.LayerNorm.bias",
    ),
    "another size": (
        lambda folder: with_keys(bert(folder), intermediate_size=48),
        r"encoder.layer.0.intermediate.dense.bias \(32,\) for \(48,\)",
    ),
}


@pytest.mark.parametrize(("make", "said"), NOT_LOADED.values(), ids=NOT_LOADED)
def test_weights_that_are_not_loaded_are_an_error(tmp_path, make, said):
    make(tmp_path / "model")
    with pytest.raises(UserError, match=said):
        load(tmp_path / "model")


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "model."])
def test_without_the_prefix_the_weights_are_loaded(tmp_path, prefix):
    """What docs/troubleshooting.md says."""
    if prefix == "model.":
        folder = llama(tmp_path / "model")
    else:
        folder = with_names(bert(tmp_path / "model"), f"{prefix}{{}}".format)
    tensors = load_file(with_names(folder, lambda name: name.removeprefix(prefix)) / WEIGHTS)
    model, weights = load(folder)
    assert weights == "pretrained weights, new QA head"
    stems = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}
    for name, tensor in model.base_model.state_dict().items():
        assert torch.equal(tensor, stems[name])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_head_alone_may_be_new(tmp_path, family):
    """As in bert-base-uncased: a pooler, a head of another task."""
    of = BertForPreTraining if family == "bert" else AutoModelForMaskedLM.from_config
    other = of(config_of(family))
    other.save_pretrained(tmp_path)
    model, weights = load(tmp_path)
    assert weights == "pretrained weights, new QA head"
    before = other.base_model.state_dict()
    for name, tensor in model.base_model.state_dict().items():
        assert torch.equal(tensor, before[name])
    model.save_pretrained(tmp_path / "trained")
    assert load(tmp_path / "trained", trains=False)[1] == "pretrained weights"


def test_the_plan_names_the_new_head_and_the_numbers(tmp_path, tiny_cfg):
    bert(tmp_path / "model", vocab_size=1500).joinpath(WEIGHTS)
    half = {
        name: tensor.half()
        for name, tensor in load_file(tmp_path / "model/model.safetensors").items()
    }
    save_file(half, tmp_path / "model" / WEIGHTS, {"format": "pt"})
    with_keys(tmp_path / "model", dtype="float16")
    keys = tiny_cfg(model_name_or_path="model", pretrained_model=True, dry_run=True)
    (tmp_path / "cfg.json").write_text(json.dumps(keys))
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "parameters, pretrained weights, new QA head, in float16\n" in done.stdout
    with_keys(tmp_path / "model", dtype="float32")  # as docs/data-and-models.md says
    assert load(tmp_path / "model")[1] == "pretrained weights, new QA head"


def test_no_score_comes_from_a_head_that_is_new(tmp_path, tiny_cfg):
    bert(tmp_path / "model")
    keys = tiny_cfg(model_name_or_path="model", pretrained_model=True, do_train=False)
    (tmp_path / "cfg.json").write_text(json.dumps(keys))
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "model: its weights have no QA head; set do_train to true\n" in done.stderr


def test_a_trained_model_lacks_nothing(tmp_path, tiny_run):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    file = run / WEIGHTS
    whole = load_file(file)
    assert load_trained(run)[2] == 8
    for gone, said in (
        ("qa_outputs.bias", "its weights have no QA head; run get-training-output first"),
        ("bert.embeddings.LayerNorm.bias", r"1 of its tensors were not loaded \(bert.embeddings.L"),
    ):
        save_file({name: whole[name] for name in whole.keys() - {gone}}, file, {"format": "pt"})
        with pytest.raises(UserError, match=said):
            load_trained(run)
