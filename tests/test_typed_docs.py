"""Every block of README and docs, typed in page order from an empty folder.

The toolkit is the copy that tests/toolkit.py makes: cfg.json trains 24 steps.
"""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT, python, toolkit
from tests.toolkit import LAST_STEP, SAVE_STEPS

README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
SET_UP = "~/huggin-api/setup && source ~/huggin-api/.venv/bin/activate"
NOT_TYPED = ("network", "gpu")
LIMIT = 900  # seconds for a block; only a command that hangs reaches it
TYPED = {  # what depends on the steps of cfg.json, and trainings whose length proves nothing
    "--step 1500": f"--step {LAST_STEP}",
    "--checkpoint 1400": f"--checkpoint {LAST_STEP - SAVE_STEPS}",
    "--num_train_epochs 10": "--num_train_epochs 2",
    "--num_train_epochs 5": "--num_train_epochs 1",
    "--max_steps 60": "--max_steps 9",
}
# After so few steps a model may answer nothing right, which is the exit code 1 of these commands.
BASH = """set -eo pipefail
huggin() {
  command huggin "$@" || case "$? $1" in
    "1 test-qa-efficacy" | "1 get-model-output") ;;
    *) return 1 ;;
  esac
}
"""

pytestmark = pytest.mark.slow


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

    def __init__(self, base: Path) -> None:
        self.folder = base / "here"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.base = base

    def type(self, block: Block) -> str:
        """What went wrong when the block was typed, or ""."""
        if block.language == "python":
            (self.base / "block.py").write_text(block.text, encoding="utf-8")
            pictures = "keras" in block.text or "huggin.lime" in block.text
            program = python("pictures" if pictures else "training")
            typed = f"'{program}' '{self.base / 'block.py'}'"
        else:
            typed = block.text
            for real, short in TYPED.items():
                typed = typed.replace(real, short)
        activate = "" if block.text.startswith("~") else "source ~/huggin-api/.venv/bin/activate\n"
        done = subprocess.run(
            ["bash", "-c", f"{BASH}{activate}{typed}"],
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
        return kept | {"HOME": str(toolkit().parent)}


def type_all(terminal: Terminal, page: Path) -> None:
    problems = [terminal.type(block) for block in blocks_of(page) if is_typed(block)]
    assert [problem for problem in problems if problem] == [], page.name


@pytest.fixture(scope="session")
def after_readme(made_once) -> Path:
    """The folder of a user who has typed every block of the README, `long` ones too."""
    return made_once("readme", lambda base: type_all(Terminal(base), README)) / "here"


@pytest.fixture
def terminal(after_readme, tmp_path) -> Terminal:
    """A new terminal in a copy of that folder."""
    shutil.copytree(after_readme, tmp_path / "here")
    return Terminal(tmp_path)


def test_the_set_up_line_calls_setup():
    bash = [block for block in blocks_of(README) if block.language == "bash" and is_typed(block)]
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
