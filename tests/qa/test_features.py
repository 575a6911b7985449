"""Features against hand-worked examples; answers and scores against SQuAD's definitions."""

import pytest
from datasets import Dataset
from transformers import AutoTokenizer

from huggin.common.errors import UserError
from huggin.qa.arguments import DataArguments
from huggin.qa.features import (
    doubts,
    padded,
    track_samples,
    training_features,
    unknown_words,
)
from tests.conftest import CONTEXT, LETTERS, TOKENIZER, letters, record
from tests.qa.tokenizers import train_tokenizer


def spans(features):
    return list(zip(features["start_positions"], features["end_positions"]))


def test_one_window(tokenizer):
    """[CLS] z ? [SEP] a b c ... : token 4 is a, so `c d` is 6 to 7."""
    features = training_features(
        letters("c d"), tokenizer, DataArguments(max_seq_length=64, doc_stride=8)
    )
    assert spans(features) == [(6, 7)]
    assert tokenizer.convert_ids_to_tokens(features["input_ids"][0])[6:8] == ["c", "d"]


def test_words_that_a_tokenizer_cuts_into_scraps_or_has_no_token_for():
    texts = ["the ravens fly", "ravens \u4e09\u4e09\u4e09 fly at 12345 qwrtz"]
    known = train_tokenizer("WordPiece, uncased", ["the ravens fly at 1 2 3 4 5 q w r t z qw"] * 3)
    assert unknown_words(known, texts) == (4, ["qwrtz"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Zxqv zzyx kkjq bbvv ppqq ddss wwee.", "unknown to the tokenizer (Zxqv, zzyx,"),
        ("ravens ravens ravens", ""),
    ],
)
def test_many_unknown_words_are_said(tokenizer, text, said):
    asked = Dataset.from_list([record(1, "Who?", text.split()[0], text)])
    data = DataArguments(max_seq_length=64, doc_stride=8)
    features = training_features(asked, tokenizer, data)
    assert said in "".join(doubts(asked, features, tokenizer))
    assert bool(said) == bool(doubts(asked, features, tokenizer))


def test_stride_windows(tokenizer):
    """12 tokens hold 7 of the context, and 2 overlap: a-g, f-l, k-p. No answer is [CLS] = 0."""
    data = DataArguments(max_seq_length=12, doc_stride=2)
    features = training_features(letters("f g"), tokenizer, data)
    words = [tokenizer.convert_ids_to_tokens(ids)[4:-1] for ids in features["input_ids"]]
    assert ["".join(window) for window in words] == ["abcdefg", "fghijkl", "klmnop"]
    assert spans(features) == [(9, 10), (4, 5), (0, 0)]


def test_an_answer_across_a_window_edge_is_cls_there(tokenizer):
    features = training_features(
        letters("g h"), tokenizer, DataArguments(max_seq_length=12, doc_stride=2)
    )
    assert spans(features) == [(0, 0), (5, 6), (0, 0)]


def test_no_answer_is_cls(tokenizer):
    records = letters("a").map(lambda _: {"answers": {"text": [], "answer_start": []}})
    data = DataArguments(max_seq_length=64, doc_stride=8, version_2_with_negative=True)
    assert spans(training_features(records, tokenizer, data)) == [(0, 0)]


def test_an_answer_within_a_word_takes_the_whole_word(tokenizer):
    records = Dataset.from_list([record(1, "z ?", "ver the worl", context=CONTEXT)])
    feature = training_features(records, tokenizer, DataArguments(max_seq_length=64, doc_stride=8))[
        0
    ]
    tokens = tokenizer.convert_ids_to_tokens(feature["input_ids"])
    answer = tokens[feature["start_positions"] : feature["end_positions"] + 1]
    assert "".join(answer).replace("##", "").endswith("theworld")


@pytest.mark.parametrize(
    ("answer", "span"), [("c ", (6, 6)), (" c", (6, 6)), ("p", (19, 19)), (" b c ", (5, 6))]
)
def test_blanks_around_an_answer_are_not_part_of_it(tokenizer, answer, span):
    features = training_features(
        letters(answer), tokenizer, DataArguments(max_seq_length=64, doc_stride=8)
    )
    assert spans(features) == [span]


def test_a_question_that_leaves_no_room_is_named(tokenizer):
    records = Dataset.from_list(
        [record(1, "z ?", "a", LETTERS), record(2, "z " * 30, "a", LETTERS)]
    )
    with pytest.raises(UserError, match=r"record 2 \(id 'q2'\): a question of 30 tokens"):
        training_features(records, tokenizer, DataArguments(max_seq_length=32, doc_stride=8))


def test_tracked_samples(tokenizer, records):
    data = DataArguments(max_seq_length=64, doc_stride=16)
    samples = track_samples(Dataset.from_list(records), 3, 5, tokenizer, data)
    assert [s.index for s in samples] == [
        s.index for s in track_samples(Dataset.from_list(records), 3, 5, tokenizer, data)
    ]
    assert samples[0].index == 0
    assert samples[0].tokens[samples[0].gold_start : samples[0].gold_end + 1] == tokenizer.tokenize(
        "Odin"
    )
    assert samples[0].parts[0] == "special"
    assert samples[0].parts[samples[0].gold_start] == "context"
    assert len(track_samples(Dataset.from_list(records), 99, 5, tokenizer, data)) == len(records)


def test_the_tracked_window_is_the_one_that_holds_the_answer(tokenizer):
    (sample,) = track_samples(
        letters("p"), 1, 0, tokenizer, DataArguments(max_seq_length=12, doc_stride=2)
    )
    assert sample.tokens[sample.gold_start] == "p"


def test_blanks_before_a_question_are_not_counted():
    """They would be tokens of a byte-level tokenizer, of which the question then has too many."""
    tokenizer = train_tokenizer("byte-level BPE", [LETTERS, "z ?"])
    records = Dataset.from_list([record(1, " " * 40 + "z ?", "c d", context=LETTERS)])
    data = DataArguments(max_seq_length=32, doc_stride=8)
    plain = Dataset.from_list([record(1, "z ?", "c d", context=LETTERS)])
    blanks = training_features(records, tokenizer, data)
    assert blanks["input_ids"][:] == training_features(plain, tokenizer, data)["input_ids"][:]


def test_the_sides_of_the_tokenizer_do_not_matter():
    """Labels count from the first token: the question comes first, padding is on the right."""
    data = DataArguments(max_seq_length=12, doc_stride=2)
    right = AutoTokenizer.from_pretrained(TOKENIZER)
    left = AutoTokenizer.from_pretrained(TOKENIZER, padding_side="left", truncation_side="left")
    expected = training_features(letters("f g"), right, data)
    assert training_features(letters("f g"), left, data).to_dict() == expected.to_dict()
    rows = [{"input_ids": ids} for ids in expected["input_ids"]]
    assert padded(left, rows)["input_ids"].tolist() == padded(right, rows)["input_ids"].tolist()
    assert padded(left, rows)["attention_mask"][2].tolist() == [1] * 11 + [0]
    assert left.truncation_side == "left"
