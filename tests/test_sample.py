"""The embedded samples: right answers, nothing in both parts, no text that comes out as unknown."""

import json
import random
from collections import Counter

import pytest
from transformers import AutoConfig, AutoTokenizer

from huggin.qa.records import read_records, wrong_with
from sample.make_stories import STORIES, UNSEEN, draw_stories, main
from tests.conftest import ROOT

SAMPLE = ROOT / "sample"
FACTS = list(read_records(SAMPLE / "questions.json"))
HELD_OUT = list(read_records(SAMPLE / "held-out.json"))
STORY_QUESTIONS = list(read_records(SAMPLE / "stories.json"))
UNSEEN_QUESTIONS = list(read_records(SAMPLE / "unseen-stories.json"))
ALL = [*FACTS, *HELD_OUT, *STORY_QUESTIONS, *UNSEEN_QUESTIONS]


def cfg(name):
    return json.loads((ROOT / name).read_text())


def test_every_answer_is_where_it_is_said_to_be():
    assert [problem for record in ALL if (problem := wrong_with(record, False))] == []


def test_facts():
    assert 40 <= len(FACTS) <= 80
    assert len({record["id"] for record in FACTS}) == len(FACTS)
    assert min(Counter(record["context"] for record in FACTS).values()) > 1


def test_held_out_questions_ask_for_the_same_facts_in_other_words():
    """A score on them is a score on questions that the model was not trained on."""
    assert len({record["id"] for record in [*FACTS, *HELD_OUT]}) == len(FACTS) + len(HELD_OUT)
    assert {record["question"] for record in FACTS} & {r["question"] for r in HELD_OUT} == set()
    facts = {(record["context"], *record["answers"]["text"]) for record in FACTS}
    assert {(record["context"], *record["answers"]["text"]) for record in HELD_OUT} == facts
    assert cfg("cfg-facts.json")["validation_file"] == "sample/held-out.json"


def facts_of(context):
    """A story's facts, whatever its verbs."""
    sentences = (sentence.split() for sentence in context.rstrip(".").split(". "))
    return tuple((name, thing, city) for name, _, _, thing, _, city in sentences)


def test_no_unseen_story_is_trained_on():
    trained = {facts_of(record["context"]) for record in STORY_QUESTIONS}
    unseen = {facts_of(record["context"]) for record in UNSEEN_QUESTIONS}
    assert (len(trained), len(unseen)) == (STORIES, UNSEEN)
    assert trained & unseen == set()
    assert cfg("cfg.json")["validation_file"] == "sample/unseen-stories.json"


def test_only_the_name_leads_to_the_answer():
    """Each place in the story is asked for about as often as the others, and so is each word."""
    sentences = Counter(
        record["context"][: record["answers"]["answer_start"][0]].count(".")
        for record in STORY_QUESTIONS
    )
    assert sorted(sentences) == [0, 1, 2]
    assert min(sentences.values()) > 0.9 * len(STORY_QUESTIONS) / 3
    answers = Counter(record["answers"]["text"][0] for record in STORY_QUESTIONS)
    assert len(answers) == 16
    assert min(answers.values()) > 0.7 * len(STORY_QUESTIONS) / 16


def test_the_stories_are_those_of_the_script(tmp_path):
    main(tmp_path)
    for name in ("stories.json", "unseen-stories.json"):
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes()
    assert draw_stories(9, random.Random(0)) != draw_stories(9, random.Random(2))


@pytest.mark.parametrize("model", ["bert-tiny", "bert-stories"])
def test_no_text_comes_out_as_unknown(model):
    tokenizer = AutoTokenizer.from_pretrained(SAMPLE / model)
    records = FACTS + HELD_OUT if model == "bert-tiny" else UNSEEN_QUESTIONS
    texts = [record[name] for record in records for name in ("title", "context", "question")]
    ascii_text = "".join(map(chr, range(32, 127)))
    for text in [*texts, ascii_text, "Zebra-crossing #7, e-mail: x@y.org!"]:
        assert tokenizer.unk_token not in tokenizer.tokenize(text)
    assert len(tokenizer) == AutoConfig.from_pretrained(SAMPLE / model).vocab_size


def test_each_word_of_the_stories_is_a_token():
    tokenizer = AutoTokenizer.from_pretrained(SAMPLE / "bert-stories")
    record = UNSEEN_QUESTIONS[0]
    windows = tokenizer([record["question"]], [record["context"]])["input_ids"]
    assert len(windows[0]) == 29 <= cfg("cfg.json")["max_seq_length"]
