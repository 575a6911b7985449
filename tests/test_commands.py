"""Every command explains itself at once, as a process of its own."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

COMMANDS = sorted(
    path.name for path in ROOT.glob("*.py") if "run_command(main)" in path.read_text("utf-8")
)
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


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_and_loads_nothing_heavy(name, tmp_path):
    code = f"""
import runpy, sys
sys.argv = [{name!r}, '--help']
sys.path[0] = {str(ROOT)!r}
try:
    runpy.run_path({str(ROOT / name)!r}, run_name='__main__')
finally:
    print([library for library in {HEAVY!r} if library in sys.modules])
"""
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"example: python {name}" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_drivers_help(driver):
    done = subprocess.run([ROOT / driver, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert f"example: ./{driver}" in done.stdout
