"""Which given answers are probably wrong: from the losses, and from the texts."""

import numpy as np
import pytest

from huggin.analysis.question_texts import NOBODY, terms_of, text_evidence
from huggin.analysis.suspects import (
    ModelAnswer,
    beside_its_kind,
    late_passes,
    losses_by_pass,
    rank_suspects,
)
from huggin.recording.reader import TrainedWindows
from huggin.recording.results import Efficacy

RAVENS = (
    "The ravens of Odin fly over the whole world at dawn. In the evening they return to Asgard and "
    "tell him the news. Their names are Huginn and Muninn. The wolves of the god eat all his meat."
)
ASKED = [  # question, answer
    ("Whose ravens fly at dawn?", "Odin"),
    ("To what place do they return in the evening?", "Asgard"),
    ("What are their names?", "Huginn and Muninn"),
    ("Who eats the meat of the god?", "The wolves"),
]


def record(number, question, answer, context=RAVENS):
    answers = {"text": [answer], "answer_start": [context.index(answer)]}
    return {"id": f"q{number}", "question": question, "context": context, "answers": answers}


def records(asked=ASKED):
    return [record(number, *pair) for number, pair in enumerate(asked)]


def swapped():
    """The first and the third question have each other's answer."""
    found = records()
    found[0]["answers"], found[2]["answers"] = found[2]["answers"], found[0]["answers"]
    return found


def trained(rows):
    """Rows of step, index, window, start loss, end loss, right."""
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return TrainedWindows(*columns[:5], columns[5].astype(bool))


def evaluation(step, loss):
    return Efficacy(step, "", 10, 5, 50.0, (20.0, 80.0), 50.0, (0.0, 100.0), loss=loss)


def test_swapped_answers_are_found_by_their_texts():
    evidence = text_evidence(swapped())
    assert evidence.swap.argsort()[-2:].tolist() in ([0, 2], [2, 0])
    assert evidence.swapped_with[[0, 2]].tolist() == [2, 0]
    assert (text_evidence(records()).swap < 0.3).all()
    ranked, notes = rank_suspects(swapped())
    assert {suspect.index for suspect in ranked[:2]} == {0, 2}
    assert "question 2 fit better with each other's answer" in ranked[0].reason + ranked[1].reason
    assert notes == []


def test_an_answer_far_from_the_words_of_its_question():
    wrong = [*ASKED[:3], ("Who eats the meat of the god?", "the whole world")]
    assert text_evidence(records(wrong)).far[3] > 0.3
    assert text_evidence(records()).far[3] < text_evidence(records(wrong)).far[3]


def test_the_same_text_with_two_answers_and_one_answer_for_two_kinds():
    asked = [*ASKED, (ASKED[0][0], "Asgard"), ("Where are the wolves?", "The wolves")]
    evidence = text_evidence(records(asked))
    assert evidence.contradicted_by.tolist() == [4, NOBODY, NOBODY, NOBODY, 0, NOBODY]
    assert evidence.copied_from[[3, 5]].tolist() == [5, 3]
    assert evidence.shared.tolist() == [False, True, False, True, True, True]
    ranked, _ = rank_suspects(records(asked))
    assert {0, 4} <= {suspect.index for suspect in ranked[:3]}


def test_the_same_answer_at_another_place_is_no_contradiction():
    twice = [record(0, "Who flies?", "Odin", "Odin, Odin."), record(1, "Who flies?", "Odin")]
    twice[1] |= {"context": "Odin, Odin.", "answers": {"text": ["Odin"], "answer_start": [6]}}
    assert text_evidence(twice).contradicted_by.tolist() == [NOBODY, NOBODY]


def test_every_given_answer_counts():
    """In SQuAD's development data a question has several, and any of them is right."""
    wolves = record(0, *ASKED[3])
    several = record(1, ASKED[3][0], "wolves of the god ")
    several["answers"]["text"].append("The wolves")
    several["answers"]["answer_start"].append(RAVENS.index("The wolves"))
    (start,) = wolves["answers"]["answer_start"]
    answer = ModelAnswer("The wolves", (start, start + len("The wolves")), 0.9, 0.05)
    ranked, notes = rank_suspects([wolves, several], asked=[answer, answer])
    assert "the model gives 100% of the given answers" in notes[-1]
    assert not any("answer" in suspect.reason for suspect in ranked)


def test_blanks_around_an_answer_are_no_part_of_it():
    wolves = [record(0, *ASKED[3]), record(1, ASKED[3][0], "The wolves ")]
    start = RAVENS.index("The wolves")
    answer = ModelAnswer("The wolves", (start, start + len("The wolves")), 0.9, 0.05)
    ranked, _ = rank_suspects(wolves, asked=[answer, answer])
    assert not any("another" in suspect.reason for suspect in ranked)


def test_terms_of_languages_without_blanks():
    assert [term for term, _ in terms_of("The 2 Ravens")] == ["the", "2", "ravens"]
    assert [term for term, _ in terms_of("三只乌鸦")] == ["三只", "只乌", "乌鸦"]
    assert len(terms_of("อีกาสองตัว")) == len("อีกาสองตัว") - 3


def test_losses_by_pass():
    rows = [(1, 0, 0, 1, 1, 0), (1, 0, 1, 2, 2, 0), (2, 3, 0, 1, 0, 1), (3, 0, 0, 0, 1, 1)]
    losses = losses_by_pass(trained(rows))
    assert losses.index.tolist() == [0, 3]
    np.testing.assert_allclose(losses.loss, [[3, 1], [1, np.nan]])
    np.testing.assert_allclose(losses.right, [1 / 3, 1])
    assert losses.last_step.tolist() == [2, 3]


def passes(*rights):
    """Ten questions, one window each; the given share is right in each pass."""
    rows = [
        (number, index, 0, 1.0, 1.0, index < 10 * right)
        for number, right in enumerate(rights, start=1)
        for index in range(10)
    ]
    return losses_by_pass(trained(rows))


def test_passes_before_the_errors_were_memorised():
    assert late_passes(passes(0.1, 0.3, 0.5, 0.7), []) == ([2, 3], [])
    chosen, notes = late_passes(passes(0.1, 0.5, 0.8, 1, 1, 1), [])
    assert chosen == [1, 2]
    assert "memorised" in notes[0]
    assert "pass 2 and 3 of 6" in notes[0]
    chosen, notes = late_passes(
        passes(0.1, 0.3, 0.5, 0.7), [evaluation(2, 1.0), evaluation(4, 2.0)]
    )
    assert chosen == [1, 2]
    assert (
        "validation loss was lowest at step 2; so the losses are those of pass 2 and 3" in notes[0]
    )
    assert "a single pass tells little" in late_passes(passes(0.5), [])[1][0]


def test_a_pass_that_was_stopped_early_is_not_used():
    rows = [(step, index, 0, 1.0, 1.0, 0) for step in (1, 2, 3) for index in range(10)]
    losses = losses_by_pass(trained([*rows, (4, 0, 0, 9.0, 9.0, 0)]))
    assert losses.loss.shape == (10, 4)
    assert late_passes(losses, []) == ([1, 2], [])


def test_passes_without_a_finite_loss_are_told():
    rows = [(step, index, 0, np.nan, 1.0, 0) for step in (1, 2, 3) for index in range(10)]
    said = "3 of 3 passes have no finite loss and do not count"
    assert late_passes(losses_by_pass(trained(rows)), []) == ([0], [said])


def test_a_loss_counts_beside_those_of_its_kind():
    loss = np.array([1.0, 1.1, 0.9] * 20 + [5.0, 5.1, 4.9] * 20)
    above = beside_its_kind(loss, ["who"] * 60 + ["why"] * 60)
    assert abs(above[0] - above[60]) < 3 < (5 - 1) / 0.15
    loss[3] = 4.0
    loss[4:8] = np.nan
    assert (beside_its_kind(loss, ["who"] * 60 + ["why"] * 60)[4:8] == 0).all()
    assert (beside_its_kind(np.full(3, np.nan), ["who"] * 3) == 0).all()
    assert beside_its_kind(loss, ["who"] * 60 + ["why"] * 60).argmax() == 3


def test_a_high_loss_is_suspicious_unless_questions_share_their_answers():
    rows = [(1, index, 0, loss, loss, 0) for index, loss in enumerate((1, 1.2, 0.9, 9))]
    losses = losses_by_pass(trained(rows))
    ranked, notes = rank_suspects(records(), losses, [0])
    assert (ranked[0].index, notes) == (3, [])
    assert ranked[0].probability == pytest.approx(np.exp(-18))
    sharing = [ASKED[0], ("Who?", "Odin"), ASKED[2], ("Name them?", "Huginn and Muninn")]
    _, notes = rank_suspects(records(sharing), losses, [0])
    assert "4 of 4 questions share their answer" in notes[0]


def test_the_models_answer_elsewhere_and_at_the_edge():
    found = records()
    texts = ["the whole world", "Asgard", "Huginn and Muninn. The", "The wolves"]
    spans = [(RAVENS.index(text), RAVENS.index(text) + len(text)) for text in texts]
    given = (0.01, 0.9, 0.05, 0.9)
    asked = [ModelAnswer(*each) for each in zip(texts, spans, [0.9] * 4, given, strict=True)]
    ranked, notes = rank_suspects(found, asked=asked)
    assert "the model gives 50% of the given answers" in notes[0]
    by_index = {suspect.index: suspect for suspect in ranked}
    assert 'the model answers "the whole world" (p 0.90)' in by_index[0].reason
    assert "begins or ends at another word" in by_index[2].reason
    assert "model" not in by_index[1].reason + by_index[3].reason
    assert (by_index[0].model_answer, by_index[0].probability) == ("the whole world", 0.01)


def test_the_models_word_counts_as_much_as_it_is_right_on_questions_that_it_has_not_seen():
    start = RAVENS.index("the whole world")
    asked = [ModelAnswer("the whole world", (start, start + 15), 0.9, 0.01)] * 4
    scores = []
    for unseen in (0.0, 0.5, 1.0):
        ranked, notes = rank_suspects(records(), asked=asked, unseen=unseen)
        assert f"the model gives {unseen:.0%} of the answers of the validation data" in notes[0]
        scores.append(next(suspect.score for suspect in ranked if suspect.index == 0))
    assert scores[0] < scores[1] < scores[2]
    assert scores[1] - scores[0] == pytest.approx(scores[2] - scores[1])
