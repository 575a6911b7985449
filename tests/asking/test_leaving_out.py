"""Trainings without one question: what it was worth, and nothing else is different."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from huggin.asking.leaving_out import LeavingOut, LeftOut, leave_out
from huggin.asking.teachers import teachers
from huggin.common.errors import UserError
from huggin.recording.reader import Recording
from huggin.recording.run_folder import RunFolder
from huggin.training.leaving_out import loss_without
from tests.conftest import command
from tests.training.test_overnight import train_here
from tests.training.test_training import weights


def test_a_question_that_is_out_counts_nothing_and_the_others_as_before():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 5, requires_grad=True)
    batch = dict(zip(("start_positions", "end_positions"), torch.tensor([[1, 2, 3], [2, 2, 4]])))
    outputs = dict(zip(("start_logits", "end_logits"), logits))
    losses = [
        cross_entropy(outputs[f"{end}_logits"], batch[f"{end}_positions"])
        for end in ("start", "end")
    ]
    loss = torch.stack(losses).mean()
    (before,) = torch.autograd.grad(loss, logits, retain_graph=True)
    out = loss_without(loss, batch, outputs, torch.tensor([False, True, False]))
    (after,) = torch.autograd.grad(out, logits)
    assert torch.allclose(after[:, 1], torch.zeros(2, 5), atol=1e-7)
    torch.testing.assert_close(after[:, [0, 2]], before[:, [0, 2]])
    assert out < loss


@pytest.mark.slow
def test_a_training_without_a_question(tmp_path, tiny_cfg):
    """It sees the same batches; only with its loss is it another training."""
    keys = {"do_eval": False, "probe_samples": 2}
    for name, changes in (("whole", {}), ("quiet", {"record": False}), ("out", {"leave_out": 2})):
        (tmp_path / name).mkdir()
        assert train_here(tmp_path / name, tiny_cfg(**keys, **changes)) == 0
    whole, out = (Recording(tmp_path / name / "run") for name in ("whole", "out"))
    np.testing.assert_array_equal(whole.questions.index, out.questions.index)
    assert weights(tmp_path / "whole" / "run") == weights(tmp_path / "quiet" / "run")
    assert weights(tmp_path / "whole" / "run") != weights(tmp_path / "out" / "run")
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(leave_out=4)))
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "leave_out: 4 is no question of the data, which has 0 to 3" in done.stderr


@pytest.mark.slow
def test_trained_again_without_each(tiny_run, tmp_path, monkeypatch):
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    found = teachers(run)
    verified = leave_out(found, run, 1)
    assert len(verified.left_out) == 2
    assert verified.left_out[0].index == found.teachers[0].index
    kept = list(RunFolder(run).teachers.iterdir())
    assert [path.suffix for path in kept] == [".json"]  # no training is left
    losses = json.loads(kept[0].read_text())
    probes = Recording(run).probes()
    whole = (probes.start_loss[-1] + probes.end_loss[-1]) / 2
    assert list(losses.values())[0] == pytest.approx(whole)  # the run's own, trained again
    assert len(losses) == 3
    for each in verified.left_out:
        assert each.truth[0] != 0
    monkeypatch.setattr("subprocess.run", None)  # all is known, so nothing is trained
    assert leave_out(found, run, 1).left_out == verified.left_out


def test_in_words():
    rows = [
        LeftOut(at, "z ?", push, None, [push * 2, push * 2]) for at, push in enumerate((3, 1, -1))
    ]
    verified = LeavingOut("x ?", [1, 2], rows)
    assert verified.correlations()["push"] == pytest.approx((1, 1))
    assert "push and truth of 3 questions: Pearson +1.00, Spearman +1.00" in verified.in_words()
    assert "exact" not in verified.as_json()["correlations"]


def test_a_run_of_a_loop_cannot_be_trained_again(tiny_run, tmp_path):
    """Not even if its model was saved: then its cfg says only how it is asked."""
    run = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    facts = json.loads(run.facts.read_text())
    del facts["fixed"]["training data"]
    run.facts.write_text(json.dumps(facts))
    with pytest.raises(UserError, match="not of run_qa.py, so it cannot be trained again"):
        leave_out(teachers(run.path), run.path, 1)
