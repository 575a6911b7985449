"""The graph commands: files and text, from the recording alone."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import huggin
from huggin.analysis.nodes import NodeChoice, table_of_nodes
from huggin.common.errors import UserError
from huggin.graphs.logits import draw_logits
from huggin.graphs.losses import draw_losses
from huggin.graphs.runs import side_by_side
from huggin.graphs.tokens import Shown, token_figure, views_of
from huggin.graphs.weights import draw_weights
from huggin.recording.reader import Recording
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import RecordingWriter
from tests.conftest import ROOT, command
from tests.recordings import window, write_run

DOORS = {
    "graph-weights.py": ["weights"],
    "graph-losses.py": ["losses"],
    "graph-logits.py": ["logits", "sample-losses"],
}


@pytest.fixture
def run(tiny_run, tmp_path) -> Path:
    """A copy of the finished run that a test may write to."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_a_door_draws_its_figures(run, door):
    done = command(door, "run", "--format", "png,svg", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    for name in DOORS[door]:
        assert f"run/graphs/{name}.png" in done.stdout
        with Image.open(run / "graphs" / f"{name}.png") as picture:
            assert min(picture.size) > 500
            assert len(set(picture.convert("L").getdata())) > 20
        assert "<svg" in (run / "graphs" / f"{name}.svg").read_text()
    left = [path.name for path in (run / "graphs").iterdir() if path.name.startswith(".")]
    assert left == []


@pytest.mark.parametrize(
    ("door", "words", "said"),
    [
        ("graph-losses.py", ["nowhere"], "nowhere: no such folder"),
        ("graph-losses.py", ["."], "nothing recorded here; run get-training-output first"),
        ("graph-weights.py", ["run", "--node", "16"], "--node 16: the head has nodes 0 to 15"),
        ("graph-logits.py", ["run", "--format", "gif"], "--format gif: choose from png, svg, pdf"),
        ("graph-losses.py", ["run", "--colour"], "unrecognized arguments: --colour"),
        ("huggin_utils.py", ["nowhere"], "nowhere: no such folder"),
    ],
)
def test_refusals(run, door, words, said):
    done = command(door, *words, cwd=run.parent)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{door}: error: ")
    assert said in line
    assert not (run / "graphs").exists()


def test_spikes_are_of_a_single_run(run):
    other = shutil.copytree(run, run.parent / "other")
    with pytest.raises(UserError, match="one too many"):
        huggin.figures(run, "losses", [other], spikes=True)


def test_the_table_has_the_tracked_node_first(tiny_run):
    lines = table_of_nodes(Recording(tiny_run), NodeChoice(5)).splitlines()
    assert len(lines) == 12
    assert lines[11] == "ranked by share"
    assert lines[1].split()[0] == "5"


@pytest.mark.slow
def test_no_torch_and_no_transformers(tiny_run):
    code = (
        "import sys; from huggin.recording.reader import Recording;"
        "from huggin.graphs.logits import draw_logits;"
        "from huggin.graphs.losses import draw_losses;"
        "from huggin.graphs.weights import draw_weights; import huggin.pages.pdf;"
        f"r = Recording({str(tiny_run)!r}); draw_logits(r), draw_losses(r), draw_weights(r);"
        "print([name for name in ('torch', 'transformers', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_what_is_drawn_is_what_was_recorded(tiny_run):
    recording = Recording(tiny_run)
    axes = draw_losses(recording)["losses"].axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), recording.steps.loss)
    panels = draw_weights(recording)["weights"].axes
    weight = recording.steps.weight
    for column in (0, 1):  # start, end; after above, change below
        (after,) = [line for line in panels[column].lines if line.get_marker() == "."]
        (change,) = [line for line in panels[2 + column].lines if line.get_marker() == "."]
        np.testing.assert_array_equal(after.get_xdata(), weight[0, column])
        np.testing.assert_array_equal(after.get_ydata(), weight[-1, column])
        np.testing.assert_allclose(change.get_ydata(), weight[-1, column] - weight[0, column])
    start, end = draw_logits(recording)["logits"].axes
    (last,) = (line for line in start.lines if line.get_label() == "step 8")
    np.testing.assert_array_equal(last.get_ydata(), recording.probes().start_logits[-1])
    labels = [label.get_text() for label in end.get_xticklabels()]
    assert labels == recording.facts.samples[0].tokens


@pytest.fixture
def long_run(tmp_path) -> RunFolder:
    """One step, 384 tokens, hostile text."""
    run = RunFolder(tmp_path / "long")
    tokens = 384
    sample = window(
        question="What is $x_1^{$ \\frac{ & <b>?\n" * 9,
        tokens=["[CLS]", "$a$", "<&>", *[f"t{n}" for n in range(tokens - 3)]],
        parts=["special", *["question"] * 5, *["context"] * (tokens - 6)],
        gold_start=380,
        gold_end=383,
    )
    write_run(run, 8, sample)
    writer = RecordingWriter(run, 8)
    numbers = dict.fromkeys(("epoch", "loss", "learning_rate", "grad_norm"), float("nan"))
    writer.append(
        "steps", step=0, **numbers, weight=np.zeros(16, np.float32), bias=np.zeros(2, np.float32)
    )
    logits = np.linspace(-1, 1, tokens, dtype=np.float32)
    span = {"predicted_start": -1, "predicted_end": -1}
    writer.append(
        "probes",
        step=0,
        sample=0,
        start_logits=logits,
        end_logits=logits,
        start_loss=1.0,
        end_loss=1.0,
        **span,
    )
    writer.close()
    return run


@pytest.mark.slow
def test_the_backend_of_a_notebook_is_none_of_ours(run):
    environment = {**os.environ, "MPLBACKEND": "nonsense"}
    done = command("graph-losses.py", "run", cwd=run.parent, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert (run / "graphs" / "losses.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_a_run_of_no_steps_yet_with_384_hostile_tokens(long_run, door):
    done = command(door, long_run.path, cwd=long_run.path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_long_samples_are_enlarged_around_the_answer(long_run):
    axes = draw_logits(Recording(long_run.path))["logits"].axes
    assert len(axes) == 4
    labels = [label.get_text() for label in axes[3].get_xticklabels()]
    assert labels[-1] == "t380"
    assert 15 < len(labels) < 60


def test_both_answers_are_enlarged(long_run):
    window = Recording(long_run.path).tracked()
    near = Shown(window, has_prediction=True, start=340, end=341)
    assert views_of(near) == [range(384), range(320, 384)]
    far = Shown(window, has_prediction=True, start=20, end=21)
    assert views_of(far) == [range(384), range(8, 34), range(368, 384)]
    assert views_of(Shown(window)) == [range(384), range(360, 384)]
    no_answer = Shown(replace(window, gold_start=0, gold_end=0))
    assert views_of(no_answer) == [range(384), range(21)]


def test_the_models_answer_is_named(long_run):
    window = Recording(long_run.path).tracked()
    shown = [Shown(window, has_prediction=True, start=20, end=21)]
    beside = side_by_side([Recording(long_run.path)])
    figure, _ = token_figure("title", shown, beside, rows=1, height=3)
    whole, around_model, around_gold = [axes.get_xlabel() for axes in figure.axes]
    assert whole == (
        "token's place (enlarged on the right; true answer: 380 to 383; model's: 20 to 21)"
    )
    assert around_model == "token (underlined: the model's, “t17 t18”)"
    assert around_gold == "token (shaded: the true answer)"


def test_a_loss_that_hardly_changes_fills_the_panel(tiny_run):
    recording = Recording(tiny_run)
    probes = recording.probes()
    axes = draw_logits(recording)["sample-losses"].axes[0]
    losses = np.concatenate([probes.start_loss, probes.end_loss])
    low, high = axes.get_ylim()
    assert low < losses.min() < losses.max() < high
    assert np.ptp(losses) > 0.7 * (high - low)


def test_a_mean_of_one_step_is_not_called_a_mean(tiny_run, pretrained_run):
    axes = draw_losses(Recording(tiny_run), Recording(pretrained_run))
    labels = axes["losses-side-by-side"].axes[0].get_legend_handles_labels()[1]
    assert len(labels) == 2
    assert "mean" not in " ".join(labels)


def test_the_summary_command(tiny_run):
    done = command("huggin_utils.py", tiny_run, cwd=tiny_run)
    assert json.loads(done.stdout)["steps"] == 9
