"""Bad inputs of every command: 25 kinds, which `./run-tests -m faults` tries whole.

Without that mark a few of each are tried, and what judges the answers is tested.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import trying
from tests.faults.inputs.base import Fault, make_base
from tests.faults.inputs.commands import all_faults

EVERY = 20  # of the inputs are tried without the mark
KINDS = (
    *("run.json", "segments", "efficacy.json", "answers", "cfg.json", "questions", "outputs"),
    *("arguments", "special files", "overwriting", "texts", "state files", "models", "names"),
    *("newer tables", "odd keys", "databases", "other cfgs", "numbers", "zero width", "pictures"),
    *("labels", "weights", "first pass", "endless"),
)


@pytest.fixture(scope="session")
def base(made_once) -> Path:
    """The folder that every input begins with: a short run, an answer and a database."""

    def make(folder: Path) -> None:
        make_base(folder, lambda words: trying.answer(tuple(words), folder)[0])

    return made_once("base of the faults", make)


def wrong_answers(faults: list[Fault], base: Path, folder: Path) -> Iterator[str]:
    """A line for each input that is answered wrong."""
    for fault in faults:
        wrong = trying.what_is_wrong(fault, base, folder / "case")
        if wrong:
            yield f"{fault.name}: {wrong}"


@pytest.mark.slow
def test_some_bad_inputs_are_answered_right(base, tmp_path):
    faults = list(all_faults(base))
    assert {fault.kind for fault in faults} == set(KINDS)
    wrong = list(wrong_answers(faults[::EVERY], base, tmp_path))
    assert not wrong, "\n".join(wrong)


@pytest.mark.faults
@pytest.mark.parametrize("kind", KINDS)
def test_all_bad_inputs_are_answered_right(base, tmp_path, kind):
    faults = [fault for fault in all_faults(base) if fault.kind == kind]
    wrong = list(wrong_answers(faults, base, tmp_path))
    print(f"| {kind} | {len(faults)} | {len(faults) - len(wrong)} |")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("codes", "said"),
    [({0}, "exit code 2, not [0]"), ({2}, None)],
)
def test_a_wrong_answer_is_noticed(tmp_path, codes, said):
    base = tmp_path / "base"
    base.mkdir()
    fault = Fault("kind", "name", ("graph-losses.py", "nowhere"), codes=frozenset(codes))
    verdict = trying.what_is_wrong(fault, base, tmp_path / "case")
    assert verdict == said or verdict.startswith(said)


def test_control_characters_and_changed_files_are_noticed():
    assert trying.wrong_words(0, "\x1b[2J", "") == "control characters reach the terminal"
    assert trying.wrong_words(2, "", "x: error: a\n" * 2).startswith("2 lines")
    assert trying.wrong_files(2, {}, {"half.png": (1, 1)}) == ("refused, and yet changed half.png")
