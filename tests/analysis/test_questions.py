"""Kinds of questions, running shares, passes, the hardest."""

from itertools import zip_longest

import numpy as np
import pytest

from huggin.analysis.parts import chosen_parts, frozen, log_norms, table_of_norms, unknown_steps
from huggin.analysis.question_texts import refuse_changed
from huggin.analysis.questions import (
    LENGTHS,
    PLACES,
    Grouping,
    between_passes,
    by_length,
    by_own_kind,
    by_place,
    half_right,
    hardest,
    kind_of,
    learned_in_words,
    passes_in_words,
    running,
    same_kinds,
    table_of_hardest,
    table_of_kinds,
    visits_of,
)
from huggin.common.errors import UserError
from huggin.common.statistics import wilson_interval
from huggin.recording.reader import PartNorms, Recording, TrainedWindows
from huggin.recording.run_facts import TEXTS


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who owns the ravens?", "who"),
        ("To whom do they return?", "who"),
        ("When did it end?", "when"),
        ("Where is it, and when?", "where"),
        ("How many points were there?", "how many"),
        ("How much did it cost?", "how many"),
        ("How did it end?", "how"),
        ("WHy was it formed", "why"),
        ("In what year did it end?", "what"),
        ("Of these, which is it?", "which"),
        ("Somewhere there is what?", "what"),
        ("Name the ravens.", "other"),
    ],
)
def test_the_first_question_word_says_the_kind(question, kind):
    assert kind_of(question) == kind


def records_of(answers=("a",), places=None, own=()):
    """A context of 100 characters; the answer begins at a place of it, None without an answer."""
    return [
        {
            "question": "Who?",
            "context": "x" * 100,
            "answers": {
                "text": [answer] if answer else [],
                "answer_start": [] if place is None else [round(100 * place)],
            },
            "own": kind,
        }
        for answer, place, kind in zip_longest(answers, places or [0] * len(answers), own)
    ]


def test_lengths_and_places():
    answers = ["a", "a b", "a b c", "a b c d", "a b c d e", "a " * 9, ""]
    kinds = by_length(records_of(answers)).kind
    assert [LENGTHS[kind] for kind in kinds] == [*LENGTHS[:3], *LENGTHS[2:]]
    places = [0, 0.24, 0.25, 0.5, 0.99, None]
    kinds = by_place(records_of("abcdef", places)).kind
    assert [PLACES[kind] for kind in kinds] == [PLACES[0], *PLACES]


def test_own_kinds_are_the_most_frequent_values():
    own = [f"title {number}" for number in range(10) for _ in range(20 - number)]
    grouping = by_own_kind(records_of("a" * len(own), own=own), "title")
    assert grouping.names == [*(f"title {number}" for number in range(8)), "all others"]
    assert np.bincount(grouping.kind).tolist() == [20, 19, 18, 17, 16, 15, 14, 13, 12 + 11]
    other = by_own_kind(records_of("aa", own=["b", "c"]), "title")
    with pytest.raises(UserError, match="the runs have different kinds; draw each alone"):
        same_kinds([[grouping], [other]])


def trained(rows):
    """Rows of step, index, window, loss, right."""
    step, index, window, loss, right = (np.array(column) for column in zip(*rows))
    return TrainedWindows(step, index, window, loss, loss, right.astype(bool))


def test_running_means_and_intervals():
    numbers = np.random.default_rng(0)
    rows = [
        (step, index, 0, numbers.random(), numbers.random() < 0.3)
        for step in range(1, 201)
        for index in (0, 1, 2)
    ]
    found = trained(rows)
    grouping = Grouping("kind", "by kind", ["even", "odd", "none"], np.array([0, 1, 0]))
    seen = running(found, grouping, most=4)
    assert seen.edges.tolist() == [0.5, 50.5, 100.5, 150.5, 200.5]
    assert seen.windows.tolist() == [[100, 50, 0]] * 4
    chosen = (found.step > 50) & (found.step <= 100) & (found.index != 1)
    loss = found.start_loss[chosen]
    assert seen.loss[1, 0] == pytest.approx(loss.mean())
    assert seen.loss_error[1, 0] == pytest.approx(1.984217 * loss.std(ddof=1) / 10)
    assert seen.right[1, 0] == pytest.approx(100 * found.right[chosen].mean())
    interval = wilson_interval(found.right[chosen].sum(), 100)
    assert seen.right_interval[1, 0] == pytest.approx(interval)
    assert np.isnan(seen.loss[:, 2]).all()
    table = table_of_kinds(found, grouping).splitlines()
    assert [line.split()[0] for line in table[1:]] == ["even", "odd"]


def test_a_kind_is_learned_when_half_of_50_windows_in_a_row_are_right():
    rows = [(step, 0, 0, 1.0, step > 30) for step in range(1, 101)]
    rows += [(step, 1, 0, 1.0, True) for step in range(1, 50)]
    rows += [(step, 2, 0, 1.0, step % 3 == 0) for step in range(1, 101)]
    found = trained(rows)
    grouping = Grouping("kind", "by kind", ["late", "few", "never", "none"], np.array([0, 1, 2]))
    assert half_right(found, grouping) == [55, None, None, None]
    said = (
        "by kind: half of 50 in a row right, first at step: 55 (late); never half of 50: never; "
        "fewer than 50 windows, too few to say: few"
    )
    assert learned_in_words(found, grouping) == said


def test_losses_that_are_not_finite_are_left_out():
    found = trained([(1, 0, 0, np.nan, False), (1, 0, 0, 2.0, True)])
    seen = running(found, Grouping("all", "all", ["all"], np.array([0])))
    assert (seen.loss[0, 0], seen.right[0, 0]) == (2.0, 50.0)
    assert np.isnan(seen.loss_error[0, 0])


def test_passes():
    """Question 0 has two windows; the order within an epoch differs."""
    rows = [
        (1, 0, 0, 5.0, False),
        (1, 1, 0, 4.0, True),
        (2, 0, 1, 3.0, True),
        (3, 0, 1, 2.0, False),
        (3, 0, 0, 1.0, True),
        (4, 1, 0, 9.0, True),
        (5, 1, 0, 0.5, True),
    ]
    found = trained(rows)
    visits = visits_of(found)
    assert list(zip(visits.index.tolist(), visits.step.tolist(), visits.number.tolist())) == [
        (0, 1, 0),
        (0, 3, 1),
        (0, 2, 0),
        (0, 3, 1),
        (1, 1, 0),
        (1, 4, 1),
        (1, 5, 2),
    ]
    assert visits.was_right.tolist() == [False, False, False, True, False, True, True]
    assert visits.is_last.tolist() == [False, True, False, True, False, False, True]
    passes = between_passes(found)
    assert passes.learned.tolist() == [1, 0]
    assert passes.forgotten.tolist() == [1, 0]
    assert passes.stayed_right.tolist() == [1, 1]
    assert passes.stayed_wrong.tolist() == [0, 0]
    said = passes_in_words(passes)
    assert said == "over 3 passes: 1 times a window was learned, 1 times one was forgotten"
    assert hardest(found, None) == [("0", "1.50", "2/4", "", ""), ("1", "0.500", "3/3", "", "")]


def test_the_hardest_have_their_texts():
    found = trained([(1, 1, 0, 3.0, False)])
    with_texts = table_of_hardest(found, records_of(["x", "Odin"])).splitlines()
    assert with_texts[1].endswith("0/1  Who? -> Odin")
    assert table_of_hardest(found, None).splitlines()[1].split() == ["1", "3.00", "0/1"]
    assert "seen once" in passes_in_words(between_passes(found))


@pytest.mark.parametrize("is_older", [False, True])
def test_texts_are_those_that_were_trained_on(tiny_run, records, is_older):
    recording = Recording(tiny_run)
    others = [records[:3], [{**records[0], "question": "Whose?"}, *records[1:]]]
    if is_older:
        del recording.facts.fixed[TEXTS]
    else:  # questions that are not tracked: in another order, with another answer
        other_answer = {**records[3], "answers": records[2]["answers"]}
        others += [[records[0], *records[:0:-1]], [*records[:3], other_answer]]
    refuse_changed(recording, records)
    for changed in others:
        with pytest.raises(UserError, match=r"questions.json has changed since .* was trained"):
            refuse_changed(recording, changed)


def norms(values, parts=("embeddings", "layer 1", "layer 2", "layer 3", "head")):
    values = np.array(values, np.float32)
    return PartNorms(np.arange(1, len(values) + 1), values, list(parts))


def test_means_of_norms_leave_out_0_and_nan():
    values = [[1, 0, 10, np.nan, 1], [100, 0, np.nan, np.nan, 1]] * 400
    edges, logs = log_norms(norms(values))
    assert (len(edges), len(logs)) == (401, 400)
    np.testing.assert_allclose(logs[0], [1, np.nan, 1, np.nan, 0])


def test_frozen_and_unknown():
    found = norms([[1, 0, 0, np.nan, np.nan], [1, 0, 1, np.nan, 0]])
    assert frozen(found).tolist() == [False, True, False, False, True]
    assert unknown_steps(found) == 2
    assert table_of_norms(found).splitlines()[2].split() == ["layer", "1", "frozen"]


def test_chosen_parts():
    found = norms([[1] * 5])
    assert chosen_parts(found) == [0, 1, 2, 3, 4]
    assert chosen_parts(found, ["layer 3", "head"]) == [3, 4]
    with pytest.raises(UserError, match="layer 9: choose from embeddings, layer 1"):
        chosen_parts(found, ["layer 9"])
