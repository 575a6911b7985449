"""Real SQuAD questions, where HUGGIN_TEST_DATA names a folder that holds them."""

import os
import re
import string
from collections import Counter
from pathlib import Path

import pytest

from huggin.qa.answers import score_answer
from huggin.qa.arguments import DataArguments
from huggin.qa.features import evaluation_features, training_features
from huggin.qa.questions import load_questions

FOLDER = os.environ.get("HUGGIN_TEST_DATA")
pytestmark = pytest.mark.skipif(
    not FOLDER, reason="HUGGIN_TEST_DATA names no folder with squad-xquad-en.json"
)


@pytest.fixture(scope="module")
def questions():
    file = str(Path(FOLDER or "") / "squad-xquad-en.json")
    return load_questions(DataArguments(train_file=file), "train")


def test_all_records_are_read(questions):
    assert len(questions) == 1190
    assert len(set(questions["context"])) == 240


def test_every_answer_is_labelled_where_it_stands(questions, tokenizer):
    """The labelled tokens cover the answer, and no token less would."""
    data = DataArguments(max_seq_length=384, doc_stride=128)
    labels = training_features(questions, tokenizer, data)
    places = evaluation_features(questions, tokenizer, data)
    found = Counter()
    for label, place in zip(labels, places, strict=True):
        record, offsets = questions[place["record"]], place["offset_mapping"]
        start, end = label["start_positions"], label["end_positions"]
        if end == 0:
            continue
        found[place["record"]] += 1
        first = record["answers"]["answer_start"][0]
        last = first + len(record["answers"]["text"][0])
        assert offsets[start][0] <= first < offsets[start][1]
        assert offsets[end][0] < last <= offsets[end][1]
    assert len(found) == 1190


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
