"""A loop's run and a Trainer's run whose model was saved: asked and explained like any other."""

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

import huggin
from huggin.common.errors import UserError
from huggin.recording import RecorderCallback
from huggin.recording.run_facts import read_facts
from huggin.recording.run_folder import RunFolder
from tests.conftest import CONTEXT, command
from tests.test_front_door import (
    LENGTH,
    STEPS,
    features,
    model,
    recorder_of,
    samples,
    stock_trainer,
    train_loop,
)

__all__ = ["features", "model", "samples"]  # fixtures
ASKED = ("How many ravens has Odin?", CONTEXT)


@pytest.fixture(params=["loop", "trainer"])
def run(request, model, features, samples, tokenizer, tmp_path):
    """The run of each, with its model."""
    folder = tmp_path / "runs" / request.param
    if request.param == "loop":
        recorder = recorder_of(folder, model, samples, features)
        train_loop(model, features, recorder)
    else:
        callback = RecorderCallback(folder, samples, pretrained=False)
        stock_trainer(model, features, folder, callback).train()
        recorder = callback.recorder
    recorder.save(tokenizer, max_length=LENGTH, doc_stride=16)
    return folder


def test_the_saved_model_answers_in_the_windows_that_were_said(run, model, tmp_path):
    trained = huggin.TrainedModel.load(run)
    assert (trained.step, trained.data.max_seq_length, trained.data.doc_stride) == (
        STEPS,
        LENGTH,
        16,
    )
    saved, own = trained.model.state_dict(), model.state_dict()
    assert all(saved[name].equal(own[name]) for name in own)
    done = command("ask", run, ASKED[0], "--context", ASKED[1], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{huggin.ask(run, *ASKED).in_words()}\n")


@pytest.mark.slow
def test_it_is_examined_and_explained_like_any_other(run, tiny, tmp_path):
    asked = ("--questions", tiny / "questions.json", "--db", "a.db")
    done = command("test-qa-efficacy.py", run, "--all", *asked, cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    assert f"step {STEPS}, asked questions.json" in done.stdout
    assert (run / "efficacy.json").exists()
    for words in (
        ("graph-efficacy", run),
        ("lime-answer", run, "--samples", "300", "--db", "a.db"),
        ("create-page", run, "--answer"),
        ("create-gv-output.py", run),
    ):
        done = command(*words, cwd=tmp_path)
        assert done.returncode == 0, (words, done.stderr)


def test_without_a_saved_model_it_says_how_to_save_one(model, features, samples, tmp_path):
    train_loop(model, features, recorder_of(tmp_path / "run", model, samples, features))
    done = command("ask", "run", ASKED[0], "--context", ASKED[1], cwd=tmp_path)
    assert done.returncode == 2
    assert "recorder.save(tokenizer)" in done.stderr


def test_a_second_start_moves_the_model_with_its_recording(
    model, features, samples, tokenizer, tmp_path
):
    for _ in range(2):
        recorder = recorder_of(tmp_path / "run", model, samples, features)
        train_loop(model, features, recorder)
        assert not (tmp_path / "run" / "model.safetensors").exists()
        recorder.save(tokenizer, LENGTH, 16)
    for folder in (tmp_path / "run", tmp_path / "run" / "earlier-1"):
        assert huggin.TrainedModel.load(folder).step == STEPS


def test_only_files_of_the_folder_itself_are_moved(model, features, samples, tmp_path):
    run = RunFolder(tmp_path / "run")
    recorder = recorder_of(run.path, model, samples, features)
    train_loop(model, features, recorder)
    other = tmp_path / "other.txt"
    other.touch()
    run.complete.write_text(json.dumps({"../other.txt": {}}))
    run.keep_earlier()
    assert other.exists()


@pytest.mark.parametrize("windows", [(LENGTH, LENGTH), (10_000, None)])
def test_windows_that_the_model_does_not_take_are_refused(
    model, features, samples, tiny, tmp_path, windows
):
    recorder = recorder_of(tmp_path / "run", model, samples, features)
    train_loop(model, features, recorder)
    with pytest.raises(UserError):
        recorder.save(AutoTokenizer.from_pretrained(tiny / "model"), *windows)
    assert not Path(tmp_path / "run" / "model.safetensors").exists()
    assert read_facts(RunFolder(tmp_path / "run")).cfg == {}
