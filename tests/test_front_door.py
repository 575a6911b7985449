"""The front door for Python: a plain loop and a stock Trainer record; everything reads it."""

import json
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForQuestionAnswering, Trainer, TrainingArguments

from huggin.common.errors import UserError
from huggin.recording import KnownWindows, Recorder, RecorderCallback, Recording, track
from tests.conftest import command

STEPS = 5
LENGTH = 64  # tokens in a window
FIGURES = ("graph-losses.py", "graph-weights.py", "graph-logits.py")
MORE_FIGURES = (
    ("graph-node-logits.py", "--share"),
    ("graph-node-logits.py", "--step", STEPS),
    ("graph-logits.py", "--over-time"),
    ("graph-weights.py", "--over-time"),
    ("graph-weights.py", "--rank-by", "share", "--all-rankings"),
)
READERS = (
    (),
    ("--csv", "steps"),
    ("--csv", "probes"),
    ("--csv", "nodes"),
    ("--tensorboard", "events"),
)


@pytest.fixture
def model(tiny):
    """A tiny BERT with random weights and dropout, the same in every test."""
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(tiny / "model", hidden_dropout_prob=0.1)
    return AutoModelForQuestionAnswering.from_config(config)


@pytest.fixture
def features(records, tokenizer):
    """The four questions as a Trainer takes them."""
    return [feature_of(record, tokenizer) for record in records]


@pytest.fixture
def samples(records, tokenizer):
    """Two tracked samples."""
    return track(records[:2], tokenizer, LENGTH, doc_stride=16)


def feature_of(record, tokenizer):
    """Token ids, and the first and last token of the answer."""
    words = (record["question"], record["context"])
    feature = tokenizer(*words, padding="max_length", max_length=LENGTH)
    first = record["answers"]["answer_start"][0]
    last = first + len(record["answers"]["text"][0]) - 1
    start = feature.char_to_token(first, sequence_index=1)
    end = feature.char_to_token(last, sequence_index=1)
    return {**feature, "start_positions": start, "end_positions": end}


def train_loop(model, features, recorder=None):
    """A plain PyTorch loop of five steps; the losses."""
    batch = {name: torch.tensor([one[name] for one in features]) for name in features[0]}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    torch.manual_seed(1)
    with recorder or nullcontext():
        for step in range(1, STEPS + 1):
            outputs = model.train()(**batch)
            loss = outputs.loss
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            if recorder:
                known = {"learning_rate": 1e-3, "epoch": step, "batch": batch, "outputs": outputs}
                recorder.step(step, loss=loss, grad_norm=norm, **known)
    return losses


def recorder_of(folder, model, samples, features):
    """A Recorder that knows what the loop is trained on."""
    known = KnownWindows(features)
    return Recorder(folder, model, samples, STEPS, pretrained=False, data=known)


def stock_trainer(model, features, folder, *callbacks, of=Trainer, **changes):
    """Hugging Face's Trainer for five steps."""
    arguments = {
        "output_dir": str(folder),
        "max_steps": STEPS,
        "per_device_train_batch_size": 2,
        "learning_rate": 1e-3,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "seed": 3,
    }
    arguments = TrainingArguments(**arguments | changes)
    parts = {"train_dataset": features, "eval_dataset": features, "callbacks": list(callbacks)}
    return of(model=model, args=arguments, **parts)


@pytest.fixture(params=["loop", "trainer"])
def run(request, model, features, samples, tmp_path):
    """What each of the two recorded."""
    folder = tmp_path / "runs" / request.param
    if request.param == "loop":
        train_loop(model, features, recorder_of(folder, model, samples, features))
    else:
        callback = RecorderCallback(folder, samples, pretrained=False)
        stock_trainer(model, features, folder, callback).train()
    return folder


@pytest.mark.slow
def test_all_figures_and_the_pdf_are_drawn(run, tmp_path):
    for words in (*((name,) for name in FIGURES), *MORE_FIGURES):
        done = command(words[0], run, *words[1:], cwd=tmp_path)
        assert done.returncode == 0, (words, done.stderr)
    done = command("create-gv-training.py", run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / done.stdout.strip()).read_bytes().startswith(b"%PDF")


def test_every_reader_works(run, tmp_path):
    for words in READERS:
        done = command("huggin_utils.py", run, *words, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), words
        assert done.stdout
    summary = json.loads(command("huggin_utils.py", run, cwd=tmp_path).stdout)
    assert summary["steps"] == STEPS + 1
    assert (summary["missing_steps"], summary["duplicate_steps"]) == (0, 0)


def test_what_is_recorded(run):
    recording = Recording(run)
    assert recording.steps.step.tolist() == list(range(STEPS + 1))
    assert np.isnan(recording.steps.loss[0])
    assert np.isfinite(recording.steps.loss[1:]).all()
    assert recording.steps.learning_rate[1] == pytest.approx(1e-3)
    assert recording.probes(sample=1).step.tolist() == list(range(STEPS + 1))
    assert recording.facts.model_type_state(STEPS).startswith("BertForQuestionAnswering-NoPretrain")


def test_a_loops_losses_are_recorded_as_they_are(model, features, samples, tmp_path):
    losses = train_loop(model, features, recorder_of(tmp_path, model, samples, features))
    np.testing.assert_array_equal(Recording(tmp_path).steps.loss[1:], np.float32(losses))


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same_weights(one, other):
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["loop", "trainer"])
def test_recording_changes_no_bit(kind, tiny, features, samples, tmp_path):
    trained = []
    for recorded in (False, True):
        torch.manual_seed(0)
        config = AutoConfig.from_pretrained(tiny / "model", hidden_dropout_prob=0.1)
        model = AutoModelForQuestionAnswering.from_config(config)
        if kind == "loop":
            given = (tmp_path / "run", model, samples, features)
            train_loop(model, features, recorder_of(*given) if recorded else None)
        else:
            callbacks = [RecorderCallback(tmp_path / "run", samples)] if recorded else []
            stock_trainer(model, features, tmp_path / "trainer", *callbacks).train()
        trained.append(weights(model))
    assert_same_weights(*trained)
    assert set(Recording(tmp_path / "run").questions.index) == {0, 1, 2, 3}


def with_nan_at(model, call):
    """Let the loss of one forward pass in training be NaN; gradients stay as they are."""
    calls = []

    def spoil(module, _, output):
        calls.append(module.training)
        if module.training and sum(calls) == call:
            output.loss = output.loss + float("nan")

    model.register_forward_hook(spoil)


def test_a_trainers_losses_are_raw(model, features, samples, tmp_path):
    """The Trainer hides a NaN in its log; the recording keeps it."""
    with_nan_at(model, call=3)
    trainer = stock_trainer(model, features, tmp_path, RecorderCallback(tmp_path, samples))
    trainer.train()
    assert np.isnan(Recording(tmp_path).steps.loss).tolist() == [
        True,
        *(n == 3 for n in range(1, 6)),
    ]


def test_micro_batches_are_averaged_and_evaluations_left_out(model, features, samples, tmp_path):
    seen = []

    def note(module, _, output):
        if module.training:
            seen.append(output.loss.item())

    model.register_forward_hook(note)
    trainer = stock_trainer(
        model,
        features,
        tmp_path,
        RecorderCallback(tmp_path, samples),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=2,
        eval_strategy="steps",
        eval_steps=1,
    )
    trainer.train()
    expected = np.float32(seen).reshape(STEPS, 2).mean(axis=1)
    np.testing.assert_allclose(Recording(tmp_path).steps.loss[1:], expected, rtol=1e-6)


class OwnLoss(Trainer):
    """A Trainer that computes the loss itself, from the start logits only."""

    def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
        starts = inputs.pop("start_positions")
        del inputs["end_positions"]
        outputs = model(**inputs)
        loss = torch.nn.functional.cross_entropy(outputs.start_logits, starts)
        return (loss, outputs) if return_outputs else loss


def test_a_loss_that_the_model_does_not_give_is_told_once(
    model, features, samples, tmp_path, capsys
):
    callback = RecorderCallback(tmp_path, samples)
    stock_trainer(model, features, tmp_path, callback, of=OwnLoss).train()
    lines = [line for line in capsys.readouterr().err.splitlines() if "RecorderCallback" in line]
    assert len(lines) == 1
    assert "add_loss(loss)" in lines[0]
    assert np.isnan(Recording(tmp_path).steps.loss).all()
    assert command("graph-losses.py", tmp_path, cwd=tmp_path).returncode == 0


def test_a_loss_that_is_handed_over_counts_and_not_the_models(model, features, samples, tmp_path):
    callback = RecorderCallback(tmp_path, samples)

    class Half(Trainer):
        """Trains on half of the model's loss."""

        def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
            loss = model(**inputs).loss / 2
            handed.append(loss.item())
            callback.add_loss(loss)
            return loss

    handed = []
    stock_trainer(model, features, tmp_path, callback, of=Half).train()
    np.testing.assert_array_equal(Recording(tmp_path).steps.loss[1:], np.float32(handed))


def test_a_second_recorder_in_the_same_folder_is_refused(model, samples, tmp_path):
    with (
        Recorder(tmp_path / "run", model, samples, STEPS),
        pytest.raises(UserError, match="in use by process"),
        Recorder(tmp_path / "run", model, samples, STEPS, overwrite=True),
    ):
        pass
    with Recorder(tmp_path / "run", model, samples, STEPS, overwrite=True):
        pass
    assert not (tmp_path / "run" / "earlier-1").exists()


def content(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "recording").iterdir())}


@pytest.mark.parametrize("shorter", [0, 2])
def test_a_second_run_keeps_the_earlier_recording(run, model, features, samples, shorter, capsys):
    """As a cell of a notebook that is run again: also with fewer steps than before."""
    (run / "efficacy.json").write_text("[]")
    first = content(run)
    steps = STEPS - shorter
    for _ in range(2):
        callback = RecorderCallback(run, samples, pretrained=False)
        stock_trainer(model, features, run, callback, max_steps=steps).train()
    assert content(run / "earlier-1") == first
    assert not (run / "efficacy.json").exists()
    assert (run / "earlier-1" / "efficacy.json").exists()
    assert Recording(run / "earlier-1").steps.step.tolist() == list(range(STEPS + 1))
    for folder in (run, run / "earlier-2"):
        assert Recording(folder).steps.step.tolist() == list(range(steps + 1))
        summary = json.loads(command("huggin_utils.py", folder, cwd=run).stdout)
        assert (summary["missing_steps"], summary["duplicate_steps"]) == (0, 0)
    said = capsys.readouterr().err
    assert f"{run}: the earlier recording is now in {run / 'earlier-2'}\n" in said


def test_a_loop_that_was_broken_off_runs_again(model, features, samples, tmp_path):
    broken = Recorder(tmp_path, model, samples, STEPS)
    with pytest.raises(KeyboardInterrupt), broken:
        raise KeyboardInterrupt
    losses = train_loop(model, features, recorder_of(tmp_path, model, samples, features))
    np.testing.assert_array_equal(Recording(tmp_path).steps.loss[1:], np.float32(losses))
    assert Recording(tmp_path / "earlier-1").steps.step.tolist() == [0]


@pytest.mark.parametrize("length", [24, 64, 128, 384])
def test_the_default_stride_follows_the_length(records, tokenizer, length):
    (window,) = track(records[:1], tokenizer, max_length=length)
    assert len(window.tokens) <= length
    assert window == track(records[:1], tokenizer, length, min(128, length // 3))[0]


@pytest.mark.parametrize("length", [24, 64])
@pytest.mark.parametrize("stride", [-1, 0.5, 64, 10**30])
def test_a_stride_that_leaves_no_room_is_refused(records, tokenizer, length, stride):
    with pytest.raises(UserError, match="doc_stride"):
        track(records[:1], tokenizer, max_length=length, doc_stride=stride)


def test_a_question_without_room_for_its_context_is_refused(records, tokenizer):
    long = [{**records[0], "question": "Who owns the ravens? " * 20}]
    with pytest.raises(UserError, match=r"record 1 \(id 'q0'\): a question of \d+ tokens"):
        track(long, tokenizer, max_length=64)


def test_a_resumed_trainer_leaves_no_gap(model, features, samples, tmp_path):
    """Steps 4 and 5 were trained after the checkpoint of step 3; they are trained again."""
    run = tmp_path / "run"
    saved = {"save_strategy": "steps", "save_steps": 3}
    first = RecorderCallback(run, samples, probe_points=3)
    stock_trainer(model, features, run, first, **saved).train()
    whole = Recording(run)
    fresh = AutoModelForQuestionAnswering.from_pretrained(run / "checkpoint-3")
    again = RecorderCallback(run, samples, probe_points=3)
    trainer = stock_trainer(fresh, features, run, again, **saved)
    trainer.train(resume_from_checkpoint=str(run / "checkpoint-3"))
    resumed = Recording(run)
    assert len(resumed.run.segments("steps")) == 2
    np.testing.assert_array_equal(resumed.steps.step, np.arange(STEPS + 1))
    np.testing.assert_array_equal(resumed.steps.loss, whole.steps.loss)
    np.testing.assert_array_equal(resumed.steps.weight, whole.steps.weight)
    for name in ("probes", "nodes", "questions"):
        assert resumed.table(name).equals(whole.table(name)), name
    assert_same_weights(weights(fresh), weights(model))
