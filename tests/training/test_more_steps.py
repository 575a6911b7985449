"""A training that goes on for more steps than it was begun for: the new schedule from the start."""

import shutil

import numpy as np
import pytest

from huggin.analysis.losses import schedule_changes
from huggin.graphs.losses import draw_losses
from huggin.recording.reader import Recording
from tests.training.test_overnight import train_here
from tests.training.test_training import train

SAID = "run: begun with learning rates for 8 steps, goes on with those for 16; training them in one"


@pytest.fixture
def longer(tiny_run, tiny_cfg, tmp_path):
    """A run of 8 steps, then of 16; what its second start printed."""
    shutil.copytree(tiny_run, tmp_path / "run")
    done = train(tmp_path, tiny_cfg(num_train_epochs=8))
    assert done.returncode == 0, done.stderr
    return tmp_path / "run", done.stdout


def test_the_first_step_has_the_rate_of_the_new_schedule(longer):
    run, said = longer
    assert SAID in said
    rates = Recording(run).steps.learning_rate
    np.testing.assert_allclose(rates[1:9], 1e-3 * (1 - np.arange(8) / 8))
    np.testing.assert_allclose(rates[9:], 1e-3 * (1 - np.arange(8, 16) / 16))


def test_the_figure_of_the_loss_marks_where_it_changes(longer, tiny_run):
    recording = Recording(longer[0])
    assert schedule_changes(recording) == [9]
    axes = draw_losses(recording)["losses"].axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "another schedule from step 9 on" in labels
    assert schedule_changes(Recording(tiny_run)) == []


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"lr_scheduler_type": "constant"}, False),
        ({"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 2}, False),
        ({"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 0.5}, True),
        ({"lr_scheduler_type": "cosine"}, True),
    ],
)
@pytest.mark.slow
def test_a_schedule_that_is_the_same_is_not_said_to_differ(
    tmp_path, tiny_cfg, capsys, changes, differs
):
    keys = tiny_cfg(do_eval=False, **changes)
    assert train_here(tmp_path, keys) == 0
    assert train_here(tmp_path, keys | {"num_train_epochs": 8}) == 0
    assert ("goes on with those for 16" in capsys.readouterr().out) == differs
    in_one_go = tmp_path / "one"
    in_one_go.mkdir()
    assert train_here(in_one_go, keys | {"num_train_epochs": 8}) == 0
    both = [(folder / "run" / "model.safetensors").read_bytes() for folder in (tmp_path, in_one_go)]
    assert (both[0] != both[1]) == differs
