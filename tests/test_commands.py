"""Every command explains itself, at once; the README tells of every one of them, and nothing else."""

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT, command

DOORS = sorted(path.name for path in ROOT.glob("*.py") if "run_command(main)" in path.read_text())
DRIVERS = ["get-training-output", "get-model-output"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "matplotlib",
    "tensorflow",
    "scipy",
    "pandas",
    "sklearn",
    "skimage",
)


@pytest.mark.parametrize("door", DOORS)
def test_help_has_an_example(door, tmp_path):
    done = command(door, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"example: python {door}" in done.stdout


@pytest.mark.parametrize("door", DOORS)
def test_help_loads_nothing_heavy(door):
    code = f"""
import runpy, sys
sys.argv = [{door!r}, '--help']
try:
    runpy.run_path({str(ROOT / door)!r}, run_name='__main__')
finally:
    print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_drivers_help(driver):
    done = subprocess.run([ROOT / driver, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert f"example: ./{driver}" in done.stdout


@pytest.mark.parametrize(
    "name", [*DOORS, *DRIVERS, "run-tests", "setup", "cfg.json", "cfg-squad.json"]
)
def test_readme_tells_of(name):
    assert name in README


def readme_lines() -> list[str]:
    blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", README, flags=re.DOTALL)
    return [
        line.strip()
        for block in blocks
        for line in block.splitlines()
        if line.strip() and line[0] != "#"
    ]


def test_readme_commands_exist_with_their_options(tmp_path):
    helps = {}
    ours = [line.split("#")[0].split() for line in readme_lines()]
    ours = [
        words
        for words in ours
        if words[0] in ("python", ".venv/bin/python") and words[1].endswith(".py")
    ]
    assert len(ours) > 5
    for words in ours:
        door = words[1]
        assert (ROOT / door).is_file(), door
        if door not in helps:
            helps[door] = command(door, "--help", cwd=tmp_path).stdout
        for word in words[2:]:
            if word.startswith("--") and door != "run_qa.py":
                assert word.split("=")[0] in helps[door], f"{door} {word}"


def test_readme_pictures_and_links_exist():
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_readme_tree_has_a_line_per_file():
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    skipped = (
        "tests/",
        "docs/",
        "huggin/__init__",
        "huggin/graphs/__init__",
        "huggin/lime/__init__",
        ".",
        "sample/bert-tiny/",
    )
    named = [path for path in files if not path.startswith(skipped)]
    assert [path for path in named if path.rpartition("/")[2] not in README] == []
