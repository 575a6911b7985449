"""Asking: in batches, at random, until right; scores and what is kept."""

import copy
import json
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset

from huggin.asking.examination import Examination, Examined
from huggin.asking.questions import Asked, ask_all, draw_questions, efficacy_of
from huggin.common.errors import UserError
from huggin.qa.answers import Answer, score_answer
from huggin.qa.config import read_config
from huggin.recording.results import keep_efficacy, read_efficacy
from huggin.recording.run_folder import RunFolder


def asked(right, f1=None):
    record = {"answers": {"text": ["x"], "answer_start": [0]}}
    return Asked(
        0, record, Answer("x", 1.0, 0, 1, 1), 100.0 * right, 100.0 * right if f1 is None else f1
    )


def test_questions_are_drawn_at_random_and_none_twice():
    drawn = draw_questions(50, seed=3)
    assert sorted(drawn) == list(range(50))
    assert drawn == draw_questions(50, seed=3)
    assert drawn != draw_questions(50, seed=4)
    assert set(draw_questions(50, None, skip={1, 2})) == set(range(50)) - {1, 2}


def test_none_left():
    with pytest.raises(UserError, match="this model was asked all 2 questions before"):
        draw_questions(2, None, skip={0, 1})


def test_until_the_first_right_answer(examination, monkeypatch):
    for answers, expected in (([False, True, True], [False, True]), ([False] * 2, [False] * 2)):
        monkeypatch.setattr(
            "huggin.asking.answering.TrainedModel.asked",
            lambda *_, answers=answers, **__: map(asked, answers),
        )
        found = examination.ask(until_right=True)
        assert [one.right for one in found.asked] == expected


def test_efficacy():
    measured = efficacy_of(
        [asked(True), asked(False, f1=50.0), asked(False), asked(False)], step=7, data="d"
    )
    assert (measured.step, measured.asked, measured.correct) == (7, 4, 1)
    assert (measured.exact_match, measured.f1) == (25.0, 37.5)
    assert measured.f1_interval[0] < 37.5 < measured.f1_interval[1]
    assert efficacy_of([asked(True)], 1, "d").f1_interval == pytest.approx((20.65, 100), abs=0.01)
    assert measured.exact_match_interval[0] < 25 < measured.exact_match_interval[1]


def test_of_two_measurements_of_a_step_the_larger_is_kept(tmp_path):
    run = RunFolder(tmp_path)
    small, large = (
        efficacy_of([asked(True)], 5, "d"),
        efficacy_of([asked(True), asked(False)], 5, "d"),
    )
    keep_efficacy(run, large)
    keep_efficacy(run, small)
    keep_efficacy(run, replace(small, step=2))
    keep_efficacy(run, replace(small, data="other"))
    kept = read_efficacy(run)
    assert [(entry.data, entry.step, entry.asked) for entry in kept] == [
        ("d", 2, 1),
        ("d", 5, 2),
        ("other", 5, 1),
    ]
    run.efficacy.write_text("[{}]")
    with pytest.raises(UserError, match="Field required; delete the file"):
        read_efficacy(run)


@pytest.fixture(scope="module")
def examination(tiny_run, tiny_cfg, tmp_path_factory):
    cfg = tmp_path_factory.mktemp("cfg") / "cfg.json"
    cfg.write_text(json.dumps(tiny_cfg(output_dir=str(tiny_run))))
    loaded = Examination.load(read_config(cfg, []), RunFolder(tiny_run), tiny_run, "train")
    words = [
        "Huginn",
        "Muninn",
        "raven",
        "thought",
        "memory",
        "Odin",
        "fly",
        "world",
        "return",
        "tell",
        "day",
        "king",
        "dawn",
        "dinner",
    ]  # noqa: SIM905
    draw = random.Random(0)
    contexts = [" ".join(draw.choices(words, k=draw.randrange(3, 60))) for _ in range(40)]
    answers = {"text": ["raven"], "answer_start": [0]}
    records = [
        {"id": str(n), "question": "Who ?", "context": c, "answers": answers}
        for n, c in enumerate(contexts)
    ]
    short = replace(loaded.trained.data, max_seq_length=24, doc_stride=8)
    trained = replace(loaded.trained, data=short)
    return replace(loaded, records=Dataset.from_list(records), trained=trained)


@pytest.mark.slow
def test_batches_give_the_same_answers_as_one_at_a_time(examination):
    order = draw_questions(40, seed=1)
    parts = (
        examination.trained.model,
        examination.trained.tokenizer,
        examination.records,
        order,
        examination.trained.data,
    )
    single = list(ask_all(*parts, batch_size=1, ahead=1))
    for batch_size, ahead in ((4, 1), (16, 3), (64, 1)):
        batched = list(ask_all(*parts, batch_size=batch_size, ahead=ahead))
        assert [one.index for one in batched] == order
        assert [one.answer.text for one in batched] == [one.answer.text for one in single]
        confidences = [one.answer.confidence for one in batched]
        np.testing.assert_allclose(
            confidences, [one.answer.confidence for one in single], rtol=1e-3
        )
    assert any(one.answer.window > 0 for one in single)


@pytest.mark.slow
def test_a_tokenizer_that_pads_left_gives_the_same_answers(examination):
    left = copy.deepcopy(examination.trained.tokenizer)
    left.padding_side = "left"
    parts = (examination.records, range(40), examination.trained.data)
    expected = list(
        ask_all(
            examination.trained.model, examination.trained.tokenizer, *parts, batch_size=1, ahead=1
        )
    )
    for batch_size in (1, 8):
        answers = list(
            ask_all(examination.trained.model, left, *parts, batch_size=batch_size, ahead=1)
        )
        assert [one.answer.text for one in answers] == [one.answer.text for one in expected]


def test_the_answer_stands_where_its_tokens_are(examination):
    for one in examination.ask(10, seed=0, batch_size=8).asked:
        facts = examination.facts_of(one)
        window = facts.window
        first = window.offsets[facts.start][0]
        last = window.offsets[facts.end][1]
        assert one.record["context"][first:last] == one.answer.text == facts.answered
        assert set(window.parts[facts.start : facts.end + 1]) == {"context"}


def examined(*answers: str, until_right: bool = False) -> Examined:
    """Each question expects Odin; the answers are those given."""
    record = {"question": "Who <owns> them?", "answers": {"text": ["Odin"], "answer_start": [0]}}
    asked = [
        Asked(index, record, Answer(text, 0.9, 0, 1, 1), *score_answer(text, record["answers"]))
        for index, text in enumerate(answers)
    ]
    return Examined(Path("run"), "state", asked, efficacy_of(asked, 8, "data"), until_right)


def numbers_in(words: str) -> list[int]:
    return [int(number) for number in re.findall(r"^question (\d+):", words, re.MULTILINE)]


def test_the_wrong_answers_are_shown_unless_others_are_asked_for():
    found = examined("Odin", "ravens", "", "Odin")
    assert found.in_words().splitlines()[:8] == [
        "question 1: Who <owns> them?",
        "  expected: Odin",
        "  answered: ravens (confidence 0.90)",
        "",
        "question 2: Who <owns> them?",
        "  expected: Odin",
        "  answered: (no answer) (confidence 0.90)",
        "",
    ]
    assert "run, step 8, asked data: 2/4 right" in found.in_words()
    assert numbers_in(found.in_words("right")) == [0, 3]
    assert numbers_in(found.in_words("all")) == [0, 1, 2, 3]
    assert [answer["right"] for answer in found.as_json()["answers"]] == [True, False, False, True]
    assert "Who &lt;owns&gt; them?" in found._repr_html_()


def test_only_the_first_of_many_wrong_answers_are_shown():
    found = examined(*["ravens"] * 25)
    assert numbers_in(found.in_words()) == list(range(20))
    assert "and 5 more wrong answers" in found.in_words()
    assert numbers_in(found.in_words("wrong")) == list(range(25))


def test_the_right_answer_that_ended_the_asking_is_shown():
    found = examined("ravens", "Odin", until_right=True)
    assert numbers_in(found.in_words()) == [1]
    assert numbers_in(found.in_words("wrong")) == [0]
    assert "EM" not in found.in_words()
