"""The recording's round trip, cut tails, overlapping segments."""

import json
import os
import shutil
import subprocess
import sys
import weakref

import numpy as np
import pyarrow as pa
import pytest

from huggin.common.errors import UserError
from huggin.common.site import Site
from huggin.recording.exports import recording_summary
from huggin.recording.reader import PART, Recording, whole_batches
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import RecordingWriter
from tests.conftest import ROOT
from tests.recordings import window, write_run

HIDDEN = 4


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path)
    write_run(folder, HIDDEN, window(3))
    return folder


def weight(step, mark=0):
    return (np.arange(2 * HIDDEN) + 100 * step + 0.5 * mark).astype(np.float32)


def record(run, steps, mark=0, close=True):
    writer = RecordingWriter(run, HIDDEN)
    for step in steps:
        numbers = {"epoch": step / 10, "loss": float(mark), "learning_rate": 1e-3, "grad_norm": 2.0}
        writer.append(
            "steps", step=step, **numbers, weight=weight(step, mark), bias=np.zeros(2, np.float32)
        )
        logits = {
            "start_logits": np.full(3, step, np.float32),
            "end_logits": np.full(3, -step, np.float32),
        }
        losses = {"start_loss": 1.0, "end_loss": 2.0}
        if step % 2 == 0:
            writer.append(
                "probes",
                step=step,
                sample=0,
                **logits,
                **losses,
                predicted_start=1,
                predicted_end=2,
            )
            activations = np.arange(3 * HIDDEN, dtype=np.float16).reshape(3, HIDDEN) + step
            writer.append(
                "nodes", step=step, sample=0, layer=1, component="out", activations=activations
            )
    if close:
        writer.close()
    return writer


def test_round_trip(run):
    record(run, range(6))
    recording = Recording(run.path)
    assert recording.steps.step.tolist() == list(range(6))
    np.testing.assert_array_equal(recording.steps.weight[5], weight(5).reshape(2, HIDDEN))
    assert recording.steps.bias.shape == (6, 2)
    probes = recording.probes()
    assert probes.step.tolist() == [0, 2, 4]
    np.testing.assert_array_equal(probes.end_logits[2], [-4, -4, -4])
    nodes = recording.table("nodes")
    assert nodes["component"].to_pylist() == ["out"] * 3
    assert nodes["activations"].to_pylist()[1][2] == [10, 11, 12, 13]


def test_nodes_of_a_snapshot(run):
    record(run, range(4))
    nodes = Recording(run.path).nodes(2)
    expected = np.arange(3 * HIDDEN, dtype=np.float16).reshape(3, HIDDEN) + 2
    np.testing.assert_array_equal(nodes[Site(1, "out")], expected)
    with pytest.raises(
        UserError, match="^step 3: no snapshot of the nodes; there are some at 0, 2"
    ):
        Recording(run.path).nodes(3)


def test_a_nan_loss_stays_nan(run):
    record(run, [0], mark=float("nan"))
    assert np.isnan(Recording(run.path).steps.loss[0])


def test_rows_are_readable_while_they_are_written(run):
    record(run, range(3), close=False)
    assert len(Recording(run.path).steps.step) == 3


@pytest.mark.slow
def test_a_file_cut_anywhere_is_read_up_to_its_last_whole_row(run):
    record(run, range(3), close=False)
    path = run.segment("steps", 0)
    whole = path.read_bytes()
    for size in range(len(whole), 0, -7):
        path.write_bytes(whole[:size])
        recording = Recording(run.path)
        rows = recording.table("steps")["step"].to_pylist()
        assert rows == list(range(len(rows)))
        for step, row in zip(rows, recording.table("steps")["weight"].to_pylist()):
            assert row == weight(step).tolist()
    path.write_bytes(b"")
    assert len(Recording(run.path).table("steps")) == 0


def test_the_summary_counts_the_cut_tail(run):
    record(run, range(4), close=False)
    path = run.segment("steps", 0)
    row = path.stat().st_size // 4
    os.truncate(path, path.stat().st_size - 5)
    summary = recording_summary(run.path)
    assert (summary["first_step"], summary["last_step"], summary["steps"]) == (0, 2, 3)
    assert 0 < summary["dropped_tail_bytes"] <= row


def test_a_later_segment_wins_from_its_first_step_on(run):
    record(run, range(8), mark=1, close=False)
    record(run, range(5, 12), mark=2)
    recording = Recording(run.path)
    assert recording.steps.step.tolist() == list(range(12))
    assert recording.steps.loss.tolist() == [1] * 5 + [2] * 7
    assert recording.probes().step.tolist() == [0, 2, 4, 6, 8, 10]
    summary = recording_summary(run.path)
    assert (summary["segments"], summary["missing_steps"], summary["duplicate_steps"]) == (2, 0, 0)


def test_an_earlier_resume_supersedes_all_later_segments(run):
    """After a torn checkpoint a run can go on from an earlier one than the last time."""
    record(run, range(10), mark=1)
    record(run, range(7, 12), mark=2)
    record(run, range(4, 9), mark=3)
    recording = Recording(run.path)
    assert recording.steps.step.tolist() == list(range(9))
    assert recording.steps.loss.tolist() == [1] * 4 + [3] * 5


def test_a_new_segment_without_probes_yet_still_hides_the_old_ones(run):
    record(run, range(9), mark=1)
    record(run, [5], mark=2)
    assert Recording(run.path).probes().step.tolist() == [0, 2, 4]


def test_steps_are_read_a_part_at_a_time(run, monkeypatch):
    record(run, range(3 * PART + 1), mark=1)
    record(run, range(2 * PART - 1, 3 * PART), mark=2)
    read, alive = [], []

    def watched(source):
        for batch in whole_batches(source):
            read.append(weakref.ref(batch))
            alive.append(sum(one() is not None for one in read))
            yield batch

    monkeypatch.setattr("huggin.recording.reader.whole_batches", watched)
    steps = Recording(run.path).steps
    assert max(alive) <= 2 * PART + 1
    assert steps.step.tolist() == list(range(3 * PART))
    assert steps.loss.tolist() == [1] * (2 * PART - 1) + [2] * (PART + 1)
    expected = [weight(step, steps.loss[step]).reshape(2, HIDDEN) for step in steps.step]
    np.testing.assert_array_equal(steps.weight, expected)


def test_rows_added_while_it_is_read_are_for_the_next_reading(tmp_path, monkeypatch):
    run, hidden = RunFolder(tmp_path), 768
    write_run(run, hidden)
    writer, numbers = (
        RecordingWriter(run, hidden),
        dict.fromkeys(("epoch", "loss", "learning_rate", "grad_norm"), 0.5),
    )

    def add(steps):
        for step in steps:
            writer.append(
                "steps", step=step, **numbers, weight=np.full(2 * hidden, step), bias=np.zeros(2)
            )

    def late(recording, name, rows=Recording.rows):
        add(range(20, 40))
        return rows(recording, name)

    add(range(20))
    with monkeypatch.context() as patched:
        patched.setattr(Recording, "rows", late)
        steps = Recording(run.path).steps
    assert 20 <= len(steps.step) < 40
    assert steps.weight[:, 1, -1].tolist() == list(range(len(steps.step)))
    assert len(Recording(run.path).steps.step) == 40


def test_reading_steps_takes_no_time_for_pandas(run):
    record(run, range(3))
    code = (
        "import sys; from huggin.recording import Recording;"
        "Recording(sys.argv[1]).steps; print('pandas' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, run.path], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == "False\n"


def test_a_gap_is_counted(run):
    record(run, [0, 1, 4])
    assert recording_summary(run.path)["missing_steps"] == 2


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda run: run.facts.unlink(), "nothing recorded here; run get-training-output first"),
        (lambda run: run.facts.write_text("{"), "its content: Invalid JSON"),
        (
            lambda run: run.facts.write_text(json.dumps({"schema_version": 99, "hidden_size": 4})),
            "schema 99, this",
        ),
        (
            lambda run: run.facts.write_text(json.dumps({"schema_version": 1})),
            "model_class: Field required",
        ),
        (lambda run: run.facts.write_text("[]"), "its content: Input should be"),
        (lambda run: None, "no steps recorded; run get-training-output first"),
    ],
)
def test_what_cannot_be_read_is_said(run, prepare, said):
    prepare(run)
    with pytest.raises(UserError, match=said):
        _ = Recording(run.path).steps


def test_no_such_folder(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        Recording(tmp_path / "nowhere")


def test_a_segment_of_another_run_of_the_same_size_is_refused(tiny_run, pretrained_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    shutil.copy(RunFolder(pretrained_run).segment("steps", 0), run.segment("steps", 0))
    with pytest.raises(UserError, match=r"steps-0\.arrow: recorded in another run"):
        _ = Recording(run.path).steps


def test_an_older_segment_without_an_id_is_read(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    path = RunFolder(tmp_path / "run").segment("steps", 0)
    rows = pa.ipc.open_stream(path.read_bytes()).read_all()
    with pa.ipc.new_stream(str(path), rows.schema.remove_metadata()) as stream:
        stream.write_table(rows.replace_schema_metadata())
    assert len(Recording(tmp_path / "run").steps.step) == len(rows)
