"""Every block of README and docs, typed in page order from an empty folder."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT, TRAINING, fork_server

README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
SET_UP = "~/huggin-api/setup && source ~/huggin-api/.venv/bin/activate"
NOT_TYPED = ("network", "gpu")
LIMIT = 900  # seconds for a block; only a command that hangs reaches it
HUGGIN = f"""#!{sys.executable}
import sys
sys.path[0] = {str(ROOT)!r}
from huggin.common import console
from tests.forks import run

become = console.run

def start(path, words):
    if path.suffix != ".py":
        become(path, words)
    sys.exit(run({{address!r}}, [str(path), *words]))

console.run = start
sys.exit(console.main())
"""
PYTHON = f"""#!{sys.executable}
import sys
sys.path[0] = {str(ROOT)!r}
from tests.forks import run
sys.exit(run({{address!r}}, sys.argv[1:]))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ROOT / ".venv" / "installed.txt").exists(),
        reason="the drivers run in .venv; ./setup makes it",
    ),
]


class Block(NamedTuple):
    """A block of a page: `bash`, `python` or another language, the marks after it, its text."""

    language: str
    mark: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    found = re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    return [Block(language, mark.strip(), text) for language, mark, text in found]


def is_typed(block: Block) -> bool:
    return block.language in ("bash", "python") and not block.mark.startswith((*NOT_TYPED, "needs"))


class Terminal:
    """A user's terminal: a home with the toolkit in it, and a folder that begins empty."""

    def __init__(self, base: Path, address: Path) -> None:
        self.folder = base / "here"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.base = base
        self.setup_was_called = base / "setup-was-called"
        toolkit = base / "huggin-api"
        tools = toolkit / ".venv" / "bin"
        tools.mkdir(parents=True)
        write_script(toolkit / "setup", f"#!/bin/sh\ntouch '{self.setup_was_called}'\n")
        write_script(tools / "huggin", HUGGIN.format(address=str(address)))
        write_script(tools / "python", PYTHON.format(address=str(address)))
        (tools / "activate").write_text(f"export PATH='{tools}':$PATH\n")

    def type(self, block: Block) -> str:
        """What went wrong when the block was typed, or ""."""
        if block.language == "python":
            (self.base / "block.py").write_text(block.text, encoding="utf-8")
            typed = f"python '{self.base / 'block.py'}'"
        else:
            typed = block.text
        activate = "" if block.text.startswith("~") else "source ~/huggin-api/.venv/bin/activate\n"
        done = subprocess.run(
            ["bash", "-c", f"set -eo pipefail\n{activate}{typed}"],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
        )
        if done.returncode == 0:
            return ""
        return f"exit code {done.returncode} from\n{block.text}\n{done.stdout[-3000:]}"

    def environment(self) -> dict[str, str]:
        """The variables of a user who has no screen."""
        hidden = ("DISPLAY", "WAYLAND_DISPLAY", "HUGGIN_DB", "HUGGIN_TEST_DATA")
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        return kept | {"HOME": str(self.base), "PYTHONPATH": str(ROOT)}


def write_script(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def type_all(terminal: Terminal, page: Path) -> None:
    problems = [terminal.type(block) for block in blocks_of(page) if is_typed(block)]
    assert [problem for problem in problems if problem] == [], page.name


@pytest.fixture(scope="session")
def address() -> Path:
    """Where processes are forked that have TensorFlow loaded, too."""
    return fork_server(*TRAINING, "lime", "huggin.lime.figures", "huggin.pages.legend_drawing")


@pytest.fixture(scope="session")
def after_readme(made_once, address) -> Path:
    """The folder of a user who has typed every block of the README, `long` ones too."""

    def make(base: Path) -> None:
        terminal = Terminal(base, address)
        type_all(terminal, README)
        assert terminal.setup_was_called.exists()

    return made_once("readme", make) / "here"


@pytest.fixture
def terminal(after_readme, address, tmp_path) -> Terminal:
    """A new terminal in a copy of that folder."""
    shutil.copytree(after_readme, tmp_path / "here")
    return Terminal(tmp_path, address)


def test_the_set_up_line_calls_setup():
    bash = [block for block in blocks_of(README) if block.language == "bash"]
    assert bash[0].text.strip() == SET_UP
    assert os.access(ROOT / "setup", os.X_OK)


def test_the_readme(after_readme):
    names = {path.name for path in after_readme.iterdir()}
    assert {"runs", "gv-graphs", "stack_trace.db", "explanations"} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page(page, terminal):
    if not any(map(is_typed, blocks_of(page))):
        pytest.skip("nothing to be typed on this page")
    type_all(terminal, page)


EXTRA = [block for page in PAGES for block in blocks_of(page) if block.mark.startswith("needs-")]


@pytest.mark.parametrize("block", EXTRA, ids=lambda block: block.mark)
def test_a_block_that_needs_another_package(block, terminal):
    package = block.mark.removeprefix("needs-")
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed: the toolkit does not need it")
    assert terminal.type(block) == ""
