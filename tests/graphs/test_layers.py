"""Figures of layers, gradients and questions: what is drawn is what was recorded."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from huggin.analysis.lens import layer_answers, probabilities
from huggin.common.errors import BadValue
from huggin.graphs.logits import draw_layers, draw_layers_over_time, layer_ticks
from huggin.graphs.parts import draw_gradients, draw_ledger
from huggin.graphs.questions import draw_passes
from huggin.graphs.style import log_scale, new_figure
from huggin.recording.reader import Recording
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import RecordingWriter
from tests.conftest import ROOT, command
from tests.recordings import window, write_run

LAYER_FIGURES = ["layers", "layers-over-time", "gradients", "ledger"]
QUESTION_FIGURES = ["questions-kind", "questions-length", "questions-place", "questions-passes"]


@pytest.fixture
def run(pretrained_run, tmp_path) -> Path:
    """A copy of a finished run with three tracked samples."""
    return Path(shutil.copytree(pretrained_run, tmp_path / "run"))


def is_drawn(path: Path) -> bool:
    with Image.open(path) as picture:
        return min(picture.size) > 400 and len(set(picture.convert("L").getdata())) > 20


@pytest.mark.slow
def test_the_commands_draw_and_print(run):
    done = command("graph-layers", "run", cwd=run.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert "sample 0: the head is " in done.stdout
    assert "share of the square" in done.stdout
    assert "The loss changed by -" in done.stdout
    assert "part        net (nats)" in done.stdout
    done = command("graph-questions", "run", cwd=run.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert "over 4 passes: " in done.stdout
    assert "Who owns the ravens? -> Odin" in done.stdout
    for name in [*LAYER_FIGURES, *QUESTION_FIGURES]:
        assert is_drawn(run / "graphs" / f"{name}.png")


@pytest.mark.slow
def test_another_sample_step_format_and_part(run):
    words = ["--sample", "2", "--step", "4", "--format", "svg", "--part", "layer 2"]
    done = command("graph-layers", "run", *words, cwd=run.parent)
    assert done.returncode == 0, done.stderr
    for name in ("layers-step-4-sample-2", "layers-over-time-sample-2", "gradients"):
        assert "<svg" in (run / "graphs" / f"{name}.svg").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["graph-layers", "run", "--step", "99"], "--step 99: not probed; the nearest probe"),
        (["graph-layers", "run", "--step", "1" + 30 * "0"], "not probed; the nearest probe"),
        (["graph-layers", "run", "--sample", "3"], "--sample 3: run tracks 0 to 2"),
        (["graph-layers", "run", "--part", "tail"], "--part tail: choose from embeddings, "),
        (["graph-questions", "run", "--by", "colour"], "--by colour: "),
        (["graph-questions", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_refusals(run, words, said):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    done = command(*words, cwd=run.parent)
    assert done.returncode == 2
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    (line,) = done.stderr.splitlines()
    assert said in line


def test_own_kinds(run):
    done = command("graph-questions", "run", "--by", "title", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert "by title" in done.stdout
    assert "Ravens" in done.stdout
    assert (run / "graphs" / "questions-own.png").exists()
    assert not (run / "graphs" / "questions-kind.png").exists()


def test_without_the_texts_the_index_is_all(run):
    path = run / "recording" / "run.json"
    facts = json.loads(path.read_text())
    facts["cfg"]["train_file"] = "gone.json"
    path.write_text(json.dumps(facts))
    done = command("graph-questions", "run", cwd=run.parent)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "no texts, so no kinds are drawn: gone.json: no such file any more" in line
    assert (run / "graphs" / "questions-all.png").exists()
    assert "Odin" not in done.stdout
    refused = command("graph-questions", "run", "--by", "title", cwd=run.parent)
    assert refused.returncode == 2


@pytest.mark.slow
def test_side_by_side(tiny_run, run):
    shutil.copytree(tiny_run, run.parent / "other")
    for name in ("layers", "questions"):
        done = command(f"graph-{name}.py", "run", "other", cwd=run.parent)
        assert (done.returncode, done.stderr) == (0, "")
    for name in [*LAYER_FIGURES, *QUESTION_FIGURES]:
        assert is_drawn(run / "graphs" / f"{name}-side-by-side.png")


def test_maps_are_the_probabilities_of_the_recorded_logits(pretrained_run):
    recording = Recording(pretrained_run)
    lens = recording.lens(1)
    (figure,) = draw_layers(recording, sample=1).values()
    maps = [axes.collections for axes in figure.axes if "layer" in axes.get_ylabel()]
    drawn = [max(found, key=lambda one: one.get_zorder()).get_array() for found in maps]
    expected = [
        probabilities(logits[place])
        for logits in (lens.start_logits, lens.end_logits)
        for place in (0, 4, 8)
    ]
    assert len(drawn) == 6
    for one, other in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_map_over_time_and_its_line(pretrained_run):
    recording = Recording(pretrained_run)
    found = layer_answers(recording)
    (figure,) = draw_layers_over_time(recording).values()
    np.testing.assert_array_equal(
        figure.axes[1].collections[0].get_array(), found.probability[:, 1].T
    )
    (line,) = figure.axes[0].patches
    np.testing.assert_array_equal(line.get_data().values, found.lowest_right)


def test_the_norms_that_are_drawn(pretrained_run):
    recording = Recording(pretrained_run)
    (figure,) = draw_gradients(recording, parts=["head"]).values()
    heat, lines = figure.axes[:2]
    np.testing.assert_allclose(
        heat.collections[0].get_array(), np.log10(recording.layers.norms.T), rtol=1e-5
    )
    np.testing.assert_allclose(lines.lines[0].get_ydata(), recording.layers.norms[:, -1], rtol=1e-6)
    with pytest.raises(BadValue):
        draw_gradients(recording, parts=["layer 12"])


def test_lines_of_all_runs_are_whole(tmp_path):
    for name, norm in (("a", 2.0), ("b", 1e-4)):
        run = write_run(tmp_path / name, 4, window())
        run.facts.write_text(json.dumps(json.loads(run.facts.read_text()) | {"parts": ["p"]}))
        writer = RecordingWriter(run, 4)
        weight = np.zeros(8, np.float32)
        numbers = {"epoch": 0.0, "learning_rate": 0.0, "loss": 0.0, "grad_norm": 0.0}
        for step in range(3):
            writer.append("steps", step=step, weight=weight, bias=weight[:2], **numbers)
            writer.append("layers", step=step, norms=np.array([norm * (1 + step)], np.float32))
        writer.close()
    (figure,) = draw_gradients(Recording(tmp_path / "a"), Recording(tmp_path / "b")).values()
    lines = [axes for axes in figure.axes if axes.get_yscale() == "log"]
    assert len(lines) == 2
    for axes in lines:
        low, high = axes.get_ylim()
        assert low <= 1e-4
        assert high >= 6


def test_the_ledger_that_is_drawn(pretrained_run, tiny_run):
    """The map has the credits by part, the bars their sums, the line the loss."""
    recording = Recording(pretrained_run)
    (figure,) = draw_ledger(recording, sample=1).values()
    parts, bars, loss = figure.axes[:3]
    credits = recording.ledger(1).credits
    layer_1 = [place.part == "layer 1" for place in recording.facts.places]
    shown = parts.collections[0].get_array().reshape(4, 8)
    np.testing.assert_allclose(shown[1], credits[:, layer_1].sum(axis=1), rtol=1e-4, atol=1e-6)
    together = [bar.get_width() for bar in bars.containers[2]]
    lowered, raised = ([bar.get_width() for bar in bars.containers[at]] for at in (0, 1))
    np.testing.assert_allclose(together, np.add(lowered, raised), atol=1e-6)
    probes = recording.probes(1)
    both = (probes.start_loss + probes.end_loss) / 2
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), both)
    assert sum(together) == pytest.approx(both[-1] - both[0], abs=0.01)
    assert list(draw_ledger(recording, Recording(tiny_run))) == ["ledger-side-by-side"]


def test_a_recording_without_a_ledger_draws_the_rest(tiny_run, tmp_path):
    copy = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    for _, path in copy.segments("ledger"):
        path.unlink()
    done = command("graph-layers", copy.path, cwd=tmp_path)
    assert done.returncode == 0
    assert "huggin graph-layers: " in done.stderr and "no table ledger" in done.stderr
    assert (copy.graphs / "gradients.png").exists()
    assert not (copy.graphs / "ledger.png").exists()


def test_frozen_parts_are_said(tmp_path):
    run = write_run(tmp_path, 4, window())
    run.facts.write_text(json.dumps(json.loads(run.facts.read_text()) | {"parts": ["a", "b"]}))
    writer = RecordingWriter(RunFolder(tmp_path), 4)
    for step in (1, 2):
        writer.append("layers", step=step, norms=np.array([0, 2], np.float32))
    writer.close()
    (figure,) = draw_gradients(Recording(tmp_path)).values()
    assert "frozen, so without a gradient (grey): a" in figure.axes[0].get_title(loc="left")
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["a (frozen)", "b"]


def test_one_pass_has_no_figure(tmp_path):
    write_run(tmp_path, 4, window())
    writer = RecordingWriter(RunFolder(tmp_path), 4)
    writer.append("questions", step=1, windows=np.array([0, 0, 1, 1, 0], np.float32))
    writer.close()
    assert draw_passes(Recording(tmp_path)) == {}


def test_ticks_of_layers():
    assert layer_ticks(3) == [0, 1, 2]
    assert layer_ticks(13) == [0, 2, 4, 6, 8, 10, 12]
    assert layer_ticks(25) == [0, 4, 8, 12, 16, 20, 24]


@pytest.mark.parametrize("values", [[2, 3, 4], [0.02, 0.05], [1e-4, 1e3]])
def test_labels_of_a_log_scale_are_no_formulas(values):
    """`text.parse_math` is off, so that a formula would be drawn as it is written."""
    figure = new_figure(4, 3, "A log scale")
    axes = figure.subplots()
    log_scale(axes)
    axes.plot(values)
    FigureCanvasAgg(figure).draw()
    labels = [text.get_text() for text in axes.get_yticklabels() + axes.get_yticklabels(minor=True)]
    assert [label for label in labels if "$" in label] == []
    assert any(float(label) >= min(values) for label in labels if label)


@pytest.mark.slow
def test_no_torch_is_loaded_for_layers(run):
    code = (
        "import sys; from huggin.commands.graph_layers import main; main(sys.argv[1:])\n"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    line = [sys.executable, "-c", code, run]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
