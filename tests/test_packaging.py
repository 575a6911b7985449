"""One version, one place for each pin, a lock that agrees; what git ignores."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import huggin

ROOT = Path(__file__).resolve().parent.parent
PINS = ["requirements.txt", "requirements-dev.txt"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(file: str) -> list[tuple[str, str]]:
    """The packages of a requirements file, names in lower case with `-`, and their versions."""
    lines = [line.split("#")[0].split(";")[0].strip() for line in (ROOT / file).open()]
    pairs = [line.split("==") for line in lines if line]
    return [(re.sub("[-_.]+", "-", name).lower(), version) for name, version in pairs]


def test_the_version_stands_in_the_package_only():
    assert "version" in PROJECT["project"]["dynamic"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "huggin.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", huggin.__version__)


def test_the_changelog_begins_with_this_version():
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (\S+) — ", changes, re.MULTILINE)
    assert headings[0] == huggin.__version__


def test_the_dependencies_stand_in_the_requirements_only():
    dynamic = PROJECT["tool"]["setuptools"]["dynamic"]
    assert {"dependencies", "optional-dependencies"} <= set(PROJECT["project"]["dynamic"])
    assert dynamic["dependencies"] == {"file": ["requirements.txt"]}
    assert dynamic["optional-dependencies"] == {"dev": {"file": ["requirements-dev.txt"]}}


def test_no_package_is_pinned_twice():
    names = [name for file in PINS for name, _ in pins(file)]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("file", PINS)
def test_every_pin_is_in_the_lock(file):
    """If this fails after you changed requirements*.txt, run locks/make-lock."""
    assert set(pins(file)) <= set(pins("locks/lock.txt"))


@pytest.mark.parametrize("file", PINS)
def test_the_lock_was_made_from_these_requirements(file):
    """Under each package the lock names what requires it, so a removed pin is noticed."""
    text = (ROOT / "locks/lock.txt").read_text()
    entries = re.findall(r"^(\S+?)==.*\n((?:    #.*\n)+)", text, re.MULTILINE)
    required = {name for name, why in entries if re.search(rf"-r {re.escape(file)}$", why, re.M)}
    assert required == {name for name, _ in pins(file)}


def test_the_lock_has_what_builds_the_command():
    """./setup installs `huggin` without looking for setuptools anywhere else, on every system."""
    lines = (ROOT / "locks" / "lock.txt").read_text().splitlines()
    assert [line for line in lines if re.fullmatch(r"setuptools==[\d.]+", line)]


def test_ruff_of_the_commit_hooks_has_no_pin_of_its_own():
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    assert text.count("entry: .venv/bin/ruff") == 2
    assert "rev:" not in text


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_git_ignores_the_environment(kind, tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_bytes((ROOT / ".gitignore").read_bytes())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if kind == "link":
        (tmp_path / ".venv").symlink_to(elsewhere)
    else:
        (tmp_path / ".venv").mkdir()
    done = subprocess.run(["git", "check-ignore", ".venv"], cwd=tmp_path, capture_output=True)
    assert done.stdout == b".venv\n"


def test_the_workflow_types_what_is_there_on_what_is_supported():
    """`.github/workflows/tests.yml` runs on machines that nobody here has."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"] if "run" in step]
    own = {word for step in steps for word in step["run"].split() if word.startswith("./")}
    assert own == {"./setup", "./run-tests", "./get-training-output"}
    assert all(os.access(ROOT / name, os.X_OK) for name in own)
    pythons = jobs["tests"]["strategy"]["matrix"]["python"]
    assert (PROJECT["project"]["requires-python"], pythons) == (">=3.11,<3.14", ["3.11", "3.13"])
