"""The embedded sample: enough questions, right answers, and no text that its tokenizer does not know."""

from collections import Counter

from transformers import AutoConfig, AutoTokenizer

from huggin.qa.questions import read_records, wrong_with
from tests.conftest import ROOT

RECORDS = list(read_records(ROOT / "sample" / "questions.json"))


def test_questions():
    assert 40 <= len(RECORDS) <= 80
    assert len({record["id"] for record in RECORDS}) == len(RECORDS)
    assert min(Counter(record["context"] for record in RECORDS).values()) > 1
    assert [
        problem for record in RECORDS if (problem := wrong_with(record, allow_no_answer=False))
    ] == []


def test_no_text_comes_out_as_unknown():
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "sample" / "bert-tiny")
    texts = [record[name] for record in RECORDS for name in ("title", "context", "question")]
    ascii_text = "".join(map(chr, range(32, 127)))
    for text in [*texts, ascii_text, "Zebra-crossing #7, e-mail: x@y.org!"]:
        assert tokenizer.unk_token not in tokenizer.tokenize(text)
    assert len(tokenizer) == AutoConfig.from_pretrained(ROOT / "sample" / "bert-tiny").vocab_size
