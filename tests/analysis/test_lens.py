"""The head on every layer: probabilities, best spans, and when they were right."""

from dataclasses import replace

import numpy as np

from huggin.analysis.lens import (
    best_span,
    layer_answers,
    layers_in_words,
    lens_tolerance,
    probabilities,
    table_of_layers,
)
from huggin.qa.answers import best_spans
from huggin.qa.arguments import DataArguments
from huggin.recording.reader import LensLogits, Probes, Recording
from tests.recordings import window, write_run


def test_probabilities_are_those_of_the_loss(tiny_run):
    recording = Recording(tiny_run)
    probes = recording.probes()
    gold = recording.tracked().gold_start
    found = layer_answers(recording)
    np.testing.assert_allclose(-np.log(found.probability[:, 0, -1]), probes.start_loss, atol=2e-3)
    assert probabilities(np.zeros((2, 4), np.float16)).tolist() == [[0.25] * 4] * 2
    assert gold > 0


def test_the_best_span_is_that_of_the_answers():
    numbers = np.random.default_rng(0)
    allowed = np.arange(40) > 8
    for longest in (1, 5, 60):
        start, end = numbers.normal(size=(2, 50, 40)).astype(np.float32)
        found = best_span(
            np.where(allowed, start, -np.inf), np.where(allowed, end, -np.inf), longest
        )
        data = DataArguments(n_best_size=40, max_answer_length=longest)
        for row, span in enumerate(zip(*found)):
            best = best_spans(start[row], end[row], allowed, data)[0]
            assert (best.start, best.end) == span


def test_no_valid_pair_has_no_span():
    nothing = np.full((1, 3), -np.inf)
    first, last = best_span(nothing, nothing, 30)
    assert (first.tolist(), last.tolist()) == ([-1], [-1])


def with_lens(tmp_path, monkeypatch, start, end, **changes):
    """A recording whose lens is given, (probes, layers + 1, tokens); the answer is token 2."""
    write_run(tmp_path, 4, window(size=start.shape[-1], gold_start=2, gold_end=2, **changes))
    lens = LensLogits(np.arange(len(start)) * 10, start, end)
    monkeypatch.setattr("huggin.analysis.lens.true_lens", lambda *_: lens)
    own = [logits[:, -1].argmax(axis=-1) for logits in (start, end)]
    nothing = np.zeros(len(start))
    probes = Probes(lens.step, start[:, -1], end[:, -1], nothing, nothing, *own)
    monkeypatch.setattr(Recording, "probes", lambda *_: probes)
    return Recording(tmp_path)


def test_the_models_own_answer_decides_on_the_last_layer(tmp_path, monkeypatch):
    """In float16 tokens 1 and 2 are alike; the model itself has answered with token 2."""
    logits = np.zeros((1, 1, 4), np.float16)
    logits[:, :, 1:3] = 1
    recording = with_lens(tmp_path, monkeypatch, logits, logits)
    assert not layer_answers(recording).right.any()
    own = replace(recording.probes(), predicted_start=np.array([2]), predicted_end=np.array([2]))
    monkeypatch.setattr(Recording, "probes", lambda *_: own)
    assert layer_answers(recording).right.all()


def test_the_lowest_right_layer(tmp_path, monkeypatch):
    logits = np.zeros((3, 3, 6), np.float16)
    logits[:, :, 4] = 1  # elsewhere wrong
    logits[1, 2, 2] = logits[2, 1, 2] = logits[2, 2, 2] = 9
    recording = with_lens(tmp_path, monkeypatch, logits, logits)
    found = layer_answers(recording)
    assert found.right.tolist() == [[False] * 3, [False, False, True], [False, True, True]]
    np.testing.assert_array_equal(found.lowest_right, [np.nan, 2, 1])
    assert [found.first_right(layer) for layer in range(3)] == [None, 20, 10]
    text = layers_in_words(recording)
    assert "first right at step 10, on layer 2; at the last probe, step 20, the lowest" in text
    assert text.endswith("layer on which it is right is 1")


def test_a_window_without_the_answer_is_never_right(tmp_path, monkeypatch):
    logits = np.zeros((1, 2, 4), np.float16)
    recording = with_lens(tmp_path, monkeypatch, logits, logits)
    window_without = {"gold_start": 0, "gold_end": 0}
    recording.facts.samples[0].__dict__.update(window_without)
    assert not layer_answers(recording).right.any()
    said = "sample 0: its window holds no answer, so nothing tells when it was right"
    assert table_of_layers(recording).endswith(said)


def test_logits_that_are_not_finite_are_no_answer(tmp_path, monkeypatch):
    logits = np.full((1, 2, 4), np.nan, np.float16)
    assert not layer_answers(with_lens(tmp_path, monkeypatch, logits, logits)).right.any()


def test_turned_wrong_is_said(tmp_path, monkeypatch):
    logits = np.zeros((2, 1, 6), np.float16)
    logits[0, 0, 2] = logits[1, 0, 4] = 9
    text = layers_in_words(with_lens(tmp_path, monkeypatch, logits, logits))
    assert "first right at step 0, on layer 0; at the last probe, step 10, it is right on" in text


def test_the_tolerance_follows_the_largest_logit():
    assert lens_tolerance(np.array([[8.0, 0.0]]), 2.0**-11).tolist() == [[3 * 2**-7, 3 * 2**-8]]
