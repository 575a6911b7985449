"""Batches of similar length."""

import json

import numpy as np
import pytest
from datasets import Dataset

from huggin.recording.reader import Recording
from huggin.recording.run_facts import GROUPED
from huggin.training.lengths import LikeLengths, lengths_of, saved_by_grouping
from tests.conftest import CONTEXT, QUESTIONS, command, record

LENGTHS = np.random.default_rng(0).integers(20, 384, 1003)


def order(lengths, batch=8, seed=1, epoch=0):
    return list(LikeLengths(lengths, batch, seed, lambda: epoch))


def computed(lengths, indices, batch):
    """Tokens that are computed if each batch is padded to its longest window."""
    batches = [indices[first : first + batch] for first in range(0, len(indices), batch)]
    return sum(max(lengths[index] for index in one) * len(one) for one in batches)


@pytest.mark.parametrize("windows", [0, 1, 7, 8, 31, 32, 1003])
def test_each_window_comes_once(windows):
    assert sorted(order(LENGTHS[:windows])) == list(range(windows))


def test_little_is_padded():
    needed = LENGTHS.sum()
    assert computed(LENGTHS, order(LENGTHS), 8) < 1.05 * needed
    assert computed(LENGTHS, np.random.default_rng(0).permutation(1003), 8) > 1.5 * needed


def test_an_epoch_can_be_drawn_again_and_differs_from_others():
    assert order(LENGTHS) == order(LENGTHS)
    assert order(LENGTHS) != order(LENGTHS, epoch=1)
    assert order(LENGTHS) != order(LENGTHS, seed=2)
    batches = [{frozenset(order(LENGTHS, epoch=epoch)[:8])} for epoch in range(20)]
    assert len(set.union(*batches)) == 20


def test_the_length_of_a_batch_says_nothing_about_its_place():
    lengths = [LENGTHS[order(LENGTHS, epoch=epoch)[:1000:8]] for epoch in range(40)]
    in_each_eighth = np.array(lengths).mean(axis=0)[:120].reshape(8, 15).mean(axis=1)
    assert np.ptp(in_each_eighth) < 30  # of lengths from 20 to 384


def test_lengths_are_those_of_the_windows_that_are_chosen():
    features = Dataset.from_dict({"input_ids": [[1, 2], [3], [4, 5, 6], []]})
    assert lengths_of(features).tolist() == [2, 1, 3, 0]
    assert lengths_of(features.select([2, 0])).tolist() == [3, 2]


def test_what_grouping_saves():
    assert saved_by_grouping(LENGTHS, 8, seed=1) > 0.3
    assert saved_by_grouping(np.full(100, 90), 8, seed=1) == 0


@pytest.fixture
def uneven(tiny_cfg, tmp_path):
    """A folder with a cfg whose questions have short and long contexts."""
    contexts = [CONTEXT, f"{CONTEXT} {CONTEXT}"]
    pairs = [(number, *QUESTIONS[number % 4], contexts[number // 4 % 2]) for number in range(32)]
    (tmp_path / "uneven.json").write_text(json.dumps([record(*pair) for pair in pairs]))
    cfg = tiny_cfg(train_file="uneven.json", max_seq_length=66, do_eval=False, max_steps=2)
    (tmp_path / "cfg.json").write_text(json.dumps(cfg))
    return tmp_path


def test_windows_are_grouped_where_that_saves_tokens(uneven, tiny_run):
    done = command("run_qa.py", "cfg.json", cwd=uneven)
    assert "2 windows of similar length in a step" in done.stdout, done.stderr
    facts = Recording(uneven / "run").facts
    assert facts.fixed["train_sampling_strategy"] == GROUPED
    assert facts.has_like_lengths
    assert Recording(tiny_run).facts.fixed["train_sampling_strategy"] == "random"


@pytest.mark.slow
def test_a_resumed_run_draws_its_batches_as_it_began(uneven):
    at_random = ("--train_sampling_strategy", "random")
    assert command("run_qa.py", "cfg.json", *at_random, cwd=uneven).returncode == 0
    done = command("run_qa.py", "cfg.json", "--max_steps", "3", cwd=uneven)
    assert "going on from step 2 of 3" in done.stdout, done.stderr
    grouped = ("--train_sampling_strategy", GROUPED)
    done = command("run_qa.py", "cfg.json", "--max_steps", "4", *grouped, cwd=uneven)
    assert (done.returncode, "train_sampling_strategy was random" in done.stderr) == (2, True)
