"""Labels against answers whose characters tokenizers drop, merge or cut."""

import random

import pytest
from datasets import Dataset

from huggin.common.text import edges
from huggin.qa import features
from huggin.qa.answers import normalised_text, score_answer
from huggin.qa.arguments import DataArguments
from huggin.qa.features import check_labels, training_features
from huggin.qa.labels import answer_characters, answer_spans, read_span
from huggin.qa.records import wrong_with
from tests.conftest import record
from tests.qa.labelled import Labelled
from tests.qa.tokenizers import KINDS, train_tokenizer

CONTEXTS = (
    "Jose\u0301 and Zoe\u0301 went to the cafe\u0301 in A\u030angstro\u0308m .",
    "\u200fשלום\u200f is peace , and \u200fתודה\u200f is thanks in Hebrew .",
    "We saw 😀 at the zoo 👩‍👩‍👧 and paid 5€ for a latte ☕️ today .",
    "นกสองตัวของโอดินชื่อ ฮูกิน และ มูนิน ที่ บินไป ทั่ว โลก ทุก วัน .",
    "हिन्दी में की कि कु कृ भाषा बोली जाती है .",
    "soft\u00adhy\u00adphen and zero\u200bwidth blanks , \ufeffBOM too .",
    "奥丁有两只渡鸦。它们每天飞遍世界。",
)


@pytest.fixture(scope="module")
def trained():
    return {kind: train_tokenizer(kind, list(CONTEXTS) * 3) for kind in KINDS}


def asked(answer, context):
    return Dataset.from_list([record(1, "What ?", answer, context=context)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("context", "answer"),
    [
        (CONTEXTS[0], "Jose\u0301"),
        (CONTEXTS[0], "cafe\u0301"),
        (CONTEXTS[1], "\u200fשלום\u200f"),
        (CONTEXTS[1], "\u200fתודה\u200f"),
        (CONTEXTS[2], "😀"),
        (CONTEXTS[2], "👩‍👩‍👧"),
        (CONTEXTS[2], "5€"),
        (CONTEXTS[2], "☕️"),
        (CONTEXTS[3], "ที่"),
        (CONTEXTS[3], "ทั่ว"),
        (CONTEXTS[4], "की"),
        (CONTEXTS[4], "कु"),
        (CONTEXTS[5], "soft\u00adhy\u00adphen"),
        (CONTEXTS[5], "\ufeffBOM"),
    ],
)
def test_a_label_says_the_answer_with_what_the_tokenizer_drops(trained, kind, context, answer):
    labels = Labelled(asked(answer, context), trained[kind])
    ((start, end),) = labels.spans
    answer = answer[slice(*edges(answer))]
    first = context.index(answer)
    assert 0 < start <= end
    for place in labels.offsets[0][start : end + 1]:
        assert place[0] < first + len(answer)
        assert place[1] > first
    assert labels.texts == [answer]


def test_one_character_of_several_tokens(trained):
    """A byte-level tokenizer that never saw the character cuts it into pieces."""
    context = "We saw 🦜 today ."
    labels = Labelled(asked("🦜", context), trained["byte-level BPE"])
    ((start, end),) = labels.spans
    assert end > start
    assert labels.texts == ["🦜"]


def test_a_window_that_cuts_a_character_does_not_hold_it():
    """Five tokens of a context, of which 2 to 4 are one character; windows of three share one."""
    places = [(0, 1), (1, 2), (2, 3), (2, 3), (2, 3), (3, 4)]
    windows = [[None, *places[at : at + 4]] for at in (0, 2)]
    assert answer_spans(windows, (2, 3), stride=2) == [None, (1, 3)]


def test_no_token_at_all():
    assert answer_spans([[None, (0, 1), (2, 3)]], (1, 2), stride=0) == [None]
    assert answer_spans([[None, (0, 1)]], None, stride=0) == [None]


@pytest.mark.parametrize(
    ("context", "places", "span", "text"),
    [
        ("ab́ c", [(0, 2), (4, 5)], (0, 0), "ab́"),  # behind a token: its accent
        ("a \u200fb", [(0, 1), (3, 4)], (1, 1), "b"),  # a mark of direction is no part of it
        ("a\u200fb", [(0, 1), (2, 3)], (1, 1), "b"),  # between two: of the token before
        ("\ufeffa b", [(1, 2), (3, 4)], (0, 0), "a"),  # nor is one at the beginning
        ("a \u0301b", [(0, 1), (3, 4)], (1, 1), "\u0301b"),  # behind a blank: of the token after
        ("क\u200dष\u200d ख", [(0, 1), (2, 3)], (0, 1), "क\u200dष"),  # a joiner within a word is
        ("a b\u0301", [(0, 1), (2, 3)], (0, 1), "a b\u0301"),  # at the end
        ("a b", [(0, 1), (1, 3)], (1, 1), "b"),  # a token with the blank before it
    ],
)
def test_reading_a_span(context, places, span, text):
    first, last = read_span(context, [places], 0, span)
    assert context[first:last] == text


@pytest.mark.parametrize("answer", ["\ufeffओदिन\u200d", "ओदिन", "\u200eअर्\u200dक", "\u200bमुनिन"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_model_is_right_whatever_nobody_sees(trained, kind, answer):
    """Zero-width characters around an answer are no part of it, in a label or in a comparison."""
    context = f"{answer} के दो कौवे हैं ."
    (text,) = Labelled(asked(answer, context), trained[kind]).texts
    assert text == answer.strip("\ufeff\u200b\u200d\u200e")
    for expected in (answer, text, f"\u200b{text}", text.replace("\u200d", "")):
        answers = {"text": [expected], "answer_start": [0]}
        assert score_answer(text, answers) == score_answer(expected, answers) == (100, 100)


@pytest.mark.parametrize("kind", KINDS)
def test_any_answer_in_any_script(trained, kind):
    """A label differs from the answer only where that begins or ends inside of a token."""
    draw = random.Random(1)
    records = []
    for number in range(300):
        context = draw.choice(CONTEXTS)
        first = draw.randrange(len(context) - 1)
        last = draw.randrange(first + 1, min(len(context), first + 12) + 1)
        answers = {"text": [context[first:last]], "answer_start": [first]}
        entry = record(number, "What ?", context[:1], context=context) | {"answers": answers}
        if wrong_with(entry, allow_no_answer=False) is None:
            records.append(entry)
    data = DataArguments(max_seq_length=24, doc_stride=8, max_answer_length=384)
    questions = Dataset.from_list(records)
    labels = Labelled(questions, trained[kind], data)
    said = 0
    for number, entry in enumerate(records):
        first, last = answer_characters(entry["answers"])
        shift = labels.owners.index(number)
        windows = labels.offsets[shift : shift + labels.owners.count(number)]
        for row in labels.windows_of(number):
            start, end = labels.spans[row]
            assert start <= end
            begins = read_span(entry["context"], windows, row - shift, (start, start))[0]
            ends = read_span(entry["context"], windows, row - shift, (end, end))[1]
            places = windows[row - shift][start : end + 1]
            assert all(place[0] < last and place[1] > first for place in places)
            if begins == first and ends == last:
                said += 1
                answer = normalised_text(entry["context"][first:last])
                assert normalised_text(labels.texts[number]) == answer
    assert said > 20


def test_the_check_counts_and_names():
    context = "Odin owns the ravens . They fly ."
    answers = ["ravens", "rave", "aven", "Odin owns the ravens . They"]
    records = Dataset.from_list(
        [record(number, "What ?", text, context=context) for number, text in enumerate(answers)]
    )
    tokenizer = train_tokenizer("WordPiece, cased", [context])
    data = DataArguments(max_seq_length=10, doc_stride=2)
    check = check_labels(records, training_features(records, tokenizer, data))
    assert (check.answers, check.not_exact, check.too_long) == (4, 2, 1)
    assert check.first == "record 2 (id 'q1'): label 'ravens', answer 'rave'"
    too_long, not_exact = check.in_words()
    assert too_long.startswith("1 of 4 answers are longer than any window; these questions")
    assert not_exact.startswith("2 of 4 labels are not exactly the answer; the first: record 2")


def test_offsets_that_are_shifted_are_noticed(monkeypatch):
    """Some pre-tokenizers count one character too far (RobBERT's, for example)."""
    original = features.context_offsets

    def shifted(encoded, window):
        return [place and (place[0] + 1, place[1] + 1) for place in original(encoded, window)]

    monkeypatch.setattr(features, "context_offsets", shifted)
    context = "Odin owns the ravens ."
    records = asked("owns", context)
    tokenizer = train_tokenizer("WordPiece, cased", [context])
    data = DataArguments(max_seq_length=64, doc_stride=8)
    labels = training_features(records, tokenizer, data)
    assert check_labels(records, labels).not_exact == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("The Eiffel Tower.", "eiffel  tower"), ("a b", "b"), ("é", "e"), ("", "the"), ("x", "y")],
)
def test_texts_are_compared_as_the_scores_are(one, other):
    same = normalised_text(one) == normalised_text(other)
    assert same == (score_answer(one, {"text": [other], "answer_start": [0]})[0] == 100)
