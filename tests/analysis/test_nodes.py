"""Weight change, shares and rankings against numbers worked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from huggin.analysis.nodes import (
    RANKINGS,
    NodeChoice,
    nodes_for_half,
    rank_nodes,
    ranked,
    ranking_values,
    snapshots,
    weight_change,
)
from huggin.common.errors import UserError
from huggin.recording.reader import Recording
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import RecordingWriter
from tests.recordings import window, write_run

FIRST = [[1.0, -2.0, 0.0, 0.5], [4.0, 1.0, 1.0, 1.0]]
LAST = [[2.0, -1.0, 3.0, 0.5], [4.0, 1.0, 1.0, -5.0]]
BIAS = np.array([0.25, -0.5], np.float32)
PARTS = ["special", "question", "special", "context", "context", "context"]
GOLD, RIVAL = 3, 5
INPUTS = np.zeros((6, 4), np.float16)  # (tokens, hidden)
INPUTS[0] = [9, 0, 0, 0]  # [CLS] has the highest start logit of all, and cannot be answered
INPUTS[GOLD] = [1, 1, 1, 0]
INPUTS[4] = [0, 1, 0, 0]
INPUTS[RIVAL] = [1, 0, 0, 2]
WINDOW = window(tokens=list("abcdef"), parts=PARTS, gold_start=GOLD, gold_end=4)
NUMBERS = dict.fromkeys(("epoch", "loss", "learning_rate", "grad_norm"), 0.0)


def made(folder, last=LAST, offset=0.0):
    """A recording of two snapshots with the same inputs.

    offset: added to all logits, as by something between the last layer and the head.
    """
    run = RunFolder(folder)
    write_run(run, 4, WINDOW)
    writer = RecordingWriter(run, 4)
    for step, weight in ((0, FIRST), (10, last)):
        writer.append("steps", step=step, **NUMBERS, weight=np.array(weight, np.float32), bias=BIAS)
        start, end = np.array(weight) @ INPUTS.T.astype(float) + BIAS[:, None] + offset
        logits = {"start_logits": start.astype(np.float32), "end_logits": end.astype(np.float32)}
        rest = {"start_loss": 1.0, "end_loss": 1.0, "predicted_start": 3, "predicted_end": 4}
        writer.append("probes", step=step, sample=0, **logits, **rest)
        for layer, component, values in (
            (1, "out", -INPUTS),
            (2, "self", -INPUTS),
            (2, "out", INPUTS),
        ):
            writer.append(
                "nodes", step=step, sample=0, layer=layer, component=component, activations=values
            )
    writer.close()
    return Recording(folder)


@pytest.fixture
def recording(tmp_path):
    return made(tmp_path)


def test_change(recording):
    change = weight_change(recording.steps)
    assert (change.first_step, change.last_step) == (0, 10)
    np.testing.assert_array_equal(change.absolute, [[1, 1, 3, 0], [0, 0, 0, -6]])
    np.testing.assert_array_equal(change.percent, [[100, 50, np.nan, 0], [0, 0, 0, -600]])


def test_shares(recording):
    """Last start weights [2, -1, 3, 0.5] times the true start's [1, 1, 1, 0] and the rival's."""
    found = snapshots(recording)
    assert found.step.tolist() == [0, 10]
    assert found.shares(0, GOLD)[-1].tolist() == [2, -1, 3, 0]
    assert found.shares(1, RIVAL)[-1].tolist() == [4, 0, 0, -10]
    assert found.margin_shares(GOLD, RIVAL)[-1].tolist() == [0, -1, 3, -1]
    assert found.logits()[-1, 0].tolist() == [18.25, 0.25, 0.25, 4.25, -0.75, 3.25]
    assert (found.place(None), found.place(0)) == (1, 0)
    with pytest.raises(
        UserError, match="^step 5: no snapshot of the nodes; there are some at 0, 10"
    ):
        found.place(5)


def test_only_other_tokens_of_the_context_are_rivals(recording):
    found = snapshots(recording)
    assert found.rival(1, WINDOW) == RIVAL
    with pytest.raises(UserError, match="is one token"):
        found.rival(1, replace(WINDOW, parts=["question"] * 3 + ["context"] + ["special"] * 2))


def test_rankings(recording):
    np.testing.assert_array_equal(ranking_values(recording, "percent"), [100, 50, np.nan, -600])
    np.testing.assert_array_equal(ranking_values(recording, "absolute"), [1, 1, 3, -6])
    np.testing.assert_array_equal(ranking_values(recording, "share"), [0, -1, 3, -1])
    np.testing.assert_array_equal(ranking_values(recording, "share-change"), [0, 1, 3, 0])
    orders = {
        name: rank_nodes(recording, NodeChoice(rank_by=name)).nodes.tolist() for name in RANKINGS
    }
    assert orders == {
        "percent": [3, 0, 1, 2],
        "absolute": [3, 2, 0, 1],
        "share": [2, 1, 3, 0],
        "share-change": [2, 1, 0, 3],
    }
    with pytest.raises(
        UserError, match="^rank_by size: choose from percent, absolute, share, share-change"
    ):
        ranking_values(recording, "size")


def test_margin_shares_are_over_the_last_rival_at_every_step(recording):
    assert ranking_values(recording, "share").tolist() == [0, -1, 3, -1]
    assert ranking_values(recording, "share-change").tolist() == [0, 1, 3, 0]


def test_ranking_leaves_undefined_values_last():
    assert ranked(np.array([1.0, np.nan, -3.0, 0.5])).tolist() == [2, 0, 3, 1]


def test_the_tracked_node_comes_first(recording):
    assert rank_nodes(recording, NodeChoice(1)).nodes.tolist() == [1, 2, 3, 0]


def test_nodes_are_ranked_by_share_if_their_shares_are_known(recording, tmp_path):
    assert rank_nodes(recording, NodeChoice()).name == "share"
    assert rank_nodes(recording, NodeChoice()).nodes.tolist() == [2, 1, 3, 0]
    assert rank_nodes(recording, NodeChoice(rank_by="percent")).name == "percent"
    untrue = made(tmp_path / "untrue", offset=0.1)
    assert rank_nodes(untrue, NodeChoice()).name == "absolute"
    diverged = made(tmp_path / "diverged", last=np.full((2, 4), np.nan))
    assert rank_nodes(diverged, NodeChoice()).name == "absolute"
    with pytest.raises(UserError, match="^sample 1: "):
        rank_nodes(recording, NodeChoice(sample=1))


@pytest.mark.parametrize("node", [-1, 4])
def test_a_node_that_is_not_there(recording, node):
    with pytest.raises(UserError, match="nodes 0 to 3"):
        rank_nodes(recording, NodeChoice(node))


def test_how_few_nodes_give_half():
    assert nodes_for_half(np.array([1.0, 5, 2, -9, 2])) == 1
    assert nodes_for_half(np.array([1.0, 1, 1, 1, 1])) == 3
    assert nodes_for_half(np.array([-1.0])) == 0


def test_sums_that_are_not_the_models_logits_are_refused(tmp_path):
    said = r"do not add up to the logits \(step 0, sample 0\): the model transforms them"
    with pytest.raises(UserError, match=said):
        snapshots(made(tmp_path, offset=0.1))


def test_a_head_that_was_lost_with_its_step_hides_that_snapshot(recording):
    path = recording.run.segment("steps", 0)
    path.write_bytes(path.read_bytes()[:-60])
    assert snapshots(Recording(recording.run.path)).step.tolist() == [0]
