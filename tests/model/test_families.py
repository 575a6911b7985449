"""Ten families of models, built small from their configs.

Each one's sites, legend, training, figures, answers and PDFs.
"""

import json
import shutil

import numpy as np
import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForQuestionAnswering,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)

from huggin.common.errors import UserError
from huggin.common.site import Site
from huggin.graphs.nodes import end_sites
from huggin.model.hooks import find_sites, hooked, undisturbed
from huggin.model.loading import head_of, load_model, load_tokenizer, match_tokenizer
from huggin.model.modules import legend_rows
from huggin.qa.answers import ranked_answers
from huggin.qa.arguments import DataArguments, ModelArguments
from huggin.qa.features import track_samples, training_features, windows
from huggin.recording.probe import probe
from huggin.recording.reader import Recording
from tests.conftest import CONTEXT, QUESTIONS, TOKENIZER, command

SMALL = {
    "vocab_size": 983,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
    "pad_token_id": 0,
    "attn_implementation": "eager",
}
PADS_WITH_1 = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "type_vocab_size": 1}
FAMILIES = {
    "bert": {},
    "distilbert": {},
    "roberta": PADS_WITH_1,
    "xlm-roberta": PADS_WITH_1,
    "electra": {"embedding_size": 8},
    "albert": {"embedding_size": 8},
    "mobilebert": {"embedding_size": 8, "intra_bottleneck_size": 8},  # its layers work in 8 units
    "mpnet": PADS_WITH_1,
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "modernbert": {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3},
}
# Layers as in BERT, one layer called three times, layers narrower than the head, something between
# the last layer and the head.
DIFFERENT = ("bert", "albert", "mobilebert", "modernbert")
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
DATA = DataArguments(max_seq_length=64, doc_stride=16)


def config_of(family):
    return AutoConfig.for_model(family, **{**SMALL, **FAMILIES[family]})


def other_tokenizer(family):
    """A tokenizer that pads with 1 and gives two types of tokens.

    Its tokens are bytes, or word pieces that include the blank before them.
    """
    pieces = family == "xlm-roberta"
    backend = Tokenizer(models.Unigram() if pieces else models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Metaspace() if pieces else pre_tokenizers.ByteLevel()
    backend.decoder = decoders.Metaspace() if pieces else decoders.ByteLevel()
    trainer = trainers.UnigramTrainer if pieces else trainers.BpeTrainer
    unknown = {"unk_token": "<unk>"} if pieces else {}
    texts = [CONTEXT, *(text for pair in QUESTIONS for text in pair)]
    wanted = trainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False, **unknown)
    backend.train_from_iterator(texts, wanted)
    backend.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True
    )
    names = ("cls_token", "pad_token", "sep_token", "unk_token", "mask_token")
    return PreTrainedTokenizerFast(tokenizer_object=backend, **dict(zip(names, SPECIAL)))


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    """A model's folder: config.json and a tokenizer; named as its family."""
    folder = tmp_path_factory.mktemp("families") / request.param
    config_of(request.param).save_pretrained(folder)
    if FAMILIES[request.param] is PADS_WITH_1:
        other_tokenizer(request.param).save_pretrained(folder)
    else:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(TOKENIZER / name, folder)
    return folder


@pytest.fixture(scope="module")
def built(family, records):
    """A model with random weights, and a tracked sample."""
    arguments = ModelArguments(model_name_or_path=str(family), pretrained_model=False)
    model, _ = load_model(arguments, seed=1)
    tokenizer = AutoTokenizer.from_pretrained(family)
    match_tokenizer(tokenizer, model, DATA.max_seq_length)
    return model, track_samples(Dataset.from_list(records), 1, 0, tokenizer, DATA)[0]


@pytest.fixture
def tracked(built):
    """A model in training mode with random weights, and a tracked sample."""
    model, sample = built
    return model.train(), sample


def passed(model, ids, **more):
    with undisturbed(model):
        return model(input_ids=torch.tensor([ids]), output_hidden_states=True, **more)


def test_outputs_are_the_hidden_states(family, tracked):
    model, sample = tracked
    with hooked(model, find_sites(model, "all")) as outputs:
        hidden = passed(model, sample.inputs["input_ids"]).hidden_states
    assert len(hidden) == 1 + SMALL["num_hidden_layers"]
    seen = {(site.layer, site.component): output for site, output in outputs.items()}
    assert [layer for layer, component in seen if component == "out"] == [1, 2, 3]
    last = seen[3, "out"]
    if family.name == "modernbert":
        last = model.base_model.final_norm(last)
    for layer, output in enumerate([seen[1, "out"], seen[2, "out"], last], start=1):
        torch.testing.assert_close(output, hidden[layer])


def test_the_self_attentions_are_where_tokens_hear_of_each_other(tracked):
    """With their outputs held, another token changes nothing elsewhere; without, it does."""
    model, sample = tracked
    sites = [site for site in find_sites(model, "all") if site.component == "self"]
    assert [site.layer for site in sites] == [1, 2, 3]
    with hooked(model, sites) as outputs:
        before = passed(model, sample.inputs["input_ids"]).start_logits[0]
    other = list(sample.inputs["input_ids"])
    other[5] = other[5] + 1
    handles = []
    for module in {site.module for site in sites}:
        held = [outputs[site] for site in sites if site.module == module]  # in order of calls

        def replace(_module, _given, output, held=held):
            value = held.pop(0)
            return (value, *output[1:]) if isinstance(output, tuple) else value

        handles.append(model.get_submodule(module).register_forward_hook(replace))
    alone = passed(model, other).start_logits[0]
    for handle in handles:
        handle.remove()
    together = passed(model, other).start_logits[0]
    # MobileBERT embeds a token with its neighbours
    elsewhere = abs(torch.arange(len(other)) - 5) > 1
    torch.testing.assert_close(alone[elsewhere], before[elsewhere])
    assert not torch.equal(together[elsewhere], before[elsewhere])


def test_the_heads_input_times_its_weight_are_the_logits(family, tracked):
    model, sample = tracked
    sites = find_sites(model, "ends")
    assert ("head" in [site.component for site in sites]) == (family.name == "modernbert")
    seen = probe(model, sample, sites, DATA)
    head = head_of(model)
    given = seen.activations[sites[-1]].astype(np.float32)
    logits = given @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    np.testing.assert_allclose(logits[:, 0], seen.start_logits, atol=2e-3)
    np.testing.assert_allclose(logits[:, 1], seen.end_logits, atol=2e-3)
    inside = seen.activations[sites[0]]
    assert inside.shape == given.shape
    assert np.isnan(inside).sum() == (8 * len(given) if family.name == "mobilebert" else 0)


def test_of_many_layers_the_first_and_the_last_attention_are_drawn():
    sites = [Site(layer, component) for layer in (1, 2, 3) for component in ("self", "out")]
    assert end_sites(sites) == [Site(1, "self"), Site(3, "self"), Site(3, "out")]


def test_what_the_head_is_given_is_drawn_last():
    sites = [Site(1, "self"), Site(1, "out"), Site(2, "self"), Site(2, "out")]
    assert end_sites(sites) == [Site(1, "self"), Site(2, "self"), Site(2, "out")]
    assert end_sites([*sites, Site(2, "head")]) == [
        Site(1, "self"),
        Site(2, "self"),
        Site(2, "head"),
    ]


def test_the_legend_tells_of_all_parameters_in_the_order_of_the_data(family, tracked):
    model, _ = tracked
    rows = legend_rows(model)
    assert sum(row.parameters * len(row.numbers) for row in rows) == model.num_parameters()
    numbers = sorted(number for row in rows for number in row.numbers)
    assert numbers == list(range(1, len(numbers) + 1))
    first, last = (
        next(row for row in rows if number in row.numbers) for number in (1, numbers[-1])
    )
    assert (first.names[0].rpartition(".")[2], last.module) in [
        ("word_embeddings", repr(head_of(model))),
        ("tok_embeddings", repr(head_of(model))),
    ]
    attention = next(row for row in rows if "Attention(" in row.module)
    assert len(attention.numbers) == (1 if family.name == "albert" else 3)
    assert attention.module.endswith("(called 3 times)") == (family.name == "albert")


def test_features_have_what_the_model_takes(family, records, tracked):
    model, sample = tracked
    assert ("token_type_ids" in sample.inputs) == (
        family.name in ("bert", "electra", "albert", "mobilebert")
    )
    tokenizer = AutoTokenizer.from_pretrained(family)
    features = training_features(Dataset.from_list(records), tokenizer, DATA)
    marked = [
        row["input_ids"][row["start_positions"] : row["end_positions"] + 1] for row in features
    ]
    texts = {tokenizer.decode(tokens).strip().lower() for tokens in marked}
    assert texts >= {answer.lower() for _, answer in QUESTIONS}
    if FAMILIES[family.name] is PADS_WITH_1:
        with pytest.raises(
            UserError, match="max_seq_length: 65 is more than the model's 64 positions"
        ):
            match_tokenizer(tokenizer, model, 65)
        with pytest.raises(UserError, match="pads with id 0, the model counts positions from 1"):
            match_tokenizer(AutoTokenizer.from_pretrained(TOKENIZER), model, 64)


def test_an_answer_begins_with_its_word():
    tokenizer = other_tokenizer("xlm-roberta")
    placed = windows([QUESTIONS[0][0]], [CONTEXT], tokenizer, DATA)
    at = placed["offset_mapping"][0].index(
        (CONTEXT.index(" ravens"), CONTEXT.index(" ravens") + len(" ravens"))
    )
    logits = np.tile(np.eye(DATA.max_seq_length)[at], (len(placed["record"]), 1))
    assert ranked_answers([CONTEXT], placed, logits, logits, DATA)[0][0].text == "ravens"


@pytest.mark.slow
def test_trained_recorded_drawn_asked(family, tiny_cfg, tmp_path):
    """What each family is drawn for: its layers, its tokens, its legend. The PDF of the training,
    which draws the figures of the other commands, too, is made for those that differ in structure.
    """

    def run(*words, codes=(0,)):
        done = command(*words, cwd=tmp_path)
        assert (done.returncode in codes, "error" in done.stderr) == (True, False), done.stderr

    cfg = tiny_cfg(
        model_name_or_path=str(family),
        max_steps=2,
        output_dir="run",
        node_layers="all",
        report_to="none",
    )
    (tmp_path / "cfg.json").write_text(json.dumps(cfg))
    run("run_qa.py", "cfg.json")
    recording = Recording(tmp_path / "run")
    assert recording.steps.step.tolist() == recording.probes().step.tolist() == [0, 1, 2]
    assert np.abs(recording.steps.weight[2] - recording.steps.weight[0]).max() > 0
    assert {site.component for site in recording.facts.sites} >= {"self", "out"}
    assert recording.layers.norms.shape == (2, len(recording.facts.parts))
    assert recording.lens().start_logits.shape[:2] == (3, 4)
    run("graph-layers", "run")
    run("test-qa-efficacy.py", "cfg.json", "--samples", "4", codes=(0, 1))
    run("create-gv-output.py", "run")
    if family.name in DIFFERENT:
        run("graph-questions", "run")
        run("create-gv-training.py", "run")
    made = [path.name.split("-")[1] for path in tmp_path.glob("gv-graphs/*.pdf")]
    assert sorted(made) == ["output"] + ["training"] * (family.name in DIFFERENT)


@pytest.mark.parametrize(
    ("family", "more", "said"),
    [
        (
            "bert",
            {"num_labels": 3},
            "BertForQuestionAnswering: no head: .* found qa_outputs with 3; choose another",
        ),
        (
            "splinter",
            {},
            "SplinterForQuestionAnswering: no head: looked for one linear layer with two outputs",
        ),
    ],
)
def test_a_model_without_a_head_is_refused(tmp_path, family, more, said):
    AutoConfig.for_model(family, **{**SMALL, **more}).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=said):
        load_model(ModelArguments(model_name_or_path=str(tmp_path), pretrained_model=False), seed=1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", '{"version": "1.0", "added_tokens": [], "model": {}}'),
        ("tokenizer.json", "{}"),
        ("config.json", "[]"),
        ("config.json", '{"model_type": "bert", "hidden_size": "many"}'),
        ("model.safetensors", "torn"),
    ],
)
def test_a_broken_file_of_a_model_is_one_line(tiny_run, tmp_path, name, content):
    folder = shutil.copytree(tiny_run, tmp_path / "model")
    (folder / name).write_text(content)
    model = ModelArguments(model_name_or_path=str(folder))
    with pytest.raises(
        UserError, match="model: no (tokenizer|model) found: .*; name a folder that holds one"
    ):
        load_tokenizer(model)
        load_model(model, seed=1)


@pytest.mark.parametrize(
    ("family", "said"),
    [
        (
            "xlnet",
            r"holds its tokens in another order: .*rel_attn gives \(5, 3, 16\), which is \(tokens,",
        ),
        ("longformer", "cannot be watched: There should be exactly three separator tokens"),
        ("bart", "no list of layers to hook: looked for a single one with attentions"),
    ],
)
def test_a_model_that_cannot_be_watched_is_refused(family, said):
    sizes = {"xlnet": {"vocab_size": 99, "d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32}}
    small = {**SMALL, "d_model": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    model = AutoModelForQuestionAnswering.from_config(
        AutoConfig.for_model(family, **sizes.get(family, small))
    )
    with pytest.raises(UserError, match=said):
        find_sites(model, "ends")
