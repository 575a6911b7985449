"""What other tools are given: CSV, and events for TensorBoard."""

import io
import shutil

import numpy as np
import pandas
import pyarrow
import pytest
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event

from huggin.common.site import Site
from huggin.recording.exports import write_csv
from huggin.recording.reader import Recording
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import TABLES, RecordingWriter
from huggin.recording.tensorboard import FILE, HISTOGRAMS, write_events
from tests.conftest import command
from tests.recordings import window, write_run

HIDDEN = 3
ODD = [1 / 3, 1e-8, -0.0, np.nan, np.inf, 3.4028235e38]


@pytest.fixture
def recording(tmp_path):
    """300 steps of three nodes, two samples of different length, numbers that are hard to print."""
    run = RunFolder(tmp_path / "run")
    write_run(run, HIDDEN, window(), window(2))
    writer = RecordingWriter(run, HIDDEN)
    for step in range(300):
        numbers = {
            "epoch": step / 7,
            "loss": np.nan if step == 0 else 1 / (1 + step),
            "learning_rate": 1e-3 / 3,
        }
        weight, bias = (
            np.array(ODD, np.float32) * np.float32(1 - step / 1000),
            np.array([step, 1 / 3], np.float32),
        )
        writer.append("steps", step=step, **numbers, grad_norm=2.0, weight=weight, bias=bias)
    for step in (0, 299):
        for sample, tokens in ((0, 4), (1, 2)):
            logits = np.arange(tokens, dtype=np.float32) / 3 + step
            spans = {
                "start_loss": 0.1 + step,
                "end_loss": 0.2,
                "predicted_start": 1,
                "predicted_end": -1,
            }
            writer.append(
                "probes", step=step, sample=sample, start_logits=logits, end_logits=-logits, **spans
            )
            units = (np.arange(tokens * HIDDEN).reshape(tokens, HIDDEN) / 7 + sample).astype(
                np.float16
            )
            writer.append(
                "nodes", step=step, sample=sample, layer=2, component="out", activations=units
            )
    writer.close()
    return Recording(run.path)


def read_back(recording, name, types=None):
    sink = io.BytesIO()
    write_csv(recording, name, sink)
    return pandas.read_csv(io.BytesIO(sink.getvalue()), dtype=types)


def test_steps_come_back_bit_for_bit(recording):
    frame = read_back(recording, "steps", types=float)
    names = [f"{head}_weight_{node}" for head in ("start", "end") for node in range(HIDDEN)]
    weight = frame[names].to_numpy(np.float32)
    assert len(frame) == 300
    np.testing.assert_array_equal(weight, recording.steps.weight.reshape(300, -1))
    np.testing.assert_array_equal(np.signbit(weight[:, 2]), True)
    np.testing.assert_array_equal(
        frame[["start_bias", "end_bias"]].to_numpy(np.float32), recording.steps.bias
    )
    for name in ("step", "epoch", "loss", "learning_rate", "grad_norm"):
        np.testing.assert_array_equal(frame[name], getattr(recording.steps, name))


def test_probes_have_a_row_per_token(recording):
    frame = read_back(recording, "probes")
    assert frame["token"].tolist() == [0, 1, 2, 3, 0, 1] * 2
    assert frame["sample"].tolist() == [0, 0, 0, 0, 1, 1] * 2
    second = frame[(frame["sample"] == 1) & (frame["step"] == 299)]
    np.testing.assert_array_equal(
        second["end_logit"].to_numpy(np.float32), recording.probes(1).end_logits[1]
    )
    assert set(second["start_loss"]) == {299.1}


def test_nodes_have_a_row_per_token(recording):
    frame = read_back(recording, "nodes")
    assert frame.columns.tolist() == [
        "step",
        "sample",
        "layer",
        "component",
        "token",
        "node_0",
        "node_1",
        "node_2",
    ]
    chosen = frame[(frame["sample"] == 1) & (frame["step"] == 299)]
    nodes = chosen[["node_0", "node_1", "node_2"]].to_numpy(np.float16)
    np.testing.assert_array_equal(nodes, recording.nodes(299, sample=1)[Site(2, "out")])


@pytest.mark.slow
def test_a_long_table_is_never_held_at_once(tmp_path):
    run, hidden, tokens = RunFolder(tmp_path), 256, 200
    write_run(run, hidden)
    writer = RecordingWriter(run, hidden)
    units = np.ones((tokens, hidden), np.float16)
    for step in range(200):
        writer.append("nodes", step=step, sample=0, layer=1, component="out", activations=units)
    writer.close()
    recording, sizes = Recording(tmp_path), []

    class Sink(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            sizes.append(pyarrow.total_allocated_bytes() - before)
            return len(data)

    before = pyarrow.total_allocated_bytes()
    write_csv(recording, "nodes", Sink())
    assert max(sizes) < run.segment("nodes", 0).stat().st_size / 2  # 20 MB


def test_csv_as_a_command(tiny_run, tmp_path):
    done = command("huggin_utils.py", tiny_run, "--csv", "steps", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + 9
    assert lines[0].startswith('"step","epoch","loss","learning_rate","grad_norm","start_weight_0"')
    wrong = command("huggin_utils.py", tiny_run, "--csv", "losses", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_an_empty_table_is_said(tmp_path):
    write_run(tmp_path, HIDDEN)
    done = command("huggin_utils.py", tmp_path, "--csv", "nodes", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no nodes recorded; run get-training-output first" in done.stderr


def values_by_tag(folder):
    """{tag: {step: value}} of an event file."""
    found = {}
    for data in RawEventFileLoader(str(folder / FILE)).Load():
        event = Event.FromString(data)
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value
    return found


@pytest.mark.slow
def test_events(recording, tmp_path):
    path = write_events(recording, tmp_path / "events")
    found = values_by_tag(tmp_path / "events")
    losses = {step: value.simple_value for step, value in found["training/loss"].items()}
    assert losses == {step: np.float32(1 / (1 + step)) for step in range(1, 300)}
    assert found["tracked sample 1/start loss"][299].simple_value == np.float32(299.1)
    histograms = {step: value.histo for step, value in found["head/start weight"].items()}
    assert len(histograms) == HISTOGRAMS
    assert {0, 299} <= set(histograms)
    assert (histograms[0].num, sum(histograms[0].bucket)) == (3, 3)
    assert histograms[0].max == pytest.approx(1 / 3)
    assert len(histograms[0].bucket_limit) == len(histograms[0].bucket)
    assert found["head/end weight"][0].histo.num == 1  # NaN and infinity left out
    whole = path.read_bytes()
    write_events(recording, tmp_path / "events")  # a second export takes the first one's place
    assert path.read_bytes() == whole
    assert [entry.name for entry in path.parent.iterdir()] == [FILE]


def test_events_are_whole_or_absent(recording, tmp_path, monkeypatch):
    monkeypatch.setattr("huggin.recording.tensorboard._scalars", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_events(recording, tmp_path / "events")
    assert list((tmp_path / "events").iterdir()) == []


def test_events_as_a_command_with_the_figures(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    assert command("graph-losses.py", run, cwd=tmp_path).returncode == 0
    figure = run / "graphs" / "losses.png"
    shutil.copy(figure, figure.with_name(".1-losses.png"))  # as a killed process leaves one
    done = command("huggin_utils.py", run, "--tensorboard", "events/tiny", cwd=tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"events/tiny/{FILE}\n")
    found = values_by_tag(tmp_path / "events" / "tiny")
    assert [tag for tag in found if tag.startswith("figures/")] == ["figures/losses"]
    image = found["figures/losses"][8].image
    assert image.encoded_image_string == figure.read_bytes()
    assert image.width > image.height > 100


def test_every_table_can_be_printed(tiny_run):
    for table in TABLES:
        done = command("huggin_utils.py", tiny_run, "--csv", table, cwd=tiny_run)
        assert (done.returncode, done.stderr) == (0, ""), table
        assert done.stdout.startswith('"step"'), table
