"""huggin.teachers: the planted teacher is first, the poisoned question the first opponent."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForQuestionAnswering,
    Trainer,
    TrainingArguments,
)

from huggin.analysis.teachers import Pushes, rank_teachers, taught_by
from huggin.asking.answering import TrainedModel
from huggin.asking.gradients import denominators, pushes_at_checkpoints
from huggin.asking.teachers import COLUMNS, teachers
from huggin.common.errors import UserError
from huggin.graphs.teachers import draw_teachers
from huggin.qa.arguments import DataArguments
from huggin.qa.features import padded, track_sample, training_features
from huggin.qa.questions import load_questions
from huggin.qa.records import training_records
from huggin.recording.callback import RecorderCallback
from huggin.recording.reader import Recording
from huggin.recording.schema import RecordingWriter
from tests.conftest import LETTERS, TOKENIZER, command, record
from tests.recordings import window, write_run

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    return Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("teachers") / "run"))


def gradients_of(model, window):
    """Of a window's loss by each weight."""
    inputs = {name: torch.tensor([ids]) for name, ids in window.inputs.items()}
    golds = {"start_positions": window.gold_start, "end_positions": window.gold_end}
    loss = model(**inputs, **{name: torch.tensor([gold]) for name, gold in golds.items()}).loss
    weights = dict(model.named_parameters())
    return dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))


def pushed(*rows):
    step, index, push = map(np.array, zip(*rows, strict=True))
    return Pushes(step, index, push.astype(float))


def test_pushes_are_added_up_and_ranked():
    records = [record(at, f"what is {name} ?", "a") for at, name in enumerate("wxyz")]
    records[3] = record(3, "where ?", "d", context="d e f")
    asked = {**record(9, "who is x ?", "a"), "id": "9"}
    rows = [(1, 0, 0.5), (2, 0, -0.2), (1, 1, 0.4), (3, 1, 0.3), (2, 3, -0.1), (4, 3, -0.6)]
    found = rank_teachers(pushed(*rows), records, asked)
    assert [each.index for each in found] == [1, 0, 3]
    assert [each.push for each in found] == pytest.approx([0.7, 0.3, -0.7])
    assert [each.step for each in found] == [1, 1, 4]
    assert [each.seen for each in found] == [2, 2, 2]
    assert found[0].same == ["context", "answer"]
    assert found[0].words == ["x"]  # the others are in most questions
    assert found[2].shares == ""
    assert found[2].sentence == "d e f"


def test_the_same_question_about_another_text_shares_the_question():
    records = [record(0, "who is x ?", "b", context="b c")]
    asked = {**record(9, "who is x ?", "a"), "id": "9"}
    [teacher] = rank_teachers(pushed((1, 0, 0.5)), records, asked)
    assert teacher.shares == "same question"


def test_the_question_itself_is_no_teacher_of_its_own():
    records = [record(0, "x ?", "Odin"), record(1, "y ?", "Odin")]
    found = rank_teachers(pushed((1, 0, 5.0), (1, 1, 1.0)), records, records[0])
    assert [each.index for each in found] == [1]


def test_what_was_recorded_at_every_step(run, records):
    found = teachers(run)
    recording = Recording(run)
    sums = np.bincount(recording.questions.index, recording.pointers[:, 1])
    others = sorted({0, 1, 2, 3} - {recording.tracked().index}, key=lambda at: -sums[at])
    assert [each.index for each in found.teachers] == others
    for each in found.teachers:
        assert each.push == pytest.approx(sums[each.index])
        assert each.question == records[each.index]["question"]
        assert each.same[0] == "context"
    assert teachers(run, elsewhere=True).teachers == []
    assert "left out" in teachers(run, elsewhere=True).in_words()
    assert "<b>" not in found._repr_html_()


def test_at_checkpoints_as_autograd_has_it(run):
    """Each checkpoint's gradients, by the head and by all weights, scaled by hand."""
    recording = Recording(run)
    records = load_questions(TrainedModel.load(run, "cpu").data, "train")
    asked = recording.tracked()
    found = {
        whole: pushes_at_checkpoints(recording, asked, records, [1, 2], CPU, whole)
        for whole in (False, True)
    }
    steps = recording.steps
    before = 0
    for step in (3, 6, 8):
        folder = recording.run.checkpoint(step)
        trained = TrainedModel.in_folder(recording.run, folder, TrainedModel.load(run).data, CPU)
        model, weights = trained.model, dict(trained.model.named_parameters())
        scale = denominators(folder, trained)
        rates = steps.learning_rate[(steps.step > before) & (steps.step <= step)].sum()
        before = step

        own = gradients_of(model, asked)
        for place, index in enumerate((1, 2)):
            window = track_sample(records[index], index, trained.tokenizer, trained.data)
            other = gradients_of(model, window)
            products = {
                name: float((own[name] * other[name] / scale[name]).sum()) * rates / len(records)
                for name in weights
            }
            for whole, names in ((False, ["qa_outputs.weight"]), (True, list(weights))):
                pushes = found[whole]
                at = (pushes.step == step) & (pushes.index == index)
                assert pushes.push[at].sum() == pytest.approx(
                    sum(products[name] for name in names), rel=1e-3, abs=1e-9
                ), (step, place)


def test_denominators_belong_to_their_weights(run):
    """An optimizer that is made anew as the Trainer makes it, with the checkpoint's state."""
    recording = Recording(run)
    folder = recording.run.checkpoint(8)
    trained = TrainedModel.in_folder(recording.run, folder, TrainedModel.load(run).data, CPU)
    arguments = TrainingArguments(str(run / "unused"), use_cpu=True, report_to=[])
    optimizer = Trainer(trained.model, arguments).create_optimizer()
    optimizer.load_state_dict(torch.load(folder / "optimizer.pt", weights_only=True))
    found = denominators(folder, trained)
    for name, weight in trained.model.named_parameters():
        squares = optimizer.state[weight]["exp_avg_sq"] / (1 - 0.999**8)
        torch.testing.assert_close(found[name], squares.sqrt() + 1e-8)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["9", "--split", "validation"], "INDEX|index 9: the validation data has 0 to 3"),
        (["--question", "z ?"], "--question and --context: give both"),
        (
            ["--question", "z ?", "--context", "a b", "--answer", "q"],
            "--answer q: not in the context",
        ),
        (["--export", "a.xls"], "--export a.xls: must end in one of .csv, .jsonl, .json"),
    ],
)
def test_bad_input_gets_one_line(run, words, problem):
    done = command("teachers", run, *words, cwd=run.parent)
    assert done.returncode == 2
    assert any(each in done.stderr for each in problem.split("|"))


def test_the_command_prints_draws_and_writes(run):
    words = ("--exact", "1", "--export", "teachers.csv")
    done = command("teachers", run, *words, cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert "proponents, which lowered its loss by so many nats" in done.stdout
    assert "exact: by the gradients of all weights, at the checkpoints 3, 6, 8" in done.stdout
    assert (run / "graphs" / "teachers.png").is_file()
    rows = list(csv.DictReader((run.parent / "teachers.csv").open()))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 2
    own = ("--question", "what is here ?", "--context", "a b c d", "--json")
    done = command("teachers", run, *own, cwd=run.parent)
    found = json.loads(done.stdout)
    assert found["answer"] in "a b c d"
    assert len(found["teachers"]) == 4


def test_a_figure_has_a_line_for_each(run):
    figure = draw_teachers(teachers(run))["teachers"]
    assert len(figure.axes[0].lines) == 3
    np.testing.assert_allclose(
        sorted(line.get_ydata()[-1] for line in figure.axes[0].lines),
        sorted(each.push for each in teachers(run).teachers),
        rtol=1e-5,
    )


def test_a_recording_without_pointers_says_so(tmp_path):
    run = write_run(tmp_path / "run", 2, window())
    writer = RecordingWriter(run, 2)
    numbers = dict.fromkeys(("epoch", "loss", "learning_rate", "grad_norm"), 0.5)
    writer.append("steps", step=0, **numbers, weight=np.zeros(4), bias=np.zeros(2))
    writer.close()
    with pytest.raises(UserError, match="trained with pointers false, or before"):
        assert Recording(run.path).pointers


@pytest.fixture(scope="module")
def planted(made_once):
    """A run whose tracked question i says the same as training question i of 16, about a context
    that goes on a little; training question 16 is number 2 again, with a wrong answer.
    """

    def make(folder):
        tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
        names = LETTERS.split()
        known = [record(at, f"{name} ?", name, LETTERS) for at, name in enumerate(names)]
        known.append(record(16, "c ?", "m", LETTERS))
        asked = [record(at, f"{name} ?", name, f"{LETTERS} q") for at, name in enumerate(names)]
        data = DataArguments(max_seq_length=48, doc_stride=8)
        samples = [track_sample(each, at, tokenizer, data) for at, each in enumerate(asked)]
        torch.manual_seed(0)
        sizes = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4}
        still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        config = BertConfig.from_pretrained(
            TOKENIZER, num_hidden_layers=2, initializer_range=0.15, **sizes, **still
        )
        rows = training_features(Dataset.from_list(known), tokenizer, data).to_list()
        features = [{**row, **known[row["record"]]} for row in rows]
        options = {"probe_points": 10, "node_points": 2, "ledger_points": 0}
        arguments = TrainingArguments(
            str(folder / "trainer"),
            max_steps=160,
            per_device_train_batch_size=6,
            learning_rate=1e-3,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            remove_unused_columns=False,
            disable_tqdm=True,
        )

        def collated(windows):
            names = (*tokenizer.model_input_names, "start_positions", "end_positions")
            return padded(tokenizer, [{name: row[name] for name in names} for row in windows])

        Trainer(
            BertForQuestionAnswering(config),
            arguments,
            train_dataset=features,
            data_collator=collated,
            callbacks=[RecorderCallback(folder / "run", samples, **options)],
        ).train()

    return made_once("planted", make) / "run"


@pytest.mark.slow
def test_the_planted_teacher_is_first(planted):
    """Sixteen different answers in one context: grep by context or kind would name all of them."""
    recording = Recording(planted)
    records = training_records(recording.cfg)
    own = [at for at in range(16) if at != 12]  # the poisoned one taught the answer "m", too
    taught = [taught_by(recording, records, at) for at in own]
    assert np.mean([each.losses[1][-1] for each in taught]) < 1.5  # of 2.8: they were taught
    first = [each.proponents(1)[0].index for each in taught]
    assert np.mean(np.array(first) == own) >= 0.95


@pytest.mark.slow
def test_a_poisoned_question_is_the_first_opponent(planted):
    recording = Recording(planted)
    taught = taught_by(recording, training_records(recording.cfg), 2)
    assert taught.opponents(1)[0].index == 16


def test_what_was_learned_before_the_oldest_checkpoint_cannot_be_told(run, monkeypatch):
    nothing = pushed((1, 0, 1e-9), (1, 1, -1e-9))
    monkeypatch.setattr("huggin.asking.teachers.pushes_at_checkpoints", lambda *_: nothing)
    found = teachers(run, question="Who has ravens?", context="Odin has ravens.", device="cpu")
    [note] = found.notes
    assert note.startswith("already learned at the oldest checkpoint, so nothing can be told")
