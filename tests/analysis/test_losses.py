"""Which losses stand out, and whose batch it was."""

from pathlib import Path

import numpy as np
import pytest

from huggin.analysis.losses import find_spikes, spikes_in_words
from huggin.common.errors import UserError
from huggin.graphs.losses import draw_losses
from huggin.recording.reader import Recording
from huggin.recording.schema import RecordingWriter
from tests.recordings import window, write_run

POISONED = 70
BATCH = [60, 61, 62, 63]


def recorded(folder: Path, losses, batches, probes=()) -> Recording:
    """A recording with these losses, from step 1 on; each question of a batch has its loss."""
    run = write_run(folder, 2, window())
    writer = RecordingWriter(run, 2)
    numbers = {"learning_rate": 1e-3, "grad_norm": 1.0, "weight": np.zeros(4), "bias": np.zeros(2)}
    writer.append("steps", step=0, epoch=0.0, loss=np.nan, **numbers)
    for step, (loss, batch) in enumerate(zip(losses, batches, strict=True), start=1):
        writer.append("steps", step=step, epoch=step / 10, loss=loss, **numbers)
        rows = [(index, 0, loss + place, loss + place, 0) for place, index in enumerate(batch)]
        writer.append("questions", step=step, windows=np.array(rows, np.float32).ravel())
    for step, loss in probes:
        logits = {"start_logits": np.zeros(4), "end_logits": np.zeros(4)}
        span = {"predicted_start": 1, "predicted_end": 1}
        writer.append(
            "probes", step=step, sample=0, start_loss=loss, end_loss=loss, **logits, **span
        )
    writer.close()
    return Recording(folder)


@pytest.fixture
def run(tmp_path) -> Recording:
    """A falling, noisy loss of 120 steps; one batch is poisoned, and long windows cost more."""
    noise = np.random.default_rng(0).normal(0, 0.1, 120)
    losses = 1 + 3 * np.exp(-np.arange(120) / 30) + noise
    losses[9] += 1.2  # a batch of long windows, as all of its length are
    losses[20:120:11] += 1.2
    losses[POISONED - 1] += 1.5
    batches = [[0, 1, 2, 3] for _ in range(120)]
    for at in (9, *range(20, 120, 11)):
        batches[at] = [80, 81, 82, 83]
    batches[POISONED - 1] = BATCH
    return recorded(tmp_path / "run", losses, batches, [(60, 1.0), (72, 1.5), (80, 1.4)])


LENGTHS = [100] * 80 + [500] * 10


def test_a_steep_beginning_is_no_spike(tmp_path):
    losses = 0.01 + 3 * np.exp(-np.arange(40) / 3)
    assert find_spikes(recorded(tmp_path / "run", losses, [[0]] * 40)) == []


def test_a_poisoned_batch_is_named_first_with_its_questions(run):
    spike, *others = find_spikes(run, LENGTHS)
    assert (spike.step, others) == (POISONED, [])
    assert [index for index, _ in spike.questions] == BATCH[::-1]
    assert spike.worse == [(0, 1.0, 1.5)]
    assert spike.loss > spike.expected + 1
    said = spikes_in_words([spike], [{"question": f"Is it {n}?"} for n in range(90)])
    assert said.startswith(f"step {POISONED}: loss ")
    assert "question     63" in said
    assert "Is it 63?" in said
    assert "tracked sample 0 got worse: 1.00 -> 1.50" in said


def test_without_lengths_long_windows_stand_out_too(run):
    steps = [spike.step for spike in find_spikes(run)]
    assert POISONED in steps
    assert len(steps) > 3


def test_a_steep_but_smooth_loss_has_no_spikes(tmp_path):
    noise = np.random.default_rng(1).normal(0, 0.2, 100)
    losses = 1 + 5 * np.exp(-np.arange(100) / 20) + noise
    losses[50] = np.nan
    smooth = recorded(tmp_path / "run", losses, [[0, 1]] * 100)
    assert find_spikes(smooth, [10, 10]) == []
    assert spikes_in_words([]) == "no loss stands out by 5 spreads or more"
    short = recorded(tmp_path / "short", losses[:10], [[0]] * 10)
    with pytest.raises(UserError, match="10 steps with a finite loss; spikes need 20 or more"):
        find_spikes(short)


@pytest.mark.filterwarnings("error")
def test_losses_that_are_not_finite_are_no_spikes(tmp_path):
    losses = np.random.default_rng(1).normal(1, 0.1, 100)
    losses[10] = np.inf
    losses[40:90] = np.nan
    losses[95] = 9
    lengths = [10, 20]
    broken = recorded(tmp_path / "run", losses, [[0, 1], [1, 1]] * 50)
    assert [spike.step for spike in find_spikes(broken, lengths)] == [96]
    unknown = recorded(tmp_path / "unknown", np.full(100, np.nan), [[0, 1]] * 100)
    with pytest.raises(UserError, match="0 steps with a finite loss"):
        find_spikes(unknown, lengths)


def test_tiny_losses_of_a_learned_training_are_no_spikes(tmp_path):
    losses = np.full(60, 0.001)
    losses[[20, 40]] = 0.05, 2.0
    learned = recorded(tmp_path / "run", losses, [[0, 1]] * 60)
    assert [spike.step for spike in find_spikes(learned)] == [41]


def test_spikes_are_marked_in_the_figure(run):
    figure = draw_losses(run, spikes=find_spikes(run, LENGTHS))["losses"]
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "stands out (1)" in labels
    assert str(POISONED) in [text.get_text() for text in figure.axes[0].texts]
