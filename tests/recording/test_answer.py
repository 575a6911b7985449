"""An answer from the inside: round trip, the newest, what cannot be read."""

import numpy as np
import pytest

from huggin.common.errors import UserError
from huggin.common.site import Site
from huggin.recording.answer import AnswerFacts, AnswerInside, read_answer, write_answer
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
    return AnswerInside(facts, logits, -logits, activations)


def test_round_trip_of_the_newest(tmp_path):
    run = RunFolder(tmp_path)
    assert write_answer(run, answer(7)).name == "answers-1.arrow"
    assert write_answer(run, answer(8)).name == "answers-2.arrow"
    read = read_answer(run)
    assert read.facts == answer(8).facts
    np.testing.assert_array_equal(read.end_logits, answer(8).end_logits)
    assert list(read.activations) == [Site(1, "self"), Site(2, "out")]
    np.testing.assert_array_equal(
        read.activations[Site(1, "self")], answer(8).activations[Site(1, "self")]
    )


def test_none_kept(tmp_path):
    with pytest.raises(UserError, match="no answer kept; run get-model-output first"):
        read_answer(RunFolder(tmp_path))


def test_not_readable(tmp_path):
    path = write_answer(RunFolder(tmp_path), answer(7))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"answers-1\.arrow: not readable"):
        read_answer(RunFolder(tmp_path))
