"""The embedded sample: enough questions, right answers, no text that comes out as unknown."""

import json
from collections import Counter

from transformers import AutoConfig, AutoTokenizer

from huggin.qa.records import read_records, wrong_with
from tests.conftest import ROOT

RECORDS = list(read_records(ROOT / "sample" / "questions.json"))
HELD_OUT = list(read_records(ROOT / "sample" / "held-out.json"))


def test_questions():
    assert 40 <= len(RECORDS) <= 80
    assert len({record["id"] for record in RECORDS}) == len(RECORDS)
    assert min(Counter(record["context"] for record in RECORDS).values()) > 1
    assert [
        problem for record in RECORDS if (problem := wrong_with(record, allow_no_answer=False))
    ] == []


def test_held_out_questions_ask_for_the_same_facts_in_other_words():
    """A score on them is a score on questions that the model was not trained on."""
    assert len({record["id"] for record in [*RECORDS, *HELD_OUT]}) == len(RECORDS) + len(HELD_OUT)
    assert {record["question"] for record in RECORDS} & {r["question"] for r in HELD_OUT} == set()
    facts = {(record["context"], *record["answers"]["text"]) for record in RECORDS}
    assert {(record["context"], *record["answers"]["text"]) for record in HELD_OUT} == facts
    assert [wrong_with(record, allow_no_answer=False) for record in HELD_OUT] == [None] * 60
    cfg = json.loads((ROOT / "cfg.json").read_text())
    assert cfg["validation_file"] == "sample/held-out.json"


def test_no_text_comes_out_as_unknown():
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "sample" / "bert-tiny")
    texts = [
        record[name]
        for record in [*RECORDS, *HELD_OUT]
        for name in ("title", "context", "question")
    ]
    ascii_text = "".join(map(chr, range(32, 127)))
    for text in [*texts, ascii_text, "Zebra-crossing #7, e-mail: x@y.org!"]:
        assert tokenizer.unk_token not in tokenizer.tokenize(text)
    assert len(tokenizer) == AutoConfig.from_pretrained(ROOT / "sample" / "bert-tiny").vocab_size
