"""Shares of the nodes: they add up to what the model said, and the figures show just that."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from huggin.analysis.nodes import (
    RANKINGS,
    TOP,
    NodeChoice,
    rank_nodes,
    snapshots,
    table_of_rankings,
)
from huggin.common.errors import UserError
from huggin.graphs.nodes import BY_STEP, draw_shares, draw_shares_over_time, find_token
from huggin.graphs.weights import draw_weights_over_time
from huggin.recording.reader import Recording
from tests.analysis.test_nodes import made
from tests.conftest import ROOT, command


@pytest.fixture(params=["tiny_run", "pretrained_run"])
def recording(request) -> Recording:
    return Recording(request.getfixturevalue(request.param))


def test_the_shares_add_up_to_the_recorded_logits(recording):
    """Each of the 16 terms is rounded to float16 once, to 11 bits."""
    found, probes = snapshots(recording), recording.probes()
    assert found.step.tolist() == [0, 4, 8]
    for place, step in enumerate(found.step):
        (probe,) = np.flatnonzero(probes.step == step)
        for row, recorded in enumerate((probes.start_logits[probe], probes.end_logits[probe])):
            for token in range(len(recorded)):
                shares = found.shares(row, token)[place]
                room = float(2**-11 * np.abs(shares).sum() + 1e-6)
                assert shares.sum() + found.bias[place, row] == pytest.approx(
                    recorded[token], abs=room
                )


def test_the_shares_add_up_in_bfloat16_too(tiny_cfg, tmp_path):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(bf16=True, use_cpu=True, do_eval=False)))
    assert command("run_qa.py", "cfg.json", cwd=tmp_path).returncode == 0
    assert len(snapshots(Recording(tmp_path / "run")).step) == 3


def test_the_bars_add_up(recording):
    probes, window = recording.probes(), recording.tracked()
    axes = draw_shares(recording)["shares"].axes
    recorded = [
        probes.start_logits[-1][window.gold_start],
        probes.end_logits[-1][window.gold_end],
        None,
    ]
    for named, sums, logit in zip(axes[:3], axes[3:], recorded, strict=True):
        *parts, together = [bar.get_width() for bar in sums.patches]
        assert sum(bar.get_width() for bar in named.patches) == pytest.approx(parts[0], abs=1e-5)
        assert sum(parts) == pytest.approx(together, abs=1e-5)
        if logit is not None:
            assert together == pytest.approx(logit, abs=0.01)
    names = [label.get_text() for label in axes[3].get_yticklabels()]
    assert names[-2:] == ["bias", "together"]
    assert "bias" not in [label.get_text() for label in axes[5].get_yticklabels()]


def test_a_token_of_ones_own(recording):
    tokens = recording.tracked().tokens
    place = tokens.index("ravens")
    figure = draw_shares(recording, token=str(place), step=4)[f"shares-token-{place}-step-4"]
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == [
        f"start logit of “ravens” ({place})",
        f"end logit of “ravens” ({place})",
    ]
    assert figure.axes[2].get_title(loc="left").endswith(f"over “ravens” ({place})")


def test_a_token_by_its_text_or_place():
    tokens = ["[CLS]", "a", "7", "a"]
    assert (find_token(tokens, "[CLS]"), find_token(tokens, "3"), find_token(tokens, "7")) == (
        0,
        3,
        2,
    )
    for wanted, said in (
        ("a", "places 1, 3; name one"),
        ("b", "not in the sample"),
        ("9", "a place, 0 to 3"),
    ):
        with pytest.raises(UserError, match=said):
            find_token(tokens, wanted)


def test_the_margin_by_step_is_drawn_from_the_recorded_logits(recording):
    axes, *panels = draw_shares_over_time(recording)["shares-over-time"].axes
    chosen, rest, margin = [line.get_ydata() for line in axes.lines[:-1]]
    each = [panel.lines[-2].get_ydata() for panel in panels]
    assert len(each) == BY_STEP
    np.testing.assert_allclose(np.sum(each, axis=0), chosen, atol=1e-5)
    np.testing.assert_allclose(chosen + rest, margin, atol=1e-5)
    probes, window = recording.probes(), recording.tracked()
    allowed = [
        at for at, part in enumerate(window.parts) if part == "context" and at != window.gold_start
    ]
    last = probes.start_logits[-1]
    assert margin[-1] == pytest.approx(last[window.gold_start] - last[allowed].max(), abs=0.01)


def test_weights_by_step(recording):
    first = rank_nodes(recording, NodeChoice(rank_by="share")).nodes[0]
    axes = draw_weights_over_time(recording, choice=NodeChoice(rank_by="share"))[
        "weights-over-time"
    ].axes
    for row in (0, 1):
        weight = recording.steps.weight[:, row, first]
        np.testing.assert_array_equal(axes[row].lines[0].get_ydata(), weight - weight[0])
        assert axes[row].lines[0].get_label() == f"{first} ({weight[0]:+.3f})"


def test_one_table_of_all_rankings(recording):
    lines = table_of_rankings(recording, NodeChoice(rank_by="absolute")).splitlines()
    assert [name for name in RANKINGS if name in lines[0].split()] == list(RANKINGS)
    assert [int(line.split()[4]) for line in lines[1 : TOP + 1]] == list(
        range(1, TOP + 1)
    )  # places by absolute change
    percent, *others = [
        {*rank_nodes(recording, NodeChoice(rank_by=name)).nodes[:TOP].tolist()} for name in RANKINGS
    ]
    shared = [
        f"{len(percent & other)} by {name}"
        for other, name in zip(others, RANKINGS[1:], strict=True)
    ]
    assert lines[TOP + 2].split(": ")[1] == f"{', '.join(shared)} too"


def test_a_run_that_diverged_is_drawn_and_said(tmp_path):
    recording = made(tmp_path, last=np.full((2, 4), np.nan))
    (figure,) = draw_shares(recording).values()
    assert [axes.texts[0].get_text() for axes in figure.axes[:3]] == [
        "4 of 4 values are not finite"
    ] * 3
    assert draw_shares_over_time(recording)


@pytest.fixture
def run(pretrained_run, tmp_path) -> Path:
    return Path(shutil.copytree(pretrained_run, tmp_path / "run"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "names"),
    [
        (
            ["graph-node-logits.py", "run", "--share", "--sample", "2"],
            ["shares-sample-2", "shares-over-time-sample-2"],
        ),
        (["graph-node-logits.py", "run", "--sample", "1"], ["node-logits-step-8-sample-1"]),
        (
            ["graph-logits.py", "run", "--sample", "1"],
            ["logits-sample-1", "sample-losses-sample-1"],
        ),
        (["graph-logits.py", "run", "--over-time"], ["logits-over-time"]),
        (
            ["graph-weights.py", "run", "--over-time", "--rank-by", "share-change"],
            ["weights-over-time"],
        ),
    ],
)
def test_the_doors(run, words, names):
    done = command(*words, cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert sorted(path.stem for path in (run / "graphs").iterdir()) == sorted(names)
    assert all(f"run/graphs/{name}.png" in done.stdout for name in names)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["graph-node-logits.py", "run", "--share", "--sample", "3"],
            "--sample 3: run tracks 0 to 2",
        ),
        (
            ["graph-node-logits.py", "run", "--share", "--step", "3"],
            "--step 3: no snapshot of the nodes",
        ),
        (
            ["graph-node-logits.py", "run", "--share", "--token", "wolf"],
            "--token wolf: not in the sample",
        ),
        (["graph-node-logits.py", "run", "--token", "a"], "--token goes with --share"),
        (
            ["graph-weights.py", "run", "--rank-by", "size"],
            "--rank-by size: choose from percent, absolute, share",
        ),
        (["graph-logits.py", "run", "--sample", "-1"], "--sample -1: run tracks 0 to 2"),
    ],
)
def test_refusals(run, words, said):
    done = command(*words, cwd=run.parent)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line
    assert not (run / "graphs").exists()


@pytest.mark.slow
def test_no_torch(pretrained_run):
    code = (
        "import sys; from huggin.recording.reader import Recording;"
        "from huggin.graphs.nodes import *;"
        "from huggin.graphs.weights import *; from huggin.graphs.logits import *;"
        "from huggin.analysis.nodes import *;"
        "from huggin.analysis.learning import *;"
        f"r = Recording({str(pretrained_run)!r});"
        "draw_shares(r), draw_shares_over_time(r), table_of_rankings(r);"
        "draw_logits_over_time(r), draw_weights_over_time(r), table_of_samples(r);"
        "print([name for name in ('torch', 'transformers', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
