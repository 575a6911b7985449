"""An answer from the inside: round trip, the newest, what cannot be read."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from huggin.common.errors import UserError
from huggin.common.site import Site
from huggin.recording.answer import (
    AnswerFacts,
    AnswerInside,
    Attention,
    read_answer,
    write_answer,
)
from huggin.recording.run_folder import RunFolder
from tests.recordings import window

HOSTILE = "<b>&\"'); DROP TABLE ]]> \x00 مرحبا 世界\n"


def answer(step):
    seen = window(
        index=3,
        question=HOSTILE,
        context=HOSTILE * 9,
        answer="a",
        tokens=["[CLS]", "x", "[SEP]"],
        parts=["special", "context", "special"],
    )
    facts = AnswerFacts(
        state="S",
        step=step,
        window=seen,
        answered="",
        right=False,
        confidence=0.5,
        start=0,
        end=0,
    )
    logits = np.array([0.1, 0.2, 0.3], np.float32)
    activations = {
        Site(1, "self"): np.arange(6, dtype=np.float16).reshape(3, 2),
        Site(2, "out"): np.ones((3, 2), np.float16),
    }
    return AnswerInside(facts, logits, -logits, activations, attention())


def attention():
    """One layer of two heads, whose tokens 1 and 0 read from three tokens."""
    weights = [[[0.5, 0.25, 0.25], [1, 0, 0]], [[0, 0, 1], [0.25, 0.25, 0.5]]]
    return Attention([1, 0], np.array([weights], np.float16))


def test_round_trip_of_the_newest(tmp_path):
    run = RunFolder(tmp_path)
    assert write_answer(run, answer(7)).name == "answers-1.arrow"
    assert write_answer(run, answer(8)).name == "answers-2.arrow"
    read = read_answer(run)
    assert read.facts == answer(8).facts
    np.testing.assert_array_equal(read.end_logits, answer(8).end_logits)
    assert read.attention.of == [1, 0]
    np.testing.assert_array_equal(read.attention.weights, attention().weights)
    assert list(read.activations) == [Site(1, "self"), Site(2, "out")]
    np.testing.assert_array_equal(
        read.activations[Site(1, "self")], answer(8).activations[Site(1, "self")]
    )


def test_an_answer_without_attention(tmp_path):
    run = RunFolder(tmp_path)
    write_answer(run, replace(answer(7), attention=None))
    assert read_answer(run).attention is None


def test_none_kept(tmp_path):
    with pytest.raises(UserError, match="no answer kept; run get-model-output first"):
        read_answer(RunFolder(tmp_path))


def test_not_readable(tmp_path):
    path = write_answer(RunFolder(tmp_path), answer(7))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"answers-1\.arrow: not readable"):
        read_answer(RunFolder(tmp_path))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start": 2, "end": 1}, "start 2, end 1: not a span of the 3 tokens"),
        ({"end": 3}, "start 0, end 3: not a span"),
        ({"start_logits": [0.0]}, "start_logits, end_logits: not one for each of the 3 tokens"),
        ({"confidence": 7.0}, "confidence: Input should be less than or equal to 1"),
        ({"step": None}, "step: Input should be a valid integer"),
        ({"gold_start": 9}, r"window\.gold_start 9, gold_end 1: not a span"),
        ({"tokens": ["x"]}, r"window\.gold_start 1, gold_end 1: not a span of the 1 tokens"),
        ({"attention_of": [3, 0]}, r"attention_of: \[3, 0\] are not among the 3 tokens"),
        ({"attention_of": [0] * 5}, "attention: not one for each of the 3 tokens"),
    ],
)
def test_parts_that_do_not_fit(tmp_path, change, said):
    path = write_answer(RunFolder(tmp_path), answer(7))
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    facts = json.loads(table.schema.metadata[b"answer"]) | change
    table = table.replace_schema_metadata({"answer": json.dumps(facts)})
    with pa.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table)
    with pytest.raises(UserError, match=f"not readable: {said}"):
        read_answer(RunFolder(tmp_path))
