"""Every command explains itself, and refuses bad input, at once, as a process of its own."""

import json
import shutil
import subprocess
import sys

import pytest

from huggin.common.console import find_commands
from tests.conftest import ROOT

SCRIPTS = sorted(
    path.name for path in ROOT.glob("*.py") if "run_command(main)" in path.read_text("utf-8")
)
COMMANDS = [command for command in find_commands() if command.path.suffix == ".py"]
DRIVERS = ["get-training-output", "get-model-output"]
HEAVY = ("torch", "transformers", "matplotlib", "tensorflow", "scipy.stats")


def typed(words, folder):
    """Type a command after `huggin`: how it ended, and which heavy libraries it had loaded."""
    code = f"""
import sys
sys.path[0] = {str(ROOT)!r}
from huggin.common.console import main
try:
    main({words!r})
finally:
    loaded = [library for library in {HEAVY!r} if library in sys.modules]
    sys.stderr.write("\\n" + " ".join(loaded))
"""
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
    done.stderr, _, loaded = done.stderr.rpartition("\n")
    return done, loaded.split()


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_help_has_an_example_and_loads_nothing_heavy(name, tmp_path):
    done, loaded = typed([name, "--help"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: huggin {name}" in done.stdout
    assert f"example: huggin {name} " in done.stdout
    assert loaded == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_alone_and_calls_itself_by_its_file(name, tmp_path):
    line = [sys.executable, ROOT / name, "--help"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: {name}" in done.stdout
    assert f"example: python {name} " in done.stdout


def test_every_command_has_its_place_in_the_list():
    found = {command.path for command in find_commands()}
    assert found >= {ROOT / name for name in SCRIPTS}
    assert found >= set((ROOT / "huggin" / "commands").glob("[!_]*.py"))


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_drivers_help(driver):
    done = subprocess.run([ROOT / driver, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert f"example: ./{driver}" in done.stdout


NO_RUN = [
    (name, "nope")
    for name in (
        "ask",
        "create-gv-output",
        "create-gv-training",
        "create-page",
        "graph-efficacy",
        "graph-layers",
        "graph-logits",
        "graph-losses",
        "graph-node-logits",
        "graph-questions",
        "graph-weights",
        "huggin_utils",
        "legend",
        "lime-answer",
        "pack",
        "rewind",
        "suspects",
        "teachers",
    )
]
UNTRAINED = [(name, "empty") for name in ("ask", "legend", "lime-answer", "rewind", "suspects")]
REFUSED = [
    *NO_RUN,
    *UNTRAINED,
    ("compare", "nope", "nope"),
    ("test-qa-efficacy", "nope"),
    ("test-qa-efficacy", "empty"),
    ("test-qa-efficacy", "bad.json"),
    ("squad-interface", "--cfg", "bad.json"),
    ("squad-interface", "--cfg", "good.json", "999"),
    ("track-trainer",),
    ("run_qa", "nope.json"),
    ("run_qa", "bad.json"),
    ("run_qa", "good.json", "--seed", "x"),
    ("run_qa", "good.json", "--seeed", "7"),
    ("run_qa", "good.json", "--train_file", "bad.csv"),
    ("graph-layers", "RUN", "--sample", "9"),
    ("lime-answer", "RUN", "999"),
    ("lime-answer", "RUN", "--question", "Who?", "--context", " "),
    ("suspects", "RUN", "--export", "a.xls"),
    ("teachers", "RUN", "--export", "a.xls"),
    ("rewind", "RUN", "--checkpoint", "999"),
    ("legend", "RUN", "--out", "a.jpg"),
    ("lime", "nope.png"),
    ("lime", "--model", "nope.keras"),
    ("inDeCeptionV3", "nope.png"),
    ("db_utils", "--list", "--db", "nope.db"),
    ("db-indices", "--list", "--db", "nope.db"),
]


def test_every_command_is_tried_with_bad_input():
    assert {name for name, *_ in REFUSED} == {command.name for command in COMMANDS}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, tiny_cfg):
    """A folder with a cfg that is right, one with a typo, a table of no questions, no run."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "empty").mkdir()
    (folder / "good.json").write_text(json.dumps(tiny_cfg()))
    (folder / "bad.json").write_text(json.dumps(tiny_cfg(seed="x")))
    (folder / "bad.csv").write_text("question,answer\nWho?,Odin\n")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_bad_input_is_refused_before_anything_heavy_is_loaded(words, inputs, tiny_run):
    words = [str(tiny_run) if word == "RUN" else word for word in words]
    done, loaded = typed(words, inputs)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    said = done.stderr.splitlines()
    assert [line for line in said if line.startswith(f"huggin {words[0]}: error: ")] == said[-1:]
    assert loaded == []


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True])
def test_a_finished_run_is_left_alone_before_anything_heavy_is_loaded(whole, tmp_path, tiny_run):
    """Also where its folder is named by its whole path."""
    shutil.copytree(tiny_run.parent, tmp_path, dirs_exist_ok=True)
    run = str(tmp_path / "run") if whole else "run"
    done, loaded = typed(["run_qa", "cfg.json", "--output_dir", run], tmp_path)
    assert (done.returncode, done.stderr, loaded) == (0, "", [])
    assert done.stdout.startswith(f"{run}: already trained (8 of 8 steps); nothing to do; ")
