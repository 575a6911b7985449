"""The drawing of a forward pass: boxes, arrows and shapes of every family, columns, whole files."""

import re
from pathlib import Path

import pytest
import torch
import transformers
from transformers import AutoModelForQuestionAnswering

from huggin.model.forward_pass import ForwardPass, Part, forward_pass
from huggin.model.modules import boxes_of, legend_rows
from huggin.pages.legend_drawing import _column_starts
from tests.conftest import TOKENIZER, command

SMALL = {
    "Bert": {},
    "DistilBert": {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 32},
    "Roberta": {},
    "Albert": {"embedding_size": 8},
    "Electra": {"embedding_size": 8},
    "MPNet": {},
    "DebertaV2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "ModernBert": {
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "cls_token_id": 1,
        "sep_token_id": 2,
    },
    "MobileBert": {"embedding_size": 8, "intra_bottleneck_size": 8, "true_hidden_size": 8},
}


def model_of(family: str, layers: int = 3) -> torch.nn.Module:
    sizes = {
        "vocab_size": 50,
        "hidden_size": 16,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
    }
    changes = SMALL[family]
    keys = changes if "dim" in changes else sizes | {"intermediate_size": 32} | changes
    config = getattr(transformers, f"{family}Config")(**{"vocab_size": 50} | keys)
    with torch.device("meta"):
        return AutoModelForQuestionAnswering.from_config(config, attn_implementation="eager").eval()


def reached(passed: ForwardPass, start: int) -> set[int]:
    found = {start}
    for tail, head in passed.arrows:  # in the order of the data
        if tail in found:
            found.add(head)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("family", SMALL)
def test_every_family_is_drawn_from_its_input_to_its_logits(family):
    model = model_of(family)
    passed = forward_pass(model)
    index = {part.name: at for at, part in enumerate(passed.parts)}
    assert all(tail < head for tail, head in passed.arrows)
    numbers = {part.number for part in passed.parts if part.number}
    boxes = boxes_of(model)
    assert boxes[0][2] == 1  # a pass that failed and was tried again counts once
    assert {
        passed.parts[at].name: passed.parts[at].number
        for at in index.values()
        if passed.parts[at].number
    } == {name: number for number, (name, *_) in enumerate(boxes, start=1) if number in numbers}
    idle = {
        name: module
        for number, (name, module, _) in enumerate(boxes, start=1)
        if number not in numbers
    }
    idle.pop("deberta.encoder.rel_embeddings", None)  # not called: its layers read the weight
    assert (
        sum(parameter.numel() for module in idle.values() for parameter in module.parameters()) == 0
    )
    for logits in ("start_logits", "end_logits"):
        assert passed.parts[index[logits]].shape == "1 × 16"
        assert index[logits] in reached(passed, index["input_ids"])
    fed = {head for _, head in passed.arrows}
    loose = [
        part.name for at, part in enumerate(passed.parts) if at not in fed and not part.is_tensor
    ]
    assert all(
        re.search("position|type|rotary|relative", name) for name in loose
    )  # made from the places alone


def test_berts_parts_are_what_its_code_does():
    passed = forward_pass(model_of("Bert", layers=1))
    names = [part.name.rpartition("bert.")[2] for part in passed.parts]
    arrows = {(names[tail], names[head]) for tail, head in passed.arrows}
    layer = "encoder.layer.0"
    assert arrows >= {
        ("input_ids", "embeddings.word_embeddings"),
        ("embeddings.dropout", f"{layer}.attention"),
        (f"{layer}.attention", f"{layer}.intermediate"),
        (f"{layer}.intermediate", f"{layer}.output"),
        (f"{layer}.attention", f"{layer}.output"),  # the residual
        ("qa_outputs", "start_logits"),
        ("qa_outputs", "end_logits"),
    }
    shapes = {name: part.shape for name, part in zip(names, passed.parts)}
    assert shapes[f"{layer}.attention"] == "1 × 16 × 16, 1 × 2 × 16 × 16"
    assert shapes[f"{layer}.intermediate"] == "1 × 16 × 32"
    assert shapes["qa_outputs"] == "1 × 16 × 2"
    assert [name for name in names if name.startswith("add")] == ["add 1", "add 2"]


def test_a_shared_layer_is_passed_each_time():
    passed = forward_pass(model_of("Albert", layers=3))
    assert sum(part.name.endswith("attention") for part in passed.parts) == 3
    assert len({part.number for part in passed.parts if part.name.endswith("attention")}) == 1


@pytest.mark.parametrize(
    ("depth", "boxes"),
    [
        (0, [""]),
        (1, ["bert", "qa_outputs"]),
        (2, ["bert.embeddings", "bert.encoder", "qa_outputs"]),
    ],
)
def test_depth_says_what_a_box_is(depth, boxes):
    model = model_of("Bert")
    assert [name for name, *_ in boxes_of(model, depth)] == boxes
    drawn = [part.name for part in forward_pass(model, depth).parts if part.number]
    assert drawn == boxes
    total = sum(parameter.numel() for parameter in model.parameters())
    assert sum(row.parameters * len(row.numbers) for row in legend_rows(model, depth)) == total


def test_a_deep_depth_ends_at_the_leaves():
    model = model_of("Bert")
    names = [name for name, *_ in boxes_of(model, 3)]
    assert "bert.encoder.layer.0" in names
    leaves = [name for name, *_ in boxes_of(model, 99)]
    assert "bert.encoder.layer.0.attention.self.query" in leaves
    assert all(not list(module.children()) for _, module, _ in boxes_of(model, 99))


def test_columns_are_cut_where_one_arrow_passes():
    parts = [Part(str(number), "", number + 1) for number in range(30)]
    chain = [(at, at + 1) for at in range(29)]
    skips = [
        (at, at + 2) for at in range(0, 28, 3)
    ]  # 0-2, 3-5, ...: one arrow passes before 3, 6, ...
    starts = _column_starts(ForwardPass(parts, sorted(chain + skips)))
    assert starts[0] == 0
    assert len(starts) == 3
    assert [start % 3 for start in starts] == [0, 0, 0]
    assert _column_starts(ForwardPass(parts[:5], chain[:4])) == [0]


@pytest.mark.parametrize(
    ("name", "magic"), [("a.pdf", b"%PDF"), ("b.SVG", b"<?xml"), ("there/c.png", b"\x89PNG")]
)
def test_a_file_of_each_kind(tiny_run, tmp_path, name, magic):
    done = command("legend.py", tiny_run, "--out", name, cwd=tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{name}\n")
    assert (tmp_path / name).read_bytes().startswith(magic)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_the_legend_stands_beside_the_drawing(tmp_path):
    command("legend.py", TOKENIZER, "--out", "a.svg", cwd=tmp_path)
    texts = re.findall(
        r"<text[^>]*>([^<]*)</text>", (tmp_path / "a.svg").read_text().replace("&#160;", " ")
    )
    assert "6, 9, 12, 15" in texts
    assert "66,304" in texts
    assert "952,450" in texts
    assert "layer.3.attention" in texts
    assert any(text.startswith("BertForQuestionAnswering of ") for text in texts)
    assert any(re.fullmatch("from (8|11)", text) for text in texts)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("m", "--out", "a.jpg"),
            "a.jpg: unknown ending; choose from .pdf, .svg, .png",
        ),
        (("m", "--out", "a"), "choose from .pdf, .svg, .png"),
        (("m", "--depth", "-1"), "--depth: -1: must be 0 or more"),
        (("nowhere",), "nowhere: no such folder; a model on the Hub is owner/name"),
        (("nowhere/at/all",), "nowhere/at/all: no such folder"),
        (("nobody/nothing",), "nobody/nothing: no model for question answering"),
        (("m",), "m: no config.json in this folder"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path, words, says):
    Path(tmp_path, "m").mkdir()
    done = command("legend.py", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["m"]
