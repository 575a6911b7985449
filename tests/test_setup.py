"""setup: what it installs and when, with a Python in its way that only notes what pip was told."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = ["setup", "requirements.txt", "requirements-dev.txt", "locks/lock.txt"]
PYTHON = """#!/usr/bin/env bash
bin=$(dirname "$0")
case "$1 $2" in
  "-m venv") rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
  "-m pip")
    echo "${@:5}" >>"$PIP_LOG"
    case "$*" in
      *"${PIP_FAILS_AT:-nothing}"*) exit 1 ;;
      *--editable*) touch "$bin/huggin"; chmod +x "$bin/huggin" ;;
    esac ;;
esac
"""


class Checkout:
    """A folder with what setup needs, and a log of the calls of pip."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder = folder
        self.log = tools / "pip.log"
        self.environment = {"PATH": f"{tools}:{os.environ['PATH']}", "PIP_LOG": str(self.log)}
        for name in FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)

    @property
    def installs(self) -> dict[str, str]:
        """What pip is told for the users' packages, the developers' and the command."""
        lock = f"--constraint {self.folder}/locks/lock.txt"
        return {
            "packages": f"--requirement {self.folder}/requirements.txt {lock}",
            "dev": f"--requirement {self.folder}/requirements-dev.txt {lock}",
            "huggin": f"--quiet --no-deps --no-build-isolation --editable {self.folder}",
        }

    def setup(self, *words: str, code: int = 0, **environment: str) -> list[str]:
        """Run setup; what it installed, in the words of `installs`."""
        self.log.unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", self.folder / "setup", *words],
            env=self.environment | environment,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        self.said = done.stderr
        calls = self.log.read_text().splitlines() if self.log.exists() else []
        names = {told: name for name, told in self.installs.items()}
        return [names[call] for call in calls]


@pytest.fixture
def tools(tmp_path):
    """A folder at the head of PATH with a stand-in for Python and for Graphviz."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name, text in {"python3": PYTHON, "dot": "#!/bin/sh\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def checkout(tmp_path, tools):
    return Checkout(tmp_path / "clone", tools)


def test_users_get_no_developers_packages_and_nothing_twice(checkout):
    assert checkout.setup() == ["packages", "huggin"]
    assert checkout.setup() == []
    assert checkout.said == ""


def test_developers_packages_come_on_top(checkout):
    checkout.setup()
    assert checkout.setup("--dev") == ["dev"]
    assert checkout.setup("--dev") == []
    assert checkout.setup() == []


def test_all_at_once_for_developers(checkout):
    assert checkout.setup("--dev") == ["packages", "dev", "huggin"]


@pytest.mark.parametrize("name", ["requirements.txt", "locks/lock.txt"])
def test_other_versions_are_installed(checkout, name):
    checkout.setup("--dev")
    with (checkout.folder / name).open("a") as file:
        file.write("more==1\n")
    assert checkout.setup() == ["packages", "huggin"]
    assert checkout.setup("--dev") == ["dev"]


def test_other_developers_packages_leave_the_users_alone(checkout):
    checkout.setup("--dev")
    with (checkout.folder / "requirements-dev.txt").open("a") as file:
        file.write("more==1\n")
    assert checkout.setup() == []
    assert checkout.setup("--dev") == ["dev"]


@pytest.mark.parametrize(
    ("fails_at", "again"),
    [
        ("requirements.txt", ["packages", "dev", "huggin"]),
        ("requirements-dev.txt", ["dev", "huggin"]),
        ("--editable", ["huggin"]),
    ],
)
def test_a_half_finished_install_is_finished_at_the_next_start(checkout, fails_at, again):
    checkout.setup("--dev", code=2, PIP_FAILS_AT=fails_at)
    assert "setup: error: pip could not install" in checkout.said
    assert checkout.setup("--dev") == again


def test_a_half_finished_environment_is_made_anew(checkout):
    checkout.setup()
    (checkout.folder / ".venv" / "installed.txt").unlink()
    stale = checkout.folder / ".venv" / "stale"
    stale.touch()
    assert checkout.setup() == ["packages", "huggin"]
    assert not stale.exists()


def test_an_environment_whose_python_is_gone_is_made_anew(checkout):
    checkout.setup()
    python = checkout.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent")
    assert checkout.setup() == ["packages", "huggin"]


def test_a_missing_command_is_installed(checkout):
    checkout.setup()
    (checkout.folder / ".venv" / "bin" / "huggin").unlink()
    assert checkout.setup() == ["huggin"]


def test_a_moved_clone_gets_its_command_again(checkout):
    checkout.setup()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("moved clone"))
    assert checkout.setup() == ["huggin"]
    assert checkout.setup() == []


def test_a_linked_environment_keeps_the_command_of_its_checkout(checkout, tools, tmp_path):
    checkout.setup()
    second = Checkout(tmp_path / "second", tools)
    (second.folder / ".venv").symlink_to(checkout.folder / ".venv")
    assert second.setup() == []
    assert second.setup("--dev") == ["dev"]
    assert checkout.setup("--dev") == []


@pytest.mark.parametrize("words", [["--foo"], ["--dev", "--dev"]])
def test_unknown_arguments_are_refused(checkout, words):
    assert checkout.setup(*words, code=2) == []
    assert (
        checkout.said
        == f"setup: error: unknown arguments '{' '.join(words)}'; see ./setup --help\n"
    )
    assert not (checkout.folder / ".venv").exists()
