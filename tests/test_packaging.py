"""One version, one place for each pin, a lock that agrees; what git ignores."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import huggin
from huggin.common.cli import EXTRAS
from huggin.common.console import find_commands

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


def test_the_ranges_of_the_package_allow_the_pins_of_setup():
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(each for extra in extras.values() for each in extra),
    ]
    ranges = {found.name: found.specifier for found in map(Requirement, wanted)}
    pinned = dict(pins("requirements.txt"))
    assert ranges.keys() == pinned.keys()
    assert all(ranges[name].contains(version) for name, version in pinned.items())


def test_a_package_that_is_missing_names_an_extra_that_is_there():
    assert set(EXTRAS.values()) == PROJECT["project"]["optional-dependencies"].keys()


def test_every_folder_is_in_the_wheel():
    folders = {path.parent for path in (ROOT / "huggin").rglob("*.py")}
    names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == names | {"huggin.toolkit"}


@pytest.fixture(scope="session")
def wheel(made_once):
    """A folder in which a wheel was unpacked, as pip does it."""

    def make(folder):
        others = shutil.ignore_patterns(
            ".*", "tests", "docs", "bench", "runs", "build", "*.egg-info"
        )
        shutil.copytree(ROOT, folder / "source", ignore=others)  # a build leaves files behind
        words = ("--no-deps", "--no-build-isolation", "-q", "-w", folder, folder / "source")
        subprocess.run([sys.executable, "-m", "pip", "wheel", *words], check=True)
        [made] = folder.glob("*.whl")
        zipfile.ZipFile(made).extractall(folder / "site")

    return made_once("wheel", make) / "site"


def in_wheel(wheel, folder, *words):
    """Run `huggin` out of a wheel, with the packages that are installed here."""
    line = [sys.executable, "-m", "huggin.common.console", *words]
    environment = os.environ | {"PYTHONPATH": str(wheel)}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_a_wheel_has_every_command_but_those_of_a_clone(wheel, tmp_path):
    listed = in_wheel(wheel, tmp_path)
    names = {command.name for command in find_commands()} - {"setup", "run-tests"}
    assert listed.returncode == 0, listed.stderr
    assert {line.split()[0] for line in listed.stdout.splitlines() if line[:2] == "  "} >= names
    for name in names:
        done = in_wheel(wheel, tmp_path, name, "--help")
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_wheel_trains_and_draws_without_a_clone(wheel, tmp_path):
    keys = ("--max_steps", "4", "--output_dir", "run", "--eval_strategy", "no")
    done = in_wheel(wheel, tmp_path, "get-training-output", "cfg-facts.json", *keys)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "graphs" / "losses.png").exists()
    assert list((tmp_path / "gv-graphs").glob("*.pdf"))


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
