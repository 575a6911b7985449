"""Recordings and databases of older versions open, and give the numbers that their version gave.

`tests/data/make.py` says how the data were made.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from huggin.analysis.learning import margins_over_time, when_learned
from huggin.analysis.nodes import NodeChoice, rank_nodes, snapshots, weight_change
from huggin.recording.answer import read_answer
from huggin.recording.reader import Recording
from huggin.recording.results import read_efficacy
from huggin.recording.run_folder import RunFolder
from tests.conftest import ROOT, command
from tests.data.make import CSV, TABLES, TEXTS, digest, numbers_in
from tests.database.databases import rows

OLDER = ROOT / "tests" / "data" / "0.1.0"
EXPECTED = json.loads((OLDER / "expected.json").read_text(encoding="utf-8"))
VALUES = EXPECTED["values"]


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the older version's run/ and stack_trace.db, which a test may write to."""
    return Path(shutil.copytree(OLDER, tmp_path / "older"))


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording(OLDER / "run")


RANKED = "graph-weights.py run"


def printed(line: str, folder: Path) -> str:
    """What today's command prints."""
    done = command(*line.split(), cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_data_are_small():
    files = [path for path in OLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 300_000
    assert (OLDER / "run" / "recording" / "steps-21.arrow").exists()  # a resume's segment
    assert not list(OLDER.rglob("*.safetensors"))


def test_the_summary(folder):
    summary = json.loads(printed("huggin_utils.py run", folder))
    assert {name: summary[name] for name in EXPECTED["summary"]} == EXPECTED["summary"]


@pytest.mark.parametrize("line", CSV)
def test_tables_as_csv(folder, line):
    assert digest(printed(line, folder)) == EXPECTED["csv"][line]


@pytest.mark.parametrize("line", TEXTS)
def test_the_database(folder, line):
    before = shutil.copy(folder / "stack_trace.db", folder / "before.db")
    columns = columns_in(before)
    assert sum(map(len, contents(before, columns).values())) > 400
    assert printed(line, folder) == EXPECTED["texts"][line]
    assert contents(folder / "stack_trace.db", columns) == contents(before, columns)


def columns_in(path: Path) -> dict[str, str]:
    """The columns of each table, separated by commas."""
    return dict(
        rows(
            path,
            """SELECT tables.name, group_concat(columns.name, ', ')
            FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
            WHERE tables.type = 'table' GROUP BY tables.name""",
        )
    )


def contents(path: Path, columns: dict[str, str]) -> dict[str, list[tuple]]:
    """Every row of each table, in columns that an older version had."""
    return {
        table: rows(path, f"SELECT {names} FROM {table}")  # noqa: S608 names only
        for table, names in columns.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("line", TABLES)
def test_figures_and_their_tables(folder, line):
    by_percent = " --rank-by percent" if line == RANKED else ""  # was the only ranking
    text = printed(line + by_percent, folder)
    assert numbers_in(text) == EXPECTED["numbers"][line]
    figures = [folder / word for word in text.split() if word.endswith(".png")]
    assert figures
    assert all(figure.read_bytes().startswith(b"\x89PNG") for figure in figures)


@pytest.mark.slow
def test_the_pdfs(folder):
    for graph in ("weights", "losses", "logits", "node-logits"):
        printed(f"graph-{graph}.py run", folder)
    for kind in ("training", "output"):
        text = printed(f"create-gv-{kind}.py run", folder)
        (pdf,) = (folder / "gv-graphs").glob(f"qa-{kind}-*.pdf")
        assert pdf.read_bytes().startswith(b"%PDF")
        assert pdf.name in text


def equal(found: Any, name: str) -> None:
    """Compare with what the older version read: the same numbers, bit for bit."""
    np.testing.assert_array_equal(np.array(found), np.array(VALUES[name]))


def close(found: Any, name: str) -> None:
    """Compare with what the older version computed; other processors may round differently."""
    np.testing.assert_allclose(np.array(found), np.array(VALUES[name]), rtol=1e-4, atol=1e-6)


def test_facts(recording):
    facts = recording.facts
    assert {name: getattr(facts, name) for name in VALUES["facts"]} == VALUES["facts"]
    equal([(window.gold_start, window.gold_end) for window in facts.samples], "golds")


def test_steps(recording):
    equal(recording.steps.loss[1:], "loss")
    equal(recording.steps.bias, "bias")
    close(weight_change(recording.steps).absolute, "absolute_change")


def test_probes(recording):
    windows = recording.facts.samples
    probes = [recording.probes(number) for number in range(len(windows))]
    equal([one.start_loss for one in probes], "start_loss")
    equal([one.predicted_end for one in probes], "predicted_end")
    close([margins_over_time(*pair)[-1] for pair in zip(probes, windows)], "margins")
    flips = [when_learned(*pair).flips for pair in zip(probes, windows)]
    assert flips == VALUES["flips"]


def test_nodes(recording):
    samples = range(len(recording.facts.samples))
    close([snapshots(recording, at).logits().sum(axis=2) for at in samples], "snapshots")
    for rank_by, nodes in VALUES["ranked"].items():
        found = rank_nodes(recording, NodeChoice(rank_by=rank_by)).nodes
        assert found.tolist() == nodes


def test_efficacy():
    found = read_efficacy(RunFolder(OLDER / "run"))
    newer = {"trained_on": 0, "parts": {}, "loss": None, "loss_error": 0.0, "run_id": ""}
    older = [newer | entry for entry in VALUES["efficacy"]]
    assert json.loads(json.dumps([vars(one) for one in found])) == older


def test_the_answer():
    answer = read_answer(RunFolder(OLDER / "run"))
    expected = VALUES["answer"]
    assert answer.facts.window.question == expected["question"]
    assert answer.facts.answered == expected["answered"]
    assert answer.start_logits.tolist() == expected["start_logits"]
    sites = [f"{site.layer} {site.component}" for site in answer.activations]
    assert sites == expected["sites"]
    sums = [float(values.astype(float).sum()) for values in answer.activations.values()]
    assert sums == expected["sums"]
