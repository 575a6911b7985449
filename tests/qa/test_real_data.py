"""Real SQuAD questions, where HUGGIN_TEST_DATA names a folder that holds them."""

import os
import re
import string
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from huggin.qa.answers import score_answer
from huggin.qa.arguments import DataArguments
from huggin.qa.labels import answer_characters, read_span
from huggin.qa.questions import load_questions
from tests.qa.labelled import Labelled
from tests.qa.tokenizers import KINDS, texts_of, train_tokenizer

FOLDER = os.environ.get("HUGGIN_TEST_DATA")
pytestmark = pytest.mark.skipif(
    not FOLDER, reason="HUGGIN_TEST_DATA names no folder with squad-xquad-en.json"
)
FILES = ("squad-xquad-en.json", "xquad-th.json", "xquad-zh.json")
MOST_INSIDE = 120  # of 1,190 answers


@cache
def questions_of(file):
    return load_questions(DataArguments(train_file=str(Path(FOLDER or "") / file)), "train")


@pytest.fixture(scope="module")
def questions():
    return questions_of(FILES[0])


def test_all_records_are_read(questions):
    assert len(questions) == 1190
    assert len(set(questions["context"])) == 240


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file", FILES)
def test_every_answer_is_labelled_where_it_is(file, kind, record_property):
    """The labels say the answers, except those that begin or end inside of a token."""
    records = questions_of(file)
    labels = Labelled(records, train_tokenizer(kind, texts_of(records)))
    inside = 0
    assert len(set(labels.owners)) == 1190
    for row, number in enumerate(labels.owners):
        start, end = labels.spans[row]
        if end == 0:
            continue
        first, last = answer_characters(records[number]["answers"])
        places = labels.offsets[row]
        assert start <= end
        assert all(p[0] < last and p[1] > first for p in places[start : end + 1])
        context = records[number]["context"]
        begins = read_span(context, [places], 0, (start, start))[0]
        ends = read_span(context, [places], 0, (end, end))[1]
        if begins < first or ends > last:
            inside += 1
        else:
            answer = records[number]["answers"]["text"][0]
            assert normalised(labels.texts[number]) == normalised(answer)
    record_property("answers that begin or end inside of a token", inside)
    assert inside <= MOST_INSIDE


def normalised(text):
    """SQuAD's: lower case, no punctuation, no articles, single blanks."""
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def official(text, golds):
    """EM and F1 in percent, worked out independently from SQuAD's definitions."""
    em = max(normalised(text) == normalised(gold) for gold in golds)
    f1 = 0.0
    for gold in golds:
        common = sum((Counter(normalised(text)) & Counter(normalised(gold))).values())
        if common:
            f1 = max(f1, 2 * common / (len(normalised(text)) + len(normalised(gold))))
    return 100 * em, 100 * f1


def test_scores_equal_the_official_definitions(questions):
    changes = (
        str,
        str.upper,
        lambda text: f"the {text}.",
        lambda text: text[: len(text) // 2],
        lambda text: text + " x",
    )
    for number, (answers, context) in enumerate(
        zip(questions["answers"], questions["context"], strict=True)
    ):
        text = changes[number % len(changes)](answers["text"][0])
        for predicted in (text, context[number % 50 : number % 50 + 30]):
            assert score_answer(predicted, answers) == pytest.approx(
                official(predicted, answers["text"])
            )
