"""The ledger adds up, whatever is trained and however often it is stopped; it changes nothing."""

import io
import json
import random
import shutil

import numpy as np
import pandas
import pytest
import torch
from datasets import Dataset
from torch import nn
from transformers import (
    AlbertConfig,
    AlbertForQuestionAnswering,
    AutoTokenizer,
    BertConfig,
    BertForQuestionAnswering,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)
from transformers.modeling_outputs import QuestionAnsweringModelOutput

from huggin.common.errors import UserError
from huggin.model.parts import places_of
from huggin.qa.arguments import DataArguments
from huggin.qa.features import track_samples, training_features
from huggin.recording.callback import RecorderCallback
from huggin.recording.exports import write_csv
from huggin.recording.ledger import credits_along, trainable
from huggin.recording.reader import Recording
from huggin.recording.recorder import Recorder
from huggin.recording.run_folder import RunFolder
from tests.conftest import command
from tests.recordings import window
from tests.training.test_overnight import train_here
from tests.training.test_training import same_rows, weights

DATA = DataArguments(max_seq_length=64, doc_stride=16)


@pytest.fixture
def tokenizer(tiny):
    return AutoTokenizer.from_pretrained(tiny / "model")


@pytest.fixture
def samples(tokenizer, records):
    return track_samples(Dataset.from_list(records), 3, 0, tokenizer, DATA)


def bert(tiny, **changes):
    torch.manual_seed(0)
    return BertForQuestionAnswering(BertConfig.from_pretrained(tiny / "model", **changes))


def albert(tiny):
    torch.manual_seed(0)
    sizes = {"embedding_size": 8, "hidden_size": 16, "intermediate_size": 32}
    vocabulary = BertConfig.from_pretrained(tiny / "model").vocab_size
    config = AlbertConfig(
        vocab_size=vocabulary, num_attention_heads=2, num_hidden_layers=3, **sizes
    )
    return AlbertForQuestionAnswering(config)


def batch_of(samples):
    """The tracked samples as a batch; their contexts are the same, so little is padded."""
    size = max(len(sample.tokens) for sample in samples)
    inputs = {
        name: torch.tensor([s.inputs[name] + [0] * (size - len(s.tokens)) for s in samples])
        for name in samples[0].inputs
    }
    gold = {
        f"{end}_positions": torch.tensor([getattr(s, f"gold_{end}") for s in samples])
        for end in ("start", "end")
    }
    return inputs | gold


def trained(model, samples, folder, steps=24, micro=1, bf16=False, **options):
    """Train in a plain loop with a Recorder; the recording."""
    moved = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(moved, lr=3e-3)
    batch = batch_of(samples)
    with Recorder(folder, model.train(), samples, steps, **options) as recorder:
        for step in range(1, steps + 1):
            for _ in range(micro):
                with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    loss = model(**batch).loss / micro
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            recorder.step(step, loss=loss)
    return Recording(folder)


def sums_of(recording, sample=0):
    """The sum of the credits, the change of the loss by the probes, and the sum of |changes|."""
    probes = recording.probes(sample)
    losses = (probes.start_loss + probes.end_loss) / 2
    credits = recording.ledger(sample).credits.astype(float)
    return credits.sum(), losses[-1] - losses[0], np.abs(np.diff(losses)).sum()


def assert_adds_up(recording, samples=1, tolerance=0.01):
    for sample in range(samples):
        total, change, moved = sums_of(recording, sample)
        assert moved > 0.2  # something was learned, or the test would say nothing
        assert total == pytest.approx(change, abs=tolerance * abs(change))
        assert np.abs(recording.ledger(sample).gap).sum() <= tolerance * moved


def test_credits_add_up_to_the_change_of_the_loss(tiny, samples, tmp_path):
    recording = trained(bert(tiny), samples, tmp_path)
    assert_adds_up(recording, samples=3)
    ledger = recording.ledger(1)
    assert ledger.step.tolist() == list(range(1, 25))
    assert [place.part for place in ledger.places] == (
        ["embeddings"] * 2 + ["layer 1"] * 7 + ["layer 2"] * 7 + ["head"]
    )
    kinds = ["query", "key", "value", "attention output", "norm"]
    kinds += ["feed-forward in", "feed-forward out"]
    assert [place.module for place in ledger.places[2:9]] == kinds


def test_credits_along_two_steps_in_one_line_add_up_too(tiny, samples, tmp_path):
    ledger = trained(bert(tiny), samples, tmp_path, steps=8).ledger()
    fine = ledger.credits.astype(float)
    changes = fine.sum(axis=1) + ledger.gap
    even = np.isfinite(ledger.coarse).all(axis=1)
    assert even.tolist() == [False, True] * 4
    coarse = ledger.coarse[even].astype(float)
    both = changes.reshape(4, 2).sum(axis=1)
    np.testing.assert_allclose(coarse.sum(axis=1), both, atol=0.03 * np.abs(changes).sum())
    assert np.abs(coarse - fine.reshape(4, 2, -1).sum(axis=1)).max() > 1e-4  # another split


def test_layers_that_share_their_weights(tiny, samples, tmp_path):
    recording = trained(albert(tiny), samples, tmp_path)
    assert_adds_up(recording, samples=3)
    parts = {place.part for place in recording.facts.places}
    assert parts == {"embeddings", "layers 1 to 3", "head"}


def test_frozen_parts_have_exactly_0(tiny, samples, tmp_path):
    model = bert(tiny)
    for module in (model.bert.embeddings, model.bert.encoder.layer[0]):
        module.requires_grad_(requires_grad=False)
    recording = trained(model, samples, tmp_path)
    assert_adds_up(recording)
    frozen = [place.part in ("embeddings", "layer 1") for place in recording.facts.places]
    credits = recording.ledger().credits
    assert (credits[:, frozen] == 0).all()
    assert (credits[:, ~np.array(frozen)].sum(axis=0) != 0).all()
    stored = Recorder(tmp_path / "other", model, samples)._ledger
    stored.entries(0, [0.0] * 3)
    assert all("layer.0." not in name for name in stored._copies[0])  # no memory for them


def test_gradient_accumulation(tiny, samples, tmp_path):
    assert_adds_up(trained(bert(tiny), samples, tmp_path, micro=3), samples=3)


@pytest.mark.parametrize("whole", [False, True])
def test_bfloat16(tiny, samples, tmp_path, whole):
    """A number in bfloat16 has 8 bits, so a probe's loss is 0.4 % off, at both ends of the sum.

    The gaps of single probes are that large, too, so only their sum is compared.
    """
    model = bert(tiny)
    model = model.bfloat16() if whole else model
    recording = trained(model, samples, tmp_path, bf16=not whole)
    total, change, moved = sums_of(recording)
    assert moved > 0.2
    losses = recording.probes().start_loss[[0, -1]] + recording.probes().end_loss[[0, -1]]
    assert abs(total - change) <= 0.01 * abs(change) + 2**-8 * losses.sum() / 2


class Quadratic(nn.Module):
    """A model whose loss for the answer at token 1 is a quadratic function of its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.tensor([0.3, -0.2]))
        self.other = nn.Parameter(torch.tensor([0.1]))

    def forward(self, input_ids):
        square = (
            self.one.square().sum() + 3 * self.other.square().sum() + self.one[0] * self.other[0]
        )
        # log softmax of (log(exp(q) - 1), 0) at token 1 is -q, so the loss is the quadratic
        first = torch.log(torch.expm1(square))
        logits = torch.stack([first, torch.zeros(())])[None]
        return QuestionAnsweringModelOutput(start_logits=logits, end_logits=logits)


@pytest.mark.parametrize("points", [1, 2, 3])
def test_a_quadratic_loss_to_1e_5(points):
    """One point is exact for a quadratic: the gradient at the middle times the change."""
    model = Quadratic()
    before = {name: weight.detach().clone() for name, weight in trainable(model).items()}
    with torch.no_grad():
        model.one += torch.tensor([0.4, 0.7])
        model.other -= 0.6
    found = credits_along(model, [window(2, inputs={"input_ids": [1, 2]})], before, points)[0]
    one = 0.4 * (2 * 0.5 + -0.2) + 0.7 * 2 * 0.15  # the middle: one = (.5, .15), other = -.2
    other = -0.6 * (6 * -0.2 + 0.5)
    np.testing.assert_allclose(found, [one, other], rtol=1e-5)


def test_by_part_is_the_sum_of_its_modules(tiny, samples):
    """Of each parameter, of each place: one sum, taken by parts or by modules."""
    model = bert(tiny)
    recorder = Recorder("unused", model, samples)
    places = places_of(model, recorder._parts)
    before = {name: weight.detach() * 0.9 for name, weight in model.named_parameters()}
    credits = dict(zip(before, credits_along(model, samples[:1], before, 3)[0], strict=True))
    ledger = recorder._ledger
    ledger._copies, ledger._last = {0: before}, 0
    by_place = ledger._by_place(0)[0]
    for part in recorder._parts:
        of_part = sum(credits[name] for name, place in places.items() if place.part == part)
        modules = [place.part == part for place in ledger.places]
        assert by_place[modules].sum() == pytest.approx(of_part, rel=1e-4, abs=1e-6)


def states():
    return [torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()]


def test_a_reckoning_leaves_no_trace(tiny, samples):
    model = bert(tiny).train()
    model.bert.embeddings.dropout.eval()  # a module that the user froze
    model(**batch_of(samples)).loss.backward()
    before = {name: weight.detach() * 0.9 for name, weight in model.named_parameters()}
    parameters = dict(model.named_parameters())
    kept = {name: (weight.clone(), weight.grad.clone()) for name, weight in parameters.items()}
    random_states = states()
    credits_along(model, samples, before, 3)
    assert states() == random_states
    assert model.training
    assert not model.bert.embeddings.dropout.training
    for name, weight in model.named_parameters():
        assert weight is parameters[name]
        assert torch.equal(weight, kept[name][0])
        assert torch.equal(weight.grad, kept[name][1])


def test_gradient_checkpointing(tiny, samples, tmp_path):
    model = bert(tiny)
    model.gradient_checkpointing_enable()
    assert_adds_up(trained(model, samples, tmp_path))
    assert model.is_gradient_checkpointing


@pytest.mark.parametrize("changes", [{}, {"gradient_accumulation_steps": 2, "bf16": True}])
@pytest.mark.slow
def test_weights_are_the_same_with_and_without_the_ledger(tmp_path, tiny_cfg, changes):
    for points in (0, 3):
        (tmp_path / str(points)).mkdir()
        keys = tiny_cfg(ledger_points=points, probe_samples=2, do_eval=False, **changes)
        assert train_here(tmp_path / str(points), keys) == 0
    assert weights(tmp_path / "0" / "run") == weights(tmp_path / "3" / "run")
    with pytest.raises(UserError, match="ledger_points 0"):
        Recording(tmp_path / "0" / "run").ledger()


@pytest.mark.parametrize("stop", [5, 6, 7, 8, 9])
def test_a_resumed_loop_has_the_rows_of_one_that_went_on(tiny, samples, tmp_path, stop):
    """Probes at 0, 3, 6, 9, 12: a stop at one, between two, and where two lines begin."""

    def loop(folder, first, last, optimizer, model, checkpoint=None):
        recorder = Recorder(folder, model, samples, 12, probe_points=5, overwrite=True)
        recorder.start(first, checkpoint)
        for step in range(first + 1, last + 1):
            model(**batch_of(samples)).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            recorder.step(step)
        return recorder

    def begun():
        model = bert(tiny, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).train()
        return torch.optim.AdamW(model.parameters(), lr=1e-2), model

    loop(tmp_path / "whole", 0, 12, *begun()).close()
    optimizer, model = begun()
    stopped = loop(tmp_path / "run", 0, stop, optimizer, model)
    stopped.save_state(tmp_path, stop)
    stopped.close()
    again, other = begun()
    other.load_state_dict(model.state_dict())
    again.load_state_dict(optimizer.state_dict())
    loop(tmp_path / "run", stop, 12, again, other, tmp_path).close()
    assert same_rows(tmp_path / "run", tmp_path / "whole")
    assert Recording(tmp_path / "run").ledger(2).step.tolist() == [3, 6, 9, 12]


def test_a_checkpoint_without_the_copies(tiny, samples, tmp_path, capsys):
    recorder = Recorder(tmp_path, bert(tiny), samples, 4, probe_points=5)
    recorder.start()
    for step in (1, 2, 3):
        recorder.step(step)
    recorder.close()
    recorder = Recorder(tmp_path, bert(tiny), samples, 4, probe_points=5).start(2)
    assert "ledger: no weights of the last probe to go on from" in capsys.readouterr().err
    recorder.step(3)
    recorder.step(4)
    recorder.close()
    assert Recording(tmp_path).ledger().step.tolist() == [1, 2, 4]


@pytest.mark.slow
def test_a_resumed_trainer_has_the_rows_of_one_that_went_on(
    tiny, samples, records, tokenizer, tmp_path
):
    """Any Trainer with a RecorderCallback; checkpoints at 4 and 8, probes every third step."""

    def train(folder, resume=None):
        features = training_features(Dataset.from_list(records), tokenizer, DATA)
        arguments = TrainingArguments(
            str(folder / "trainer"),
            max_steps=9,
            per_device_train_batch_size=2,
            save_steps=4,
            learning_rate=1e-2,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        )
        trainer = Trainer(
            bert(tiny),
            arguments,
            train_dataset=features,
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[RecorderCallback(folder / "run", samples, probe_points=4)],
        )
        trainer.train(resume_from_checkpoint=resume)

    train(tmp_path)
    whole = shutil.copytree(tmp_path / "run", tmp_path / "whole")
    train(tmp_path, str(tmp_path / "trainer" / "checkpoint-4"))
    assert len(RunFolder(tmp_path / "run").segments("ledger")) == 2
    assert same_rows(tmp_path / "run", whole)


def test_ledger_as_csv(tiny_run):
    sink = io.BytesIO()
    recording = Recording(tiny_run)
    write_csv(recording, "ledger", sink)
    table = pandas.read_csv(io.BytesIO(sink.getvalue()))
    assert table.columns.tolist() == ["step", "sample", "part", "module", "credit"]
    ledger = recording.ledger()
    assert len(table) == 8 * (len(ledger.places) + 1)
    probes = recording.probes()
    changes = np.diff((probes.start_loss + probes.end_loss) / 2)
    sums = table.groupby("step")["credit"].sum()
    np.testing.assert_allclose(sums, changes, atol=1e-6)
    heads = table[table["part"] == "head"]["credit"]
    np.testing.assert_allclose(heads, ledger.credits[:, -1], rtol=1e-6)
    printed = command("huggin_utils.py", tiny_run, "--csv", "ledger", cwd=tiny_run)
    assert printed.stdout.startswith('"step","sample","part","module","credit"')


def test_a_recording_of_schema_2_has_no_ledger(tiny_run, tmp_path):
    run = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    for _, path in run.segments("ledger"):
        path.unlink()
    facts = json.loads(run.facts.read_text())
    del facts["places"], facts["ledger_points"]
    run.facts.write_text(json.dumps(facts | {"schema_version": 2}))
    with pytest.raises(UserError, match="no table ledger: an older version of the toolkit"):
        Recording(run.path).ledger()
