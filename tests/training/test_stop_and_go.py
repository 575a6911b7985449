"""Stopped and resumed under every way of saving and evaluating: the same end as without a stop."""

import functools
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from transformers import EarlyStoppingCallback

import trainer_qa
from huggin.common.errors import UserError
from huggin.model import evaluation
from huggin.recording.checkpoints import is_complete
from huggin.recording.recorder import Recorder
from huggin.recording.run_folder import RunFolder
from tests.training.test_overnight import train_here
from tests.training.test_training import same_rows, weights

BEST = {"metric_for_best_model": "f1", "greater_is_better": True}
EVERY_3 = {"eval_strategy": "steps", "eval_steps": 3, "save_steps": 3}
EPOCHS = {"eval_strategy": "epoch", "save_strategy": "epoch"}
WAYS = {
    "steps, one kept, a best": {**EVERY_3, **BEST, "save_total_limit": 1},
    "steps, the best loaded": {**EVERY_3, **BEST, "load_best_model_at_end": True},
    "steps, one kept, the best loaded": {
        **EVERY_3,
        **BEST,
        "save_total_limit": 1,
        "load_best_model_at_end": True,
    },
    "epochs, one kept, the best loaded": {
        **EPOCHS,
        **BEST,
        "save_total_limit": 1,
        "load_best_model_at_end": True,
    },
    "best only": {**EVERY_3, **BEST, "save_strategy": "best", "load_best_model_at_end": True},
    "none saved": {"save_strategy": "no"},
    "none saved, evaluated": {"save_strategy": "no", "eval_strategy": "epoch"},
    "evaluated at the start": {"eval_on_start": True, "eval_strategy": "epoch"},
    "grouped by length, in bf16": {
        **EVERY_3,
        "bf16": True,
        "train_sampling_strategy": "group_by_length",
    },
    "ends within an epoch": {"max_steps": 7, "num_train_epochs": 1},
}
STEPS = 12


@pytest.fixture(scope="module", autouse=True)
def falling():
    """Make every later evaluation worse, so that the first one is the best."""
    evaluate = trainer_qa.QuestionAnsweringTrainer.evaluate
    step = 0

    def score(*_):
        return {"exact_match": 0.0, "f1": 90.0 - step}

    def noting_the_step(self, *args, **kwargs):
        nonlocal step
        step = self.state.global_step
        return evaluate(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(evaluation, "mean_scores", score)
        patched.setattr(trainer_qa.QuestionAnsweringTrainer, "evaluate", noting_the_step)
        yield


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, tiny_cfg):
    """The run of a way of saving that was never stopped; made once for all tests."""

    @functools.cache
    def run_of(way: str) -> Path:
        folder = tmp_path_factory.mktemp("uninterrupted")
        assert train_here(folder, ways_of_saving(tiny_cfg, way)) == 0
        return folder / "run"

    return run_of


def stop_at(monkeypatch, step: int) -> None:
    """Send this process SIGINT so that it stops after `step`."""
    original = Recorder.step

    def recorded(self, now, **numbers):
        original(self, now, **numbers)
        if now == step - 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Recorder, "step", recorded)


def checkpoints(folder: Path) -> list[int]:
    return [step for step, _ in RunFolder(folder / "run").checkpoints()]


def ways_of_saving(tiny_cfg, way: str) -> dict:
    return tiny_cfg(**{"num_train_epochs": STEPS // 2, "do_eval": True, **WAYS[way]})


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_stopped_run_ends_as_if_it_had_not_been_stopped(
    tmp_path, tiny_cfg, monkeypatch, uninterrupted, way
):
    """Stopped twice, at the end of an epoch and within one, or while it evaluates before that."""
    keys = ways_of_saving(tiny_cfg, way)
    whole = uninterrupted(way)
    for step in (4, min(7, keys.get("max_steps", STEPS) - 1)):
        with monkeypatch.context() as patched:
            stop_at(patched, step)
            assert train_here(tmp_path, keys) == 130
        newest = checkpoints(tmp_path)[-1]
        assert newest in (step - 1, step)  # an evaluation before the step is aborted
        assert is_complete(RunFolder(tmp_path / "run").checkpoint(newest))
    assert train_here(tmp_path, keys) == 0
    assert weights(tmp_path / "run") == weights(whole)
    assert same_rows(tmp_path / "run", whole)
    assert best_of(tmp_path / "run") == best_of(whole)


def best_of(run: Path) -> tuple:
    state = json.loads((run / "trainer_state.json").read_text())
    return state["best_metric"], state["best_global_step"]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_finished_run_keeps_its_last_checkpoint_and_trains_no_more(
    tmp_path, tiny_cfg, uninterrupted, way
):
    keys = ways_of_saving(tiny_cfg, way)
    last = keys.get("max_steps", STEPS)
    shutil.copytree(uninterrupted(way), tmp_path / "run")
    assert is_complete(RunFolder(tmp_path / "run").checkpoint(last))
    assert train_here(tmp_path, keys) == 0
    assert checkpoints(tmp_path)[-1] == last
    assert weights(tmp_path / "run") == weights(uninterrupted(way))


def test_the_best_of_the_last_epoch_is_found(tmp_path, tiny_cfg):
    """Best at the last step: its checkpoint knows the evaluation that came after it."""
    keys = tiny_cfg(**EPOCHS, **BEST, load_best_model_at_end=True, num_train_epochs=1)
    assert train_here(tmp_path, keys) == 0
    state = json.loads((tmp_path / "run" / "checkpoint-2" / "trainer_state.json").read_text())
    assert state["best_global_step"] == 2
    assert state["best_model_checkpoint"].endswith("checkpoint-2")


def test_fewer_steps_on_resume_train_none(tmp_path, tiny_cfg):
    assert train_here(tmp_path, tiny_cfg(max_steps=5)) == 0
    before = weights(tmp_path / "run")
    assert train_here(tmp_path, tiny_cfg(max_steps=3)) == 0
    assert checkpoints(tmp_path)[-1] == 5
    assert weights(tmp_path / "run") == before


def test_a_callback_that_stops_early_loses_nothing_and_the_run_is_finished(
    tmp_path, tiny_cfg, monkeypatch, capsys
):
    original = trainer_qa.build_trainer

    def build(*args):
        trainer = original(*args)
        trainer.add_callback(EarlyStoppingCallback(early_stopping_patience=1))
        return trainer

    monkeypatch.setattr(trainer_qa, "build_trainer", build)
    keys = tiny_cfg(**EVERY_3, **BEST, num_train_epochs=6) | {"save_steps": 100}
    assert train_here(tmp_path, keys) == 0
    assert checkpoints(tmp_path) == [6]
    assert is_complete(tmp_path / "run" / "checkpoint-6")
    assert (
        weights(tmp_path / "run")
        == (tmp_path / "run" / "checkpoint-6" / "model.safetensors").read_bytes()
    )
    assert train_here(tmp_path, keys) == 0
    finished = "already trained (6 of 12 steps, then a callback ended it); nothing to do"
    assert finished in capsys.readouterr().out
    assert checkpoints(tmp_path) == [6]


@pytest.mark.slow
def test_the_best_model_is_found_in_a_run_that_was_moved(
    tmp_path, tiny_cfg, monkeypatch, uninterrupted
):
    way = "steps, the best loaded"
    keys = ways_of_saving(tiny_cfg, way)
    (tmp_path / "stopped").mkdir()
    with monkeypatch.context() as patched:
        stop_at(patched, 5)
        assert train_here(tmp_path / "stopped", keys) == 130
    (tmp_path / "stopped").rename(tmp_path / "moved")
    assert train_here(tmp_path / "moved", keys) == 0
    assert weights(tmp_path / "moved" / "run") == weights(uninterrupted(way))


@pytest.mark.slow
def test_a_damaged_best_is_not_loaded(tmp_path, tiny_cfg, monkeypatch, capsys):
    keys = ways_of_saving(tiny_cfg, "steps, the best loaded")
    with monkeypatch.context() as patched:
        stop_at(patched, 5)
        assert train_here(tmp_path, keys) == 130
    flip(tmp_path / "run" / "checkpoint-3" / "model.safetensors")
    assert train_here(tmp_path, keys) == 0
    assert (
        "checkpoint-3: model.safetensors has changed since it was saved" in capsys.readouterr().err
    )
    newest = tmp_path / "run" / "checkpoint-12" / "model.safetensors"
    assert weights(tmp_path / "run") == newest.read_bytes()


@pytest.mark.slow
def test_a_damaged_later_checkpoint_does_not_push_out_a_whole_one(tmp_path, tiny_cfg, monkeypatch):
    keys = tiny_cfg(num_train_epochs=6, save_steps=3)
    assert train_here(tmp_path, keys) == 0
    assert checkpoints(tmp_path)[-1] == 12
    flip(tmp_path / "run" / "checkpoint-12" / "optimizer.pt")
    with monkeypatch.context() as patched:
        stop_at(patched, 11)
        assert train_here(tmp_path, keys | {"save_total_limit": 1}) == 130
    assert checkpoints(tmp_path) == [11]


def test_a_push_that_fails_loses_no_checkpoint(tmp_path, tiny_cfg, monkeypatch, capsys):
    def refuse(*_args, **_kwargs):
        raise ConnectionError("no network")

    trainer = trainer_qa.QuestionAnsweringTrainer
    monkeypatch.setattr(trainer, "init_hf_repo", lambda self: None)
    monkeypatch.setattr(trainer, "_push_from_checkpoint", refuse)
    monkeypatch.setattr(trainer, "push_to_hub", refuse)
    monkeypatch.setattr(trainer, "push_in_progress", None, raising=False)
    assert train_here(tmp_path, tiny_cfg(push_to_hub=True)) == 0
    assert checkpoints(tmp_path) == [3, 6, 8]
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert "not pushed to the Hub: no network; everything is saved here" in capsys.readouterr().err


def flip(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# Damage that keeps its size


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "rng_state.pth"])
def test_flipped_bits_are_passed_over(tmp_path, tiny_cfg, tiny_run, capsys, name):
    shutil.copytree(tiny_run, tmp_path / "run")
    flip(tmp_path / "run" / "checkpoint-8" / name)
    assert train_here(tmp_path, tiny_cfg()) == 0
    assert f"checkpoint-8: {name} has changed since it was saved, passed over" in (
        capsys.readouterr().err
    )
    assert weights(tmp_path / "run") == weights(tiny_run)
    assert same_rows(tmp_path / "run", tiny_run)


def test_a_checkpoint_of_an_older_version_that_cannot_be_loaded_is_named(
    tmp_path, tiny_cfg, tiny_run
):
    """Its mark holds sizes only."""
    shutil.copytree(tiny_run, tmp_path / "run")
    checkpoint = tmp_path / "run" / "checkpoint-8"
    mark = checkpoint / "complete.json"
    sizes = {name: facts["size"] for name, facts in json.loads(mark.read_text()).items()}
    mark.write_text(json.dumps(sizes))
    assert train_here(tmp_path, tiny_cfg()) == 0
    optimizer = checkpoint / "optimizer.pt"
    optimizer.write_bytes(b"x" * optimizer.stat().st_size)
    with pytest.raises(UserError, match=r"checkpoint-8: cannot be loaded: .*; delete it, and"):
        train_here(tmp_path, tiny_cfg(num_train_epochs=6))
