"""Fields that do not fit together are named, and nothing untrue is read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from huggin.common.errors import UserError
from huggin.recording.reader import Recording
from huggin.recording.results import (
    Answers,
    Efficacy,
    PartRewound,
    Rewound,
    keep_efficacy,
    keep_rewound,
    read_all_rewound,
    read_efficacy,
    read_evaluations,
    trained_on_in_words,
)
from huggin.recording.run_facts import id_of, read_facts
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import RecordingWriter
from tests.recordings import window, write_run

HIDDEN = 4


@pytest.fixture
def run(tmp_path) -> RunFolder:
    return write_run(tmp_path, HIDDEN, window(3))


def write(run: RunFolder, steps, hidden=HIDDEN, tokens=3, **changes) -> None:
    """Record steps with a probe each."""
    writer = RecordingWriter(run, hidden)
    for step in steps:
        numbers = {"epoch": 0.0, "loss": 1.0, "learning_rate": 1e-3, "grad_norm": 1.0}
        weight = np.zeros(2 * hidden, np.float32)
        writer.append(
            "steps", step=step, **numbers | changes, weight=weight, bias=np.zeros(2, np.float32)
        )
        logits = np.zeros(tokens, np.float32)
        losses = {"start_loss": 1.0, "end_loss": changes.get("loss", 1.0)}
        span = {"predicted_start": 1, "predicted_end": 1}
        writer.append(
            "probes", step=step, sample=0, start_logits=logits, end_logits=logits, **losses, **span
        )
    writer.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden_size": 0}, "hidden_size: Input should be greater than or equal to 1"),
        ({"layers": 0}, "layers: Input should be greater than or equal to 1"),
        ({"sites": [{"layer": 9, "component": "out"}]}, "sites.0.layer: 9 is not among the 2"),
        (
            {"sites": [{"layer": 1, "component": "x"}]},
            "sites.0.component: Input should be 'in', 'self'",
        ),
        ({"sites": [{"layer": 1, "component": "out"}] * 2}, "sites: one is there twice"),
        ({"samples": None}, "samples: Input should be a valid array"),
    ],
)
def test_facts_that_do_not_fit(run, change, said):
    facts = json.loads(run.facts.read_text())
    run.facts.write_text(json.dumps(facts | change))
    with pytest.raises(UserError, match=f"run.json: {said}"):
        read_facts(run)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gold_start": -1}, "gold_start -1, gold_end 1: not a span of the 3 tokens"),
        ({"gold_start": 2}, "gold_start 2, gold_end 1: not a span"),
        ({"gold_end": 3}, "gold_start 1, gold_end 3: not a span"),
        ({"gold_start": None}, "gold_start: Input should be a valid integer"),
        ({"tokens": []}, "tokens: there are none"),
        ({"parts": ["context"]}, "parts: 1 for 3 tokens"),
        ({"parts": ["answer"] * 3}, "parts: 'answer' is none of"),
        ({"inputs": {"input_ids": [1]}}, "inputs.input_ids: 1 for 3 tokens"),
    ],
)
def test_samples_that_do_not_fit(run, change, said):
    facts = json.loads(run.facts.read_text())
    facts["samples"][0] |= change
    run.facts.write_text(json.dumps(facts))
    with pytest.raises(UserError, match=f"samples.0.{said}"):
        read_facts(run)


def test_what_older_recordings_do_not_say_is_as_it_was_then(run):
    facts = json.loads(run.facts.read_text())
    for name in ("n_best_size", "max_answer_length", "ledger_points", "places", "has_lens"):
        facts.pop(name, None)
    run.facts.write_text(json.dumps(facts))
    read = read_facts(run)
    assert (read.n_best_size, read.max_answer_length) == (20, 30)
    assert (read.ledger_points, read.places, read.has_lens) == (0, [], False)


@pytest.mark.parametrize(
    ("trained_on", "begins"),
    [(0, ""), (3, " (3 of them from the training"), (8, " (all from the training")],
)
def test_a_score_says_how_many_of_its_questions_were_trained_on(trained_on, begins):
    said = trained_on_in_words(trained_on, asked=8)
    assert said.startswith(begins)
    assert bool(said) == bool(trained_on)


def test_a_segment_of_another_run(run):
    write(run, range(3), hidden=8)
    with pytest.raises(UserError, match=r"steps-0\.arrow: its columns are not those of this run"):
        _ = Recording(run.path).steps


def test_a_segment_with_another_name(run):
    write(run, range(3))
    run.segment("steps", 0).rename(run.segment("steps", 1))
    with pytest.raises(UserError, match=r"steps-1\.arrow: begins with step 0, its name says 1"):
        _ = Recording(run.path).steps


def test_steps_that_go_backwards(run):
    write(run, range(3))
    path = run.segment("steps", 0)
    rows = pa.ipc.open_stream(path.read_bytes()).read_all()
    with pa.ipc.new_stream(str(path), rows.schema) as stream:
        for row in (0, 2, 1):
            stream.write_table(rows.slice(row, 1).combine_chunks())
    with pytest.raises(UserError, match=r"step 1 comes after step 2; the file is damaged"):
        _ = Recording(run.path).steps


def test_losses_that_no_training_has(run):
    write(run, range(3), loss=1e308)
    with pytest.raises(UserError, match=r"steps: loss: 1e\+308 is more than float32 can hold"):
        _ = Recording(run.path).steps
    with pytest.raises(UserError, match=r"probes: end_loss: 1e\+308"):
        Recording(run.path).probes()


def test_infinite_losses_are_kept(run):
    write(run, range(3), loss=float("inf"))
    assert np.isinf(Recording(run.path).steps.loss).all()


def test_probes_of_another_length(run):
    write(run, range(3), tokens=5)
    with pytest.raises(UserError, match="sample 0: start_logits are not"):
        Recording(run.path).probes()


MEASURED = Efficacy(8, "ravens.json", 4, 2, 50.0, (15.0, 85.0), 60.0, (20.0, 90.0))
ONE = Answers([1.0], ["Odin"], [True])
REWOUND = Rewound(8, "ravens.json", 0, [0], ONE, ONE, [PartRewound("head", 4, 1.0, ONE, ONE)])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"correct": 9}, "0.correct: 9, trained_on: 0: more than the 4 questions"),
        ({"asked": 0, "correct": 0}, "0.asked: Input should be greater than or equal to 1"),
        ({"exact_match": 101.0}, "0.exact_match: Input should be less than or equal to 100"),
        ({"f1_interval": [9.0, 1.0]}, "0.f1: 60 is not within 9 to 1"),
        ({"step": -1}, "0.step: Input should be greater than or equal to 0"),
        ({"step": "8"}, "0.step: Input should be a valid integer"),
        ({"exact_match": 90.0}, "0.exact_match: 90 is not within 15 to 85"),
    ],
)
def test_measurements_that_cannot_be_true(tmp_path, change, said):
    run = RunFolder(tmp_path)
    keep_efficacy(run, MEASURED)
    assert read_efficacy(run) == [MEASURED]
    (entry,) = json.loads(run.efficacy.read_text())
    run.efficacy.write_text(json.dumps([entry | change]))
    with pytest.raises(UserError, match=f"efficacy.json: {said}"):
        read_efficacy(run)


def test_measurements_of_another_run(tiny_run, tmp_path):
    """Both files, copied out of another run's folder; those of an older version name no run."""
    run = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    older = RunFolder(tmp_path / "older")
    keep_efficacy(older, MEASURED)
    shutil.copy(older.efficacy, run.efficacy)
    assert read_efficacy(run) == [MEASURED]
    keep_efficacy(run, MEASURED)
    keep_rewound(run, REWOUND)
    assert (read_efficacy(run)[0].run_id, read_all_rewound(run)[0].run_id) == (
        id_of(run),
        id_of(run),
    )
    for path, read in ((run.efficacy, read_efficacy), (run.rewound, read_all_rewound)):
        entries = json.loads(path.read_text())
        path.write_text(json.dumps([entry | {"run_id": "of another"} for entry in entries]))
        with pytest.raises(UserError, match=f"{path.name}: measured in another run; delete"):
            read(run)


NEWER = [
    ("lens", "lens of sample 0: end_logits are not", lambda lists: [*lists[:-1], lists[-1][:-1]]),
    ("layers", "layers: norms are not 4 numbers", lambda lists: [*lists[:-1], lists[-1][:-1]]),
    ("questions", "questions: half a window", lambda lists: [*lists[:-1], lists[-1][:-1]]),
    ("lens", "lens: a probe lacks a layer", lambda lists: lists[:-1]),
]


@pytest.mark.parametrize(("table", "said", "change"), NEWER)
def test_damaged_rows_of_the_newer_tables(tiny_run, tmp_path, table, said, change):
    run = RunFolder(Path(shutil.copytree(tiny_run, tmp_path / "run")))
    path = run.segment(table, 0)
    rows = pa.ipc.open_stream(path.read_bytes()).read_all()
    lists = change(rows[rows.column_names[-1]].to_pylist())
    rows = rows.slice(0, len(lists))
    last = pa.array(lists, rows.schema.types[-1])
    rows = rows.set_column(len(rows.column_names) - 1, rows.schema.field(-1), last)
    with pa.ipc.new_stream(str(path), rows.schema) as stream:
        stream.write_table(rows)
    with pytest.raises(UserError, match=f"{said}.*delete it, or record the run again"):
        read = Recording(run.path)
        _ = read.lens() if table == "lens" else getattr(read, table)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("trainer_state.json", {"log_history": [3]}),
        ("trainer_state.json", {"log_history": [{"eval_exact_match": "x", "step": []}]}),
        ("eval_results.json", {"step": 8, "eval_exact_match": 1e308, "eval_f1": 0}),
        (
            "eval_results.json",
            {"step": 8, "eval_exact_match": 1e308, "eval_f1": -1, "eval_samples": 2},
        ),
    ],
)
def test_evaluations_that_cannot_be_true(tmp_path, name, content):
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"{name}: .*; run run_qa.py again"):
        read_evaluations(RunFolder(tmp_path))
