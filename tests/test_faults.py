"""A few of the bad inputs of bench/faults.py, and that it notices a wrong answer."""

import pytest

from bench import faults
from bench.inputs.base import Fault
from tests.conftest import spawned

pytestmark = pytest.mark.slow


def test_some_bad_inputs_are_answered_right(tmp_path):
    done = spawned("bench/faults.py", "--quick", cwd=tmp_path, timeout=500)
    assert done.returncode == 0, done.stdout
    tried, right = done.stdout.splitlines()[-1].removesuffix(" right").split(" tried, ")
    assert tried == right
    assert int(tried) >= 40
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "codes", "said"),
    [
        (("graph-losses.py", "nowhere"), {0}, "exit code 2, not [0]"),
        (("graph-losses.py", "nowhere"), {2}, None),
    ],
)
def test_a_wrong_answer_is_noticed(tmp_path, words, codes, said):
    base = tmp_path / "base"
    base.mkdir()
    fault = Fault("kind", "name", words, codes=frozenset(codes))
    verdict = faults.verdict(fault, base, tmp_path / "case", tmp_path)
    assert verdict == said or verdict.startswith(said)


def test_control_characters_and_changed_files_are_noticed():
    assert faults._wrong_with_words(0, "\x1b[2J", "") == "control characters reach the terminal"
    assert faults._wrong_with_words(2, "", "x: error: a\n" * 2).startswith("2 lines")
    assert faults._wrong_with_files(2, {}, {"half.png": (1, 1)}) == (
        "refused, and yet changed half.png"
    )
