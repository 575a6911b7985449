"""Which question each window of a stock Trainer or a plain loop is, and what is made of it."""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from huggin.asking.suspects import suspects
from huggin.common.errors import BadValue, UserError
from huggin.qa.arguments import DataArguments
from huggin.qa.features import training_features
from huggin.recording import KnownWindows, Recorder, RecorderCallback, Recording, track
from tests.conftest import ROOT, command, python

DATA = DataArguments(max_seq_length=64, doc_stride=16)
LABELS = ("start_positions", "end_positions")


@pytest.fixture
def model(tiny):
    """Without dropout."""
    torch.manual_seed(0)
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return BertForQuestionAnswering(BertConfig.from_pretrained(tiny / "model", **still))


@pytest.fixture
def features(records, tokenizer):
    """A window per question, of different lengths, as rows of a data set without texts."""
    found = training_features(Dataset.from_list(records), tokenizer, DATA)
    return found.remove_columns(
        [name for name in found.column_names if name not in (*tokenizer.model_input_names, *LABELS)]
    )


def with_texts(features, records):
    """The same rows with the columns of their questions."""
    rows = [{**row, **record} for row, record in zip(features, records, strict=True)]
    return Dataset.from_list(rows)


def train(model, features, tokenizer, records, folder, data=None, max_steps=-1, **changes) -> Path:
    """A stock Trainer that changes no weight: two passes in batches of two."""
    samples = track(records[:1], tokenizer, 64, doc_stride=16)
    cfg = {"max_seq_length": 64, "doc_stride": 16}
    callback = RecorderCallback(folder, samples, pretrained=False, data=data, cfg=cfg)
    given = {
        "output_dir": str(folder),
        "num_train_epochs": 2,
        "max_steps": max_steps,
        "per_device_train_batch_size": 2,
        "learning_rate": 0.0,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
    }
    trainer = Trainer(
        model,
        TrainingArguments(**given),
        train_dataset=features,
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[callback],
        **changes,
    )
    trainer.train()
    trainer.save_model()
    trainer.save_state()
    return folder


def losses_of(model, features):
    """The loss of each row, alone."""
    found = []
    for row in features:
        batch = {name: torch.tensor([value]) for name, value in row.items()}
        with torch.no_grad():
            found.append(model.eval()(**batch).loss.item())
    return found


def test_a_stock_trainers_losses_belong_to_the_rows_of_its_data(
    model, features, tokenizer, records, tmp_path
):
    run = train(model, features, tokenizer, records, tmp_path / "run")
    found = Recording(run).questions
    assert np.bincount(found.index).tolist() == [2, 2, 2, 2]  # in shuffled batches
    expected = np.array(losses_of(model, features))
    mean = (found.start_loss + found.end_loss) / 2
    # padding takes part in the softmax of a batch, so that the losses are near each other
    np.testing.assert_allclose(mean, expected[found.index], atol=0.1)
    assert len(set(np.round(expected, 3))) == 4


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_and_the_order_of_a_batch_do_not_matter(features, tokenizer, side):
    known = KnownWindows(features)
    tokenizer.padding_side = side
    order = [2, 0, 3]
    collate = DataCollatorWithPadding(tokenizer, pad_to_multiple_of=64)
    batch = dict(collate([features[row] for row in order]))
    tokenizer.padding_side = "right"
    logits = torch.zeros(3, 64)
    rows = known.rows(batch, {"start_logits": logits, "end_logits": logits})
    assert rows[:, 0].tolist() == order
    batch["input_ids"][1, 40 if side == "left" else 3] += 1
    rows = known.rows(batch, {"start_logits": logits, "end_logits": logits})
    assert rows[:, 0].isnan().tolist() == [False, True, False]


def test_windows_with_one_id_are_of_one_question(features):
    rows = [{**row, "id": "ab"[number % 2]} for number, row in enumerate(features)]
    known = KnownWindows(rows)
    batch = [{name: torch.tensor([row[name]]) for name in ("input_ids", *LABELS)} for row in rows]
    logits = {name: torch.zeros(1, 64) for name in ("start_logits", "end_logits")}
    places = [known.rows(window, logits)[0, :2].tolist() for window in batch]
    assert places == [[0, 0], [1, 0], [0, 1], [1, 1]]


def test_texts_of_columns_tokens_or_none(model, features, tokenizer, records, tmp_path):
    texts = with_texts(features, records)
    run = train(model, features, tokenizer, records, tmp_path / "a", KnownWindows(texts))
    found = suspects(run, ask=False)
    by_index = sorted(found.ranked, key=lambda each: each.index)
    assert [each.question for each in by_index] == [record["question"] for record in records]
    assert [each.id for each in by_index] == [record["id"] for record in records]

    run = train(model, features, tokenizer, records, tmp_path / "b", processing_class=tokenizer)
    found = suspects(run, device="cpu")
    assert all(suspect.model_answer for suspect in found.ranked)
    for suspect, record in zip(sorted(found.ranked, key=lambda each: each.index), records):
        for text, expected in (
            (suspect.question, record["question"]),
            (suspect.given, record["answers"]["text"][0]),
        ):
            assert re.sub(r"\s", "", text) == re.sub(r"\s", "", expected.lower())
        context = found.records[suspect.index]["context"]
        assert context[suspect.place : suspect.place + len(suspect.given)] == suspect.given

    run = train(model, features, tokenizer, records, tmp_path / "c")
    found = suspects(run, ask=False)
    assert "not known, so the loss alone" in found.in_words()
    losses = Recording(run).questions
    worst = losses.index[np.argmax(losses.start_loss + losses.end_loss)]
    assert found.ranked[0].question == f"row {worst}"
    for name, kinds in (("a", 4), ("b", 4), ("c", 2)):
        done = command("graph-questions", tmp_path / name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(".png") >= kinds


def test_without_an_answer_in_the_window_there_is_none(features, tokenizer):
    row = {**features[0], "start_positions": 0, "end_positions": 0}
    (record,) = KnownWindows([row], tokenizer).texts
    assert record["answers"] == {"text": [], "answer_start": []}


def test_a_loop_without_its_data_and_data_without_rows(
    model, features, tokenizer, records, tmp_path, capsys
):
    samples = track(records[:1], tokenizer, 64, doc_stride=16)
    with (
        Recorder(tmp_path / "run", model, samples) as recorder,
        pytest.raises(BadValue, match="KnownWindows"),
    ):
        recorder.step(1, batch={}, outputs={})
    with pytest.raises(UserError, match="no sequence"):
        KnownWindows(iter(features))
    with pytest.raises(UserError, match="row 0 .* has no start_positions, end_positions"):
        KnownWindows([{"input_ids": [1]}])
    rows = features.to_iterable_dataset()
    trained = train(model, rows, tokenizer, records, tmp_path / "stream", max_steps=2)
    assert "how each question did is not recorded" in capsys.readouterr().err
    assert Recording(trained).steps.step.tolist() == [0, 1, 2]


def test_texts_are_the_runs_own_files(model, features, tokenizer, records, tmp_path):
    known = KnownWindows(with_texts(features, records))
    run = train(model, features, tokenizer, records, tmp_path / "run", known)
    recording = Recording(run)
    kept = json.loads((run / "recording" / "questions.json").read_text())["data"]
    assert [record["question"] for record in kept] == [record["question"] for record in records]
    assert recording.run.texts in list(recording.run.own_files())
    moved = run.rename(tmp_path / "moved")
    assert len(suspects(moved, ask=False).ranked) == 4


@pytest.mark.slow
def test_two_processes_of_a_stock_trainer_record_the_windows_of_one(tiny, tmp_path):
    """As a set by epoch. The weights are those of two processes that record nothing."""

    def trained(processes, recorded):
        folder = tmp_path / f"{processes}-{recorded}"
        torchrun = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)]
        script = ["-m", "tests.recording.stock_trainer", tiny / "model", tiny / "questions.json"]
        line = [python(), *torchrun, *script, folder, recorded]
        subprocess.run(line, cwd=ROOT, capture_output=True, check=True, timeout=300)
        return folder

    epochs = {}
    for processes in (1, 2):
        folder = trained(processes, "recorded")
        recording = Recording(folder)
        seen = recording.questions
        epoch = np.ceil(recording.steps.epoch[seen.step] - 1e-6).astype(int)
        rows = list(zip(epoch.tolist(), seen.index.tolist(), seen.window.tolist(), strict=True))
        epochs[processes] = set(rows)
        assert len(rows) == len(set(rows)) == 3 * 4
        loss = (seen.start_loss + seen.end_loss) / 2
        means = np.bincount(seen.step, loss)[1:] / np.bincount(seen.step)[1:]
        assert np.allclose(means, recording.steps.loss[1:], rtol=1e-5)
    assert epochs[1] == epochs[2]
    with_it, without = (
        load_file(each / "model.safetensors") for each in (folder, trained(2, "not"))
    )
    assert all(torch.equal(with_it[name], without[name]) for name in without)
