"""Several runs in one figure and one PDF: named, comparable, never the wrong ones."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pypdf import PdfReader

from huggin.common.errors import UserError
from huggin.graphs.logits import draw_logits
from huggin.graphs.losses import draw_efficacy, draw_losses
from huggin.graphs.nodes import draw_shares
from huggin.graphs.palette import RUNS
from huggin.graphs.runs import read_runs, same_sample, side_by_side
from huggin.graphs.weights import draw_weights
from huggin.recording.reader import Recording
from tests.conftest import command


@pytest.fixture
def runs(tiny_run, pretrained_run, tmp_path) -> list[Path]:
    """Copies of a run from scratch and of a pretrained one."""
    pairs = ((tiny_run, "scratch"), (pretrained_run, "pre"))
    return [Path(shutil.copytree(run, tmp_path / name)) for run, name in pairs]


def edit(run: Path, **changes) -> None:
    """Change facts of a run's first tracked sample."""
    path = run / "recording" / "run.json"
    facts = json.loads(path.read_text())
    facts["samples"][0] |= changes
    path.write_text(json.dumps(facts))


def test_names_and_colours(runs):
    beside = side_by_side(read_runs(runs))
    assert [run.name for run in beside] == [str(run) for run in runs]
    assert [run.colour for run in beside] == list(RUNS[:2])


@pytest.mark.slow
def test_each_run_is_drawn_as_it_was_recorded(runs):
    recordings = read_runs(runs)
    lines = draw_losses(*recordings)["losses-side-by-side"].axes[0].lines
    for at, recording in enumerate(recordings):
        np.testing.assert_array_equal(lines[2 * at].get_ydata(), recording.steps.loss)
        assert lines[2 * at].get_color() == RUNS[at]
    axes = draw_weights(*recordings)["weights-side-by-side"].axes  # four panels per run
    for at, recording in enumerate(recordings):
        (points,) = [line for line in axes[4 * at].lines if line.get_marker() == "."]
        np.testing.assert_array_equal(points.get_ydata(), recording.steps.weight[-1, 0])
    axes = draw_logits(*recordings)["logits-side-by-side"].axes  # two rows per run
    for at, recording in enumerate(recordings):
        np.testing.assert_array_equal(
            axes[2 * at].lines[-1].get_ydata(), recording.probes().start_logits[-1]
        )
    assert axes[0].get_ylim() == axes[2].get_ylim()
    assert len(draw_shares(*recordings)["shares-side-by-side"].axes) == 12


def test_the_same_question_in_other_tokens_is_drawn(runs):
    tokens = [f"_{token}" for token in Recording(runs[1]).tracked().tokens]
    edit(runs[1], tokens=tokens)
    axes = draw_logits(*read_runs(runs))["logits-side-by-side"].axes
    assert axes[3].get_xticklabels()[1].get_text() == f"_{axes[1].get_xticklabels()[1].get_text()}"


def test_other_questions_are_refused(runs):
    edit(runs[1], question="Who flies?")
    with pytest.raises(
        UserError, match="^sample 0: .*pre has another question than .*scratch; draw each alone"
    ):
        same_sample(read_runs(runs), 0)


def test_a_run_has_its_colour_whatever_it_was_asked(runs):
    measured = {"asked": 4, "correct": 2, "exact_match": 50.0, "exact_match_interval": [15.0, 85.0]}
    measured |= {"f1": 60.0, "f1_interval": [20.0, 90.0]}
    for run in runs:
        entries = [{"step": 8, "data": data, **measured} for data in ("a", "b")]
        (run / "efficacy.json").write_text(json.dumps(entries))
    axes = draw_efficacy(runs)["efficacy"].axes[0]
    lines = [bars.lines[0] for bars in axes.containers]
    of_scratch = [RUNS[0]] * 3  # it was evaluated at its end, too
    assert [line.get_color() for line in lines] == [*of_scratch, RUNS[1], RUNS[1]]
    assert [line.get_marker() for line in lines] == ["o", "s", "D", "o", "s"]


def test_evaluations_on_the_way_are_drawn_and_joined(runs):
    log = [{"step": step, "eval_exact_match": 25.0 * step, "eval_f1": 30.0} for step in (1, 2, 3)]
    state = json.loads((runs[0] / "trainer_state.json").read_text())
    state["log_history"] += [{**row, "eval_samples": 4} for row in log]
    (runs[0] / "trainer_state.json").write_text(json.dumps(state))
    (bars,) = draw_efficacy(runs[:1])["efficacy"].axes[0].containers
    assert bars.lines[0].get_xdata().tolist() == [1, 2, 3, 8]
    assert bars.lines[0].get_ydata().tolist()[:3] == [25.0, 50.0, 75.0]
    assert bars.lines[0].get_linestyle() == "-"


def test_the_validation_loss_stands_beside_that_of_the_training(runs):
    assert len(draw_losses(*read_runs(runs[:1]))["losses"].axes) == 2  # evaluated at its end only
    state = json.loads((runs[0] / "trainer_state.json").read_text())
    for step, loss in ((2, 1.5), (4, 3.0), (6, 4.0)):
        scores = {"eval_exact_match": 25.0, "eval_f1": 30.0, "eval_samples": 4}
        log = {"step": step, "eval_loss": loss, "eval_loss_error": 0.1, **scores}
        state["log_history"].append(log)
    (runs[0] / "trainer_state.json").write_text(json.dumps(state))
    losses, scores, rate = draw_losses(*read_runs(runs[:1]))["losses"].axes
    (bars,) = losses.containers
    assert bars.lines[0].get_xdata().tolist() == [2, 4, 6, 8]
    assert bars.lines[0].get_ydata().tolist()[:3] == [1.5, 3.0, 4.0]
    assert losses.get_title("left").startswith("best at step 2, validation loss 1.5;")
    exact_match, f1 = scores.containers
    assert exact_match.lines[0].get_ydata().tolist()[:3] == [25.0] * 3
    assert f1.lines[0].get_ydata().tolist()[:3] == [30.0] * 3
    assert rate.get_ylabel() == "learning rate"
    assert len(draw_losses(*read_runs(runs))["losses-side-by-side"].axes) == 3


def test_two_points_are_not_joined(runs):
    log = {"step": 4, "eval_exact_match": 50.0, "eval_f1": 60.0, "eval_samples": 4}
    state = json.loads((runs[0] / "trainer_state.json").read_text())
    state["log_history"].append(log)
    (runs[0] / "trainer_state.json").write_text(json.dumps(state))
    (bars,) = draw_efficacy(runs[:1])["efficacy"].axes[0].containers
    assert len(bars.lines[0].get_xdata()) == 2
    assert bars.lines[0].get_linestyle() == "None"


def test_a_run_of_which_nothing_was_measured(runs):
    with pytest.raises(UserError, match="pre: no efficacy measured; run test-qa-efficacy.py"):
        draw_efficacy(runs[1:])


def test_efficacy_of_too_many_runs_or_one_twice_is_refused(runs):
    folder = runs[0].parent
    seven = [f"run-{number}" for number in range(7)]
    done = command("graph-efficacy", *seven, cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "huggin graph-efficacy: error: 7 runs: at most 6 can be told apart"
    )
    done = command("graph-efficacy", "scratch", "pre/../scratch", cwd=folder)
    assert done.returncode == 2
    assert "pre/../scratch: named twice; name other runs" in done.stderr
    assert not (runs[0] / "graphs").exists()


def test_too_many_and_twice(runs):
    with pytest.raises(UserError, match="7 runs: at most 6"):
        read_runs([Path(str(number)) for number in range(7)])
    with pytest.raises(UserError, match="named twice"):
        read_runs([runs[0], runs[0].parent / "pre" / ".." / "scratch"])


def pdf_of(runs: list[Path]) -> tuple[str, list[str], list[str]]:
    """The DOT source, the text of each page, and the lines on stderr of a PDF of some runs."""
    folder = runs[0].parent
    done = command("create-gv-training.py", *[run.name for run in runs], cwd=folder)
    assert done.returncode == 0, done.stderr
    pdf = folder / done.stdout.strip()
    pages = [" ".join(page.extract_text().split()) for page in PdfReader(pdf).pages]
    return pdf.with_suffix("").read_text(), pages, done.stderr.splitlines()


@pytest.mark.slow
def test_one_pdf_of_two_runs(runs):
    source, pages, said = pdf_of(runs)
    assert said == []
    assert f'<FONT COLOR="{RUNS[1]}">' in source
    assert "sample 2: " in source.replace("<BR/>", " ")
    assert source.count("BertSelfAttention") == 1  # one legend for models that are alike
    text = " ".join(pages)
    for figure in ("Weights of the head", "Training loss", "Logits of the tracked", "Shares in"):
        assert figure in text
    assert "2 One question through time" in text


@pytest.mark.slow
def test_a_pdf_of_other_models_on_other_questions_has_a_legend_each_and_all_else(runs):
    path = runs[1] / "recording" / "run.json"
    facts = json.loads(path.read_text())
    facts["modules"] = facts["modules"][1:]
    path.write_text(json.dumps(facts))
    edit(runs[1], question="Who flies?")
    source, pages, said = pdf_of(runs)
    assert source.count("BertSelfAttention") == 2
    (line,) = [line for line in said if "one question through time" in line]
    assert line.startswith("create-gv-training.py: left out, one question through time: sample 0: ")
    assert "pre has another question than scratch" in line
    assert "1 What was trained, and how it learned" in " ".join(pages)
    assert "2 One question" not in " ".join(pages)
