"""The tables since schema 2: written, read, checked, small."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from datasets import Dataset
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from huggin.analysis.lens import true_lens
from huggin.common.errors import UserError
from huggin.qa.arguments import DataArguments
from huggin.qa.features import track_samples, training_features
from huggin.recording.callback import RecorderCallback
from huggin.recording.exports import recording_summary, write_csv
from huggin.recording.probe import batch_rows
from huggin.recording.reader import Recording
from huggin.recording.recorder import Recorder
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import TABLES, RecordingWriter
from tests.conftest import command

DATA = DataArguments(max_seq_length=64, doc_stride=16)
NEW = ("lens", "layers", "questions", "ledger", "pointers")


def size_of(run, table):
    return sum(path.stat().st_size for _, path in run.segments(table))


def write_base(writer, step, parts=14, windows=12, hidden=768):
    """A step of BERT-base with a batch of 12."""
    numbers = dict.fromkeys(("epoch", "loss", "learning_rate", "grad_norm"), 0.5)
    weight = np.full(2 * hidden, step, np.float32)
    writer.append("steps", step=step, **numbers, weight=weight, bias=weight[:2])
    writer.append("layers", step=step, norms=np.full(parts, step, np.float32))
    writer.append("questions", step=step, windows=np.full(5 * windows, step, np.float32))
    writer.append("pointers", step=step, windows=np.full(2 * windows, step, np.float32))


def test_a_step_of_bert_base_takes_at_most_7_9_kb(tmp_path):
    run = RunFolder(tmp_path)
    writer = RecordingWriter(run, 768)
    write_base(writer, 0)
    before = sum(size_of(run, table) for table in TABLES)
    for step in range(1, 101):
        write_base(writer, step)
    assert (sum(size_of(run, table) for table in TABLES) - before) / 100 <= 7900
    writer.close()


def test_the_lens_of_200_probes_of_bert_base_takes_about_4_mb(tmp_path):
    run = RunFolder(tmp_path)
    writer = RecordingWriter(run, 768)
    logits = np.zeros(384, np.float16)
    for step in range(20):
        rows = [
            {"step": step, "sample": 0, "layer": at, "start_logits": logits, "end_logits": logits}
            for at in range(13)
        ]
        writer.append("lens", *rows)
    writer.close()
    assert 200 * 13 * 2 * 384 * 2 <= 10 * size_of(run, "lens") <= 4.2e6


def test_the_lens_of_a_run_ends_with_its_own_logits(pretrained_run):
    recording = Recording(pretrained_run)
    for sample in range(3):
        lens = true_lens(recording, sample)
        probes = recording.probes(sample)
        assert lens.step.tolist() == probes.step.tolist()
        assert lens.start_logits.shape == (9, 3, len(recording.tracked(sample).tokens))
        np.testing.assert_allclose(lens.start_logits[:, -1], probes.start_logits, atol=2e-3)
        assert not np.array_equal(lens.start_logits[:, 0], lens.start_logits[:, -1])


def test_an_untrue_lens_is_refused(pretrained_run, monkeypatch):
    recording = Recording(pretrained_run)
    lens = recording.lens()
    lens.start_logits[4, -1, 2] += 1
    monkeypatch.setattr(Recording, "lens", lambda *_: lens)
    with pytest.raises(
        UserError, match="head on the last layer is not the model's own .*step 4, s"
    ):
        true_lens(recording)


def test_squares_of_norms_add_up_to_the_recorded_norm(tiny_run):
    recording = Recording(tiny_run)
    layers = recording.layers
    assert layers.step.tolist() == list(range(1, 9))
    assert layers.parts == ["embeddings", "layer 1", "layer 2", "head"]
    whole = np.sqrt(np.square(layers.norms.astype(float)).sum(axis=1))
    np.testing.assert_allclose(whole, recording.steps.grad_norm[1:], rtol=1e-5)


def test_losses_of_a_batch_have_the_recorded_mean(tiny_run):
    recording = Recording(tiny_run)
    asked = recording.questions
    assert np.bincount(asked.step).tolist() == [0, *[2] * 8]
    assert sorted(asked.index[:4].tolist()) == [0, 1, 2, 3]  # the first epoch
    both = (asked.start_loss + asked.end_loss).astype(float) / 2
    means = np.bincount(asked.step, both)[1:] / 2
    np.testing.assert_allclose(means, recording.steps.loss[1:], rtol=1e-5)


def test_csv_of_the_new_tables(tiny_run):
    recording = Recording(tiny_run)
    frames = {}
    for name in NEW:
        sink = io.BytesIO()
        write_csv(recording, name, sink)
        frames[name] = pandas.read_csv(io.BytesIO(sink.getvalue()))
    tokens = len(recording.tracked().tokens)
    assert len(frames["lens"]) == 9 * 3 * tokens
    chosen = frames["lens"].query("step == 8 and layer == 1")
    np.testing.assert_array_equal(
        chosen["end_logit"].to_numpy(np.float16), recording.lens().end_logits[8, 1]
    )
    assert frames["layers"].columns.tolist() == ["step", "embeddings", "layer 1", "layer 2", "head"]
    np.testing.assert_array_equal(
        frames["layers"]["layer 2"].to_numpy(np.float32), recording.layers.norms[:, 2]
    )
    for name in ("step", "index", "window", "right"):
        np.testing.assert_array_equal(frames["questions"][name], getattr(recording.questions, name))
    losses = frames["questions"]["start_loss"].to_numpy(np.float32)
    np.testing.assert_array_equal(losses, recording.questions.start_loss)


def test_the_summary_counts_them(tiny_run):
    summary = recording_summary(tiny_run)
    tables = ("lens_probes", "layer_steps", "question_steps", "ledger_probes", "pointer_steps")
    assert [summary[name] for name in tables] == [9, 8, 8, 8, 8]


@pytest.fixture
def older(tiny_run, tmp_path) -> Path:
    """The run as version 1 recorded it."""
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    for name in NEW:
        (run / "recording" / f"{name}-0.arrow").unlink()
    path = run / "recording" / "run.json"
    facts = json.loads(path.read_text()) | {"schema_version": 1}
    for name in (
        "parts",
        "has_lens",
        "places",
        "ledger_points",
        "n_best_size",
        "max_answer_length",
    ):
        del facts[name]
    path.write_text(json.dumps(facts))
    return run


@pytest.mark.slow
def test_a_recording_of_version_1_opens_and_says_what_it_lacks(older):
    recording = Recording(older)
    assert len(recording.steps.step) == 9
    assert recording_summary(older)["question_steps"] == 0
    for read in (recording.lens, lambda: recording.layers, lambda: recording.questions):
        with pytest.raises(UserError, match="no table .*: an older version of the toolkit"):
            read()
    for name in ("layers", "questions"):
        done = command(f"graph-{name}.py", "run", cwd=older.parent)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "no table" in done.stderr
    for words in (["graph-logits.py", "run"], ["graph-node-logits.py", "run", "--share"]):
        assert command(*words, cwd=older.parent).returncode == 0


@pytest.mark.slow
def test_a_run_of_version_1_goes_on_with_the_new_tables(older, tiny_cfg):
    cfg = tiny_cfg(do_eval=False, num_train_epochs=6)
    (older.parent / "cfg.json").write_text(json.dumps(cfg))
    done = command("run_qa.py", "cfg.json", cwd=older.parent)
    assert done.returncode == 0, done.stderr
    recording = Recording(older)
    assert recording.steps.step.tolist() == list(range(13))
    assert recording.layers.step.tolist() == [9, 10, 11, 12]
    assert sorted(set(recording.questions.step)) == [9, 10, 11, 12]
    for name in ("layers", "questions"):
        assert command(f"graph-{name}.py", "run", cwd=older.parent).returncode == 0


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    return BertForQuestionAnswering(BertConfig.from_pretrained(tiny / "model"))


@pytest.mark.parametrize(("most", "is_known"), [(1e-3, False), (1e6, True), (0.0, True)])
def test_a_stock_trainer_records_norms_unless_they_are_clipped(
    model, tokenizer, records, tmp_path, most, is_known
):
    data = Dataset.from_list(records)
    features = training_features(data, tokenizer, DATA)
    callback = RecorderCallback(tmp_path / "run", track_samples(data, 1, 0, tokenizer, DATA))
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"),
        max_steps=3,
        per_device_train_batch_size=2,
        max_grad_norm=most,
        report_to="none",
        save_strategy="no",
        use_cpu=True,
    )
    Trainer(
        model,
        arguments,
        train_dataset=features,
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[callback],
    ).train()
    recording = Recording(tmp_path / "run")
    assert recording.layers.step.tolist() == [1, 2, 3]
    assert np.isfinite(recording.layers.norms).all() == is_known
    assert np.isnan(recording.layers.norms).all() != is_known
    assert len(recording.lens().step) == 4
    assert np.bincount(recording.questions.step).tolist() == [0, 2, 2, 2]


@pytest.mark.slow
def test_a_batch_without_finite_losses_is_recorded(model, tokenizer, records, tmp_path):
    samples = track_samples(Dataset.from_list(records), 1, 0, tokenizer, DATA)
    broken = dict.fromkeys(("start_logits", "end_logits"), torch.full((2, 8), float("nan")))
    labels = dict.fromkeys(("start_positions", "end_positions"), torch.tensor([1, 2]))
    rows = batch_rows(labels, broken, torch.tensor([0, 3]), torch.tensor([0, 1]))
    with Recorder(tmp_path / "run", model, samples, 2, cfg={"train_file": "gone"}) as recorder:
        for step in (1, 2):
            norms = torch.full_like(recorder.gradient_norms(), float("nan"))
            recorder.step(step, loss=float("nan"), part_norms=norms, questions=rows)
    asked = Recording(tmp_path / "run").questions
    assert asked.index.tolist() == [0, 3, 0, 3]
    assert asked.window.tolist() == [0, 1, 0, 1]
    assert np.isnan(asked.start_loss).all()
    assert not asked.right.any()
    for name in ("layers", "questions"):
        done = command(f"graph-{name}.py", "run", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
