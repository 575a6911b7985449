"""Pointers are true to first order, change nothing, and go on after a stop."""

import io
import json
import shutil

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

from huggin.common.errors import UserError
from huggin.model.loading import head_of
from huggin.qa.arguments import DataArguments
from huggin.qa.features import track_samples, training_features
from huggin.recording.callback import RecorderCallback
from huggin.recording.exports import write_csv
from huggin.recording.pointers import HeadInput, scale_of
from huggin.recording.probe import probe
from huggin.recording.reader import Recording
from huggin.recording.run_folder import RunFolder
from tests.training.test_overnight import train_here
from tests.training.test_training import weights

DATA = DataArguments(max_seq_length=64, doc_stride=16)


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    return BertForQuestionAnswering(BertConfig.from_pretrained(tiny / "model"))


@pytest.fixture
def samples(records, tokenizer):
    return track_samples(Dataset.from_list(records), 2, 0, tokenizer, DATA)


def gradient_of(model, loss):
    return torch.autograd.grad(loss, head_of(model).weight)[0]


def test_gradients_are_those_of_autograd(model, records, tokenizer):
    """Padded windows, of bfloat16 too: autograd gives the gradient of each window's own loss."""
    features = training_features(Dataset.from_list(records), tokenizer, DATA)
    columns = ["input_ids", "attention_mask", "token_type_ids", "start_positions", "end_positions"]
    windows = [features.select_columns(columns)[row] for row in range(3)]
    windows[0] = {
        name: value[:20] if isinstance(value, list) else value for name, value in windows[0].items()
    }
    batch = DataCollatorWithPadding(tokenizer)(windows)
    seen = HeadInput(model.train())
    torch.manual_seed(1)
    outputs = model(**batch)
    found = seen.gradients(batch, outputs)
    seen.remove()
    for row in range(3):
        pairs = (("start", outputs.start_logits), ("end", outputs.end_logits))
        losses = [
            torch.nn.functional.cross_entropy(logits[row], batch[f"{end}_positions"][row])
            for end, logits in pairs
        ]
        own = torch.autograd.grad(sum(losses) / 2, head_of(model).weight, retain_graph=True)[0]
        torch.testing.assert_close(found[row].reshape(2, -1), own, rtol=1e-4, atol=1e-6)


def test_a_probe_has_the_gradient_of_its_own_loss(model, samples):
    seen = probe(model, samples[1], [], DATA)
    inputs = {name: torch.tensor([ids]) for name, ids in samples[1].inputs.items()}
    golds = {"start_positions": torch.tensor([samples[1].gold_start])}
    golds["end_positions"] = torch.tensor([samples[1].gold_end])
    loss = model.eval()(**inputs, **golds).loss
    torch.testing.assert_close(seen.gradient, gradient_of(model, loss), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_scale_is_what_the_optimizer_multiplied_the_gradient_by(kind):
    weight = torch.nn.Parameter(torch.tensor([[1.0, -2.0], [0.5, 3.0]]))
    options = {"betas": (0.0, 0.9), "weight_decay": 0.0} if kind is torch.optim.AdamW else {}
    optimizer = kind([weight], lr=0.1, **options)
    for step in range(1, 4):
        before = weight.detach().clone()
        weight.grad = torch.tensor([[0.1, 0.2], [-0.3, 4.0]]) * step
        optimizer.step()
        moved = before - weight.detach()
        torch.testing.assert_close(moved, scale_of(optimizer, weight) * weight.grad)
    assert scale_of(optimizer, torch.nn.Parameter(torch.zeros(1))) == 0  # a frozen head


def trainer_of(model, records, tokenizer, samples, folder, **changes):
    options = {"max_steps": 3, "per_device_train_batch_size": 2, "save_strategy": "no"} | changes
    points = options.pop("pointers", True)
    arguments = TrainingArguments(
        str(folder / "trainer"), report_to=[], use_cpu=True, disable_tqdm=True, **options
    )
    callback = RecorderCallback(folder / "run", samples, pointers=points, probe_points=4)
    return Trainer(
        model,
        arguments,
        train_dataset=training_features(Dataset.from_list(records), tokenizer, DATA),
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[callback],
    )


@pytest.mark.parametrize("micro", [1, 2])
def test_the_pushes_of_a_step_add_up_to_what_the_head_did(
    model, records, tokenizer, samples, tmp_path, micro
):
    """Without momentum the head moves by the scaled gradient, the mean over the windows."""
    changes = {"adam_beta1": 0.0, "gradient_accumulation_steps": micro, "max_grad_norm": 0.0}
    before = [probe(model, sample, [], DATA).gradient for sample in samples]
    trainer = trainer_of(model, records, tokenizer, samples, tmp_path, max_steps=1, **changes)
    trainer.train()
    recording = Recording(tmp_path / "run")
    assert recording.pointers.shape == (2 * micro, 3)
    assert (recording.pointers[:, 0] > 0).all()
    moved = recording.steps.weight[0] - recording.steps.weight[1]
    for number, gradient in enumerate(before, start=1):
        lowered = float((gradient.numpy() * moved).sum())
        assert abs(lowered) > 1e-8
        assert recording.pointers[:, number].sum() == pytest.approx(lowered, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"gradient_accumulation_steps": 2, "bf16": True}])
def test_weights_are_the_same_with_and_without(tmp_path, tiny_cfg, changes):
    for pointers in (False, True):
        folder = tmp_path / str(pointers)
        folder.mkdir()
        keys = tiny_cfg(pointers=pointers, probe_samples=2, do_eval=False, **changes)
        assert train_here(folder, keys) == 0
    assert weights(tmp_path / "False" / "run") == weights(tmp_path / "True" / "run")
    recording = Recording(tmp_path / "True" / "run")
    assert np.isfinite(recording.pointers).all()
    assert len(recording.pointers) == len(recording.questions.step)
    with pytest.raises(UserError, match="pointers false, or before"):
        assert Recording(tmp_path / "False" / "run").pointers


def test_pointers_as_csv(tiny_run):
    sink = io.BytesIO()
    recording = Recording(tiny_run)
    write_csv(recording, "pointers", sink)
    table = pandas.read_csv(io.BytesIO(sink.getvalue()))
    assert table.columns.tolist() == ["step", "norm", "push_0"]
    np.testing.assert_array_equal(table["step"], recording.questions.step)
    np.testing.assert_array_equal(table["push_0"].astype(np.float32), recording.pointers[:, 1])


def test_a_recording_of_earlier_versions_has_none(tiny_run, tmp_path):
    run = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    for _, path in run.segments("pointers"):
        path.unlink()
    facts = json.loads(run.facts.read_text())
    for version, why in ((3, "before the toolkit recorded them"), (2, "an older version")):
        run.facts.write_text(json.dumps(facts | {"schema_version": version}))
        with pytest.raises(UserError, match=f"no table pointers: .*{why}"):
            assert Recording(run.path).pointers


def test_a_checkpoint_without_the_gradients(model, records, tokenizer, samples, tmp_path, capsys):
    """One of an earlier version: the pushes go on after the next probe."""
    changes = {"save_strategy": "steps", "save_steps": 4, "max_steps": 9}
    trainer_of(model, records, tokenizer, samples, tmp_path, **changes).train()
    checkpoint = tmp_path / "trainer" / "checkpoint-4"
    (checkpoint / "pointers.safetensors").unlink()
    again = trainer_of(model, records, tokenizer, samples, tmp_path, **changes)
    again.train(resume_from_checkpoint=str(checkpoint))
    assert "pointers: not kept by the checkpoint" in capsys.readouterr().err
    recording = Recording(tmp_path / "run")
    lacking = np.unique(recording.questions.step[np.isnan(recording.pointers[:, 0])])
    assert lacking.tolist() == [5, 6]  # the probes are at 0, 3, 6 and 9
