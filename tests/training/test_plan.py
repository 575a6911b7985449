"""What a start says: the plan, the bar, what is done already."""

import os
import re
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import TrainerState, TrainingArguments

from huggin.common.errors import UserError
from huggin.common.text import size
from huggin.model.loading import load_architecture
from huggin.qa.config import read_config
from huggin.recording.reader import Recording
from huggin.recording.run_folder import RunFolder
from huggin.training.bar import WARM_UP, TrainingBar, duration, line_of
from huggin.training.notify import notify, words_of
from huggin.training.plan import (
    Plan,
    busy,
    describe_ledger,
    nearest_folder,
    precision,
    steps_per_epoch,
    total_steps,
)
from huggin.training.standing import already_trained, trained_steps
from huggin.training.start import going_on, where_it_is


def arguments(**changes):
    return TrainingArguments(output_dir="unused", use_cpu=True, **changes)


@pytest.mark.parametrize(
    ("windows", "changes", "per_epoch", "total"),
    [
        (60, {"per_device_train_batch_size": 8, "num_train_epochs": 150}, 8, 1200),
        (61, {"per_device_train_batch_size": 8, "num_train_epochs": 1.5}, 8, 12),
        (61, {"per_device_train_batch_size": 8, "dataloader_drop_last": True}, 7, 21),
        (61, {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 3}, 3, 9),
        (61, {"per_device_train_batch_size": 8, "max_steps": 5}, 8, 5),
    ],
)
def test_steps_are_those_of_the_trainer(windows, changes, per_epoch, total):
    training = arguments(**changes)
    assert (steps_per_epoch(windows, training), total_steps(windows, training)) == (
        per_epoch,
        total,
    )


def plan(tiny_run, **changes):
    """Of a training of 60 questions, a window each."""
    config = read_config(None, [], Recording(tiny_run).facts.cfg)
    config.training.output_dir = "runs/sample"
    config.training.max_steps = 1200
    config.training.per_device_train_batch_size = 8
    model = load_architecture(str(tiny_run))
    facts = Recording(tiny_run).facts
    return replace(Plan(config, model, "random weights", 60, 4, facts), **changes)


@pytest.mark.parametrize(
    ("computes", "changes", "said"),
    [
        (True, {}, ""),
        (True, {"bf16": True}, ", in bf16"),
        (False, {"bf16": True}, ", in bf16, which this processor has to emulate, so it is slower"),
    ],
)
def test_the_numbers_that_are_computed_with_are_said(monkeypatch, computes, changes, said):
    monkeypatch.setattr("huggin.training.plan.computes_bf16", lambda: computes)
    assert precision(arguments(**changes)) == said


@pytest.mark.parametrize(
    ("threads", "load", "is_said"), [(2, 1.9, True), (2, 0.3, False), (1, 1.9, False)]
)
def test_threads_that_would_wait_for_each_other_are_said(monkeypatch, threads, load, is_said):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0, 0))
    assert ("OMP_NUM_THREADS=1" in busy()) == is_said


def test_a_plan_in_lines(tiny_run, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=9e9))
    lines = plan(tiny_run).lines()
    assert "  training  1,200 steps: 150 epochs of 8 steps, 8 windows in a step" in lines
    assert lines[1].startswith("  data      questions.json, 60 windows of up to 64 tokens; 4 ques")
    assert any("  ledger    2 copies of the weights" in line for line in lines)
    assert re.fullmatch(r"  folder    runs/sample: about \d+ MB needed, 9\.0 GB free", lines[-1])
    silent = plan(tiny_run, facts=None).lines()
    assert "  recording nothing (record is false)" in silent
    assert not any("ledger" in line for line in silent)


def test_what_the_ledger_takes():
    memory = "2 copies of the weights, 880 MB of memory; 2.5 times that at a probe"
    assert describe_ledger(4.4e8) == memory


def test_a_full_disk_is_refused_before_training(tiny_run, monkeypatch):
    plan(tiny_run).refuse_full_disk()
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2e3))
    with pytest.raises(UserError, match=r"runs/sample: about \d+ MB needed, 1 MB free on its disk"):
        plan(tiny_run).refuse_full_disk()


def test_sizes_and_durations():
    assert [size(number) for number in (1, 2.4e6, 3.44e9)] == ["1 MB", "2 MB", "3.4 GB"]
    times = [duration(seconds) for seconds in (7, 99, 600, 27_000, 183_600)]
    assert times == ["7 s", "99 s", "10 min", "7 h 30 min", "2 d 3 h"]


def test_the_first_folder_that_exists(tmp_path):
    assert nearest_folder(tmp_path / "a" / "b") == tmp_path


def test_the_bar_of_a_resumed_training_estimates_from_this_start(capsys):
    times = iter([100.0, 100.0 + 2 * WARM_UP])
    bar = TrainingBar(clock=lambda: next(times))
    state = TrainerState(global_step=300, max_steps=300 + 2 * WARM_UP)
    bar.on_train_begin(arguments(), state, None)
    for _ in range(WARM_UP):
        state.global_step += 1
        bar.on_step_end(arguments(), state, None)
    bar.on_train_end(arguments(), state, None)
    out = capsys.readouterr().out
    assert out.startswith(f"about {2 * WARM_UP} s left, until ")


def test_lines_of_the_log():
    state = TrainerState(global_step=1000, max_steps=14_754)
    loss = {"loss": 2.3456, "learning_rate": 3e-5, "epoch": 1.0}
    assert line_of(loss, state) == "step 1,000 of 14,754  mean loss 2.346  learning rate 3.00e-05"
    scores = {"eval_exact_match": 50.0, "eval_f1": 61.26, "eval_loss": 1.25}
    step = "step 1,000 of 14,754"
    assert line_of(scores, state) == f"{step}  EM 50.0 %  F1 61.3 %  validation loss 1.250"
    assert line_of({"train_runtime": 9.0}, state) == ""


def test_how_far_a_run_has_come(tmp_path):
    run = RunFolder(tmp_path)
    newest = tmp_path / "checkpoint-24"
    assert trained_steps(run, newest) == 0
    run.trainer_state.write_text('{"global_step": 24}')
    assert trained_steps(run, newest) == 24
    assert trained_steps(run, tmp_path / "checkpoint-20") == 0  # the last one is damaged
    assert trained_steps(run, None) == 0
    run.trainer_state.write_text("{")
    assert trained_steps(run, newest) == 0


def test_where_a_start_goes_on(tmp_path):
    checkpoint = tmp_path / "checkpoint-320"
    checkpoint.mkdir()
    saved = datetime(2026, 3, 1, 6, 41).astimezone()
    os.utime(checkpoint, (saved.timestamp(), saved.timestamp()))
    run = RunFolder(tmp_path)
    said = going_on(run, checkpoint, 14_754, saved + timedelta(hours=1))
    assert said == f"{tmp_path}: going on from step 320 of 14,754, checkpoint of 06:41"
    later = going_on(run, checkpoint, 14_754, saved + timedelta(days=2))
    assert later.endswith("checkpoint of 2026-03-01 06:41")


def test_already_trained():
    run = RunFolder(Path("runs/sample"))
    assert "already trained (1,200 of 1,200 steps)" in already_trained(run, 1200, 1200, False)
    fewer = already_trained(run, 24, 16, False)
    assert "already trained (24 steps, more than the 16 that are asked for)" in fewer


def test_a_driver_leaves_nothing_to_type():
    run = RunFolder(Path("runs/sample"))
    alone = where_it_is(run, has_driver=False)
    where = "the model is in runs/sample, what was recorded in runs/sample/recording"
    assert alone.startswith(f"{where}; next:\n  huggin graph-weights runs/sample")
    assert where_it_is(run, has_driver=True) == where


def test_a_command_at_the_end_finds_the_result(tmp_path):
    script = tmp_path / "say.py"
    script.write_text(
        "import os, pathlib\n"
        "names = ('HUGGIN_RESULT', 'HUGGIN_EXIT_CODE', 'HUGGIN_RUN')\n"
        "pathlib.Path(__file__).with_name('said').write_text(' '.join(map(os.environ.get, names)))"
    )
    notify(f"{sys.executable} {script}", "trained; $(rm x)", 0, "runs/sample")
    assert (tmp_path / "said").read_text() == "trained; $(rm x) 0 runs/sample"


def test_a_command_that_fails_is_one_line(capsys):
    notify("/nowhere/at/all", "trained", 0, "run")
    assert "notify '/nowhere/at/all'" in capsys.readouterr().err
    with pytest.raises(UserError, match="close the quotes"):
        words_of("say 'hello")
    with pytest.raises(UserError, match="NUL"):
        words_of("say hello\0")
