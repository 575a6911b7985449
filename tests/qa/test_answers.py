"""Logits -> answers against hand-worked examples; scores against SQuAD's definitions."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from huggin.common.statistics import wilson_interval
from huggin.qa.answers import (
    best_spans,
    mean_loss,
    mean_scores,
    no_answer_lead,
    ranked_answers,
    score_answer,
)
from huggin.qa.arguments import DataArguments
from huggin.qa.features import evaluation_features, training_features
from tests.conftest import letters

ALL = np.ones(4, bool)


@pytest.mark.parametrize(
    ("start", "end", "allowed", "options", "expected"),
    [
        ([0, 5, 0, 0], [0, 0, 3, 0], ALL, {}, (1, 2, 8.0)),
        ([0.5, 0, 5, 0], [0, 9, 0, 1], ALL, {}, (0, 1, 9.5)),  # 2..1 would be backwards
        ([9, 0, 5, 0], [0, 0, 0, 4], np.array([False, True, True, True]), {}, (2, 3, 9.0)),
        ([5, 0, 1, 0], [0, 0, 2, 7], ALL, {"max_answer_length": 3}, (2, 3, 8.0)),
        ([0, 0, 0, 9], [9, 0, 0, 0], ALL, {"n_best_size": 1}, None),
        ([1, 2, 3, 4], [1, 2, 3, 4], np.zeros(4, bool), {}, None),
    ],
)
def test_best_spans(start, end, allowed, options, expected):
    spans = best_spans(
        np.array(start, float), np.array(end, float), allowed, DataArguments(**options)
    )
    best = next(((span.start, span.end, span.score) for span in spans), None)
    assert best == expected
    assert sorted(spans, key=lambda span: -span.score) == spans


def test_the_best_window_gives_the_answer(tokenizer):
    records, data = letters("f g"), DataArguments(max_seq_length=12, doc_stride=2)
    features = evaluation_features(records, tokenizer, data)
    start, end = np.zeros((3, 12)), np.zeros((3, 12))
    start[0, 4], end[0, 5] = 3, 3  # `a b` in the first window
    start[1, 6], end[1, 6] = 4, 3  # `h` in the second scores higher
    start[2, 11] = end[2, 11] = 99  # padding of the shorter last window
    ((answer, *_),) = ranked_answers(records["context"], features, start, end, data)
    assert (answer.text, answer.window, answer.start, answer.end) == ("h", 1, 6, 6)


@pytest.mark.parametrize("null", [2.0, 9.0])
def test_the_lead_of_no_answer_is_that_of_its_logits(tokenizer, null):
    """Whether it is the answer or not."""
    records = letters("f g")
    data = DataArguments(max_seq_length=24, doc_stride=2, version_2_with_negative=True)
    features = evaluation_features(records, tokenizer, data)
    start, end = np.zeros((2, 1, 24))
    start[0, [0, 4]], end[0, 5] = (null, 3), 3
    (ranked,) = ranked_answers(records["context"], features, start, end, data)
    assert (ranked[0].text == "") == (null > 6)
    lead, span = no_answer_lead(ranked)
    assert lead == pytest.approx(null - 6)
    assert span.text == "a b"
    (ranked,) = ranked_answers(records["context"], features, start, end, data, most=1)
    assert np.isnan(no_answer_lead(ranked)[0])


def test_the_loss_is_that_of_the_training_without_the_padding(tokenizer):
    records, data = letters("f g"), DataArguments(max_seq_length=12, doc_stride=2)
    features = evaluation_features(records, tokenizer, data)
    labels = training_features(records, tokenizer, data)
    logits = np.random.default_rng(0).normal(size=(2, 3, 12)).astype(np.float32)
    losses = [
        float(cross_entropy(torch.tensor(row[: len(tokens)]), torch.tensor(label)))
        for name, of_name in zip(("start_positions", "end_positions"), logits)
        for row, tokens, label in zip(of_name, features["input_ids"], labels[name])
    ]
    of_window = np.reshape(losses, (2, 3)).mean(axis=0)
    loss, error = mean_loss(features, *logits)
    assert loss == pytest.approx(of_window.mean())
    assert error == pytest.approx(of_window.std(ddof=1) / 3**0.5)
    logits[0, 2, 11] = 1e6  # padding of the shorter last window
    assert mean_loss(features, *logits)[0] == pytest.approx(loss)
    logits[0, 0, 3] = np.nan
    assert np.isnan(mean_loss(features, *logits)[0])
    assert np.isnan(mean_loss(features.select([1]), *logits[:, [1]])[1])  # one tells no spread


def test_null_answers(tokenizer):
    records = letters("a")
    for threshold, expected in ((0.0, ""), (2.0, "b")):
        data = DataArguments(
            max_seq_length=64,
            doc_stride=8,
            version_2_with_negative=True,
            null_score_diff_threshold=threshold,
        )
        features = evaluation_features(records, tokenizer, data)
        start = np.zeros((1, len(features[0]["input_ids"])))
        end = start.copy()
        start[0, 0], start[0, 5], end[0, 5] = 4, 3, 0.1  # [CLS] leads by 0.9
        ((answer, *_),) = ranked_answers(records["context"], features, start, end, data)
        assert answer.text == expected
        assert 0 < answer.confidence < 1


@pytest.mark.parametrize(
    ("predicted", "gold", "em", "f1"),
    [
        ("the Eiffel Tower.", ["Eiffel tower"], 100, 100),
        ("Eiffel", ["Eiffel tower"], 0, 200 / 3),
        ("1912", ["in 1912", "1912"], 100, 100),
        ("", ["Odin"], 0, 0),
        ("", [], 100, 100),
        ("a b b", ["b b c"], 0, 80.0),  # the article goes: [b b] against [b b c]
    ],
)
def test_scores_as_the_official_script_has_them(predicted, gold, em, f1):
    assert score_answer(
        predicted, {"text": gold, "answer_start": [0] * len(gold)}
    ) == pytest.approx((em, f1))


@pytest.mark.parametrize(
    ("predicted", "gold", "squad1", "squad2"),
    [
        ("The", ["the"], (100, 0), (100, 100)),  # 2.0 leaves out "the", so that no answer is right
        ("the", ["a", "Odin"], (100, 0), (0, 0)),
        ("", ["the"], (100, 0), (100, 100)),
        ("", ["Odin"], (0, 0), (0, 0)),
        ("An", [], (100, 100), (100, 100)),
        ("Odin", [], (0, 0), (0, 0)),
        ("Odin", ["the", "Odin!"], (100, 100), (100, 100)),
        ("the ravens fly", ["ravens", "two ravens fly"], (0, 80), (0, 80)),
    ],
)
def test_texts_of_articles_and_no_answers(predicted, gold, squad1, squad2):
    """What evaluate-v1.1.py and evaluate-v2.0.py print; 1.1 knows no question without answer."""
    answers = {"text": gold, "answer_start": [0] * len(gold)}
    assert score_answer(predicted, answers) == pytest.approx(squad1)
    assert score_answer(predicted, answers, squad2=True) == pytest.approx(squad2)


def means(predicted, golds, squad2):
    answers = [{"text": gold, "answer_start": [0] * len(gold)} for gold in golds]
    pairs = zip(predicted, answers, strict=True)
    return mean_scores([score_answer(*pair, squad2) for pair in pairs], answers, squad2)


def test_squad_2_is_summed_up_as_its_script_does():
    """The names and means of evaluate-v2.0.py."""
    golds = [["Odin"], ["two ravens"], [], []]
    assert means(["Odin", "ravens", "", "Thor"], golds, squad2=True) == pytest.approx(
        {
            "exact_match": 50,
            "f1": 100 * (1 + 2 / 3 + 1) / 4,
            "HasAns_exact": 50,
            "HasAns_f1": 100 * (1 + 2 / 3) / 2,
            "HasAns_total": 2,
            "NoAns_exact": 50,
            "NoAns_f1": 50,
            "NoAns_total": 2,
        }
    )
    all_answered = means(["Odin"], golds[:1], squad2=True)
    assert set(all_answered) == {"exact_match", "f1", "HasAns_exact", "HasAns_f1", "HasAns_total"}


def test_scores_are_means_over_the_questions():
    scores = means(["b", "c", "x"], [["a b"], ["c"], ["d"]], squad2=False)
    assert scores == pytest.approx({"exact_match": 200 / 3, "f1": 200 / 3})


def test_confidence_is_the_share_among_the_n_best(tokenizer):
    records, data = (
        letters("a"),
        DataArguments(max_seq_length=64, doc_stride=8, n_best_size=2, max_answer_length=1),
    )
    features = evaluation_features(records, tokenizer, data)
    start = np.full((1, len(features[0]["input_ids"])), -9.0)
    end = start.copy()
    start[0, [5, 7]] = end[0, [5, 7]] = 1.0, 0.5  # scores 2 and 1
    ((answer, *_),) = ranked_answers(records["context"], features, start, end, data)
    assert answer.text == "b"
    assert answer.confidence == pytest.approx(1 / (1 + np.exp(-1)))


def test_an_answer_in_two_windows_counts_once(tokenizer):
    records, data = letters("f g"), DataArguments(max_seq_length=12, doc_stride=2)
    features = evaluation_features(records, tokenizer, data)
    offsets = features["offset_mapping"][:]
    shared = next(place for place in offsets[0] if place and place in offsets[1])
    start, end = np.full((3, 12), -99.0), np.full((3, 12), -99.0)
    for window, score in ((0, 3), (1, 2)):
        token = offsets[window].index(shared)
        start[window, token] = end[window, token] = score
    (answers,) = ranked_answers(records["context"], features, start, end, data)
    assert (answers[0].window, answers[0].place) == (0, tuple(shared))
    assert answers[0].confidence == pytest.approx(1)
    assert [answer.place for answer in answers].count(tuple(shared)) == 1


@pytest.mark.parametrize(("threshold", "place"), [(-2.5, 0), (0, 1), (1.5, 2)])
def test_no_answer_stands_where_its_score_and_the_threshold_say(tokenizer, threshold, place):
    records = letters("a")
    data = DataArguments(
        max_seq_length=64,
        doc_stride=8,
        n_best_size=3,
        max_answer_length=1,
        version_2_with_negative=True,
        null_score_diff_threshold=threshold,
    )
    features = evaluation_features(records, tokenizer, data)
    start = np.full((1, len(features[0]["input_ids"])), -9.0)
    end = start.copy()
    start[0, [0, 5, 7]] = end[0, [0, 5, 7]] = 1.0, 2.0, 0.5  # scores 2, 4 and 1
    (answers,) = ranked_answers(records["context"], features, start, end, data)
    assert [answer.text for answer in answers].index("") == place
    assert sum(answer.confidence for answer in answers) == pytest.approx(1)
    ((best, *_),) = ranked_answers(records["context"], features, start, end, data)
    assert best == answers[0]


@pytest.mark.parametrize(
    ("correct", "asked", "low", "high"),
    [(0, 10, 0.0, 27.75), (10, 10, 72.25, 100.0), (13, 354, 2.16, 6.18), (1, 1, 20.65, 100.0)],
)
def test_wilson_interval(correct, asked, low, high):
    assert wilson_interval(correct, asked) == pytest.approx((low, high), abs=0.01)
