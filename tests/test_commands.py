"""Every command explains itself at once, as a process of its own."""

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
HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "matplotlib",
    "tensorflow",
    "scipy",
    "pandas",
    "sklearn",
)


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_help_has_an_example_and_loads_nothing_heavy(name, tmp_path):
    code = f"""
import sys
sys.path[0] = {str(ROOT)!r}
from huggin.common.console import main
try:
    main([{name!r}, '--help'])
finally:
    print([library for library in {HEAVY!r} if library in sys.modules])
"""
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: huggin {name}" in done.stdout
    assert f"example: huggin {name} " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


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
