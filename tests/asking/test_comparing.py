"""Two runs' models are asked the same questions, and nothing is kept of it."""

import json
import shutil

import pytest

import huggin
from huggin.common.errors import UserError
from huggin.recording.run_folder import RunFolder
from tests.conftest import command


@pytest.fixture(scope="module")
def found(tiny_run, pretrained_run):
    return huggin.compare(tiny_run, pretrained_run, split="train", device="cpu")


def test_both_models_answer_the_same_questions(found, tiny_run, pretrained_run, tmp_path):
    alone = []
    for run in (tiny_run, pretrained_run):
        copy = shutil.copytree(run, tmp_path / run.parent.name / "run")
        scored = huggin.examine(copy, split="train", device="cpu", seed=1)
        alone.append(scored.efficacy.correct)
    rights = found.rights
    assert alone == [rights.both + rights.first, rights.both + rights.second]
    indices = [[one.index for one in each.asked] for each in (found.first, found.second)]
    assert indices[0] == indices[1]


def test_what_is_said_and_what_is_counted_are_one(found, tiny_run, pretrained_run):
    words = found.in_words()
    numbers = found.as_json()
    assert words.splitlines()[0] == f"{len(numbers['questions'])} questions of questions.json"
    assert f"A  {tiny_run}, step 8: EM " in words
    assert f"B  {pretrained_run}, step 8: EM " in words
    assert "(all from the training data" in words
    assert [each["name"] for each in numbers["differences"]] == ["EM", "F1"]
    apart = [each["exact_match"] for each in numbers["questions"]]
    gap = sum(second - first for first, second in apart) / len(apart)
    assert numbers["differences"][0]["points"] == pytest.approx(gap)
    assert found._repr_html_().startswith("<pre>")


def test_the_command_says_the_same_and_keeps_nothing(tiny_run, pretrained_run, found):
    before = sorted(path.stat().st_mtime_ns for path in tiny_run.rglob("*"))
    words = ("--split", "train", "--seed", "1", "--device", "cpu")
    done = command("compare", tiny_run, pretrained_run, *words, cwd=tiny_run.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:3] == found.in_words().splitlines()[:3]
    done = command("compare", tiny_run, tiny_run, *words, "--json", cwd=tiny_run.parent)
    assert [each["points"] for each in json.loads(done.stdout)["differences"]] == [0.0, 0.0]
    assert sorted(path.stat().st_mtime_ns for path in tiny_run.rglob("*")) == before


def test_details_take_a_fixed_number_of_questions(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    words = ("test-qa-efficacy.py", run, "--split", "train", "--details")
    done = command(*words, cwd=tmp_path)
    assert (done.returncode, "add --samples N, or --all" in done.stderr) == (2, True)
    done = command(*words, "--all", "--db", "a.db", cwd=tmp_path)
    examined = huggin.examine(run, split="train")
    wrong = len(examined.asked) - examined.efficacy.correct
    assert sum(examined.details.errors.values()) == wrong
    assert ("wrong answers" in done.stdout) == (wrong > 0)
    assert "by the answer's place in its context" in done.stdout
    kept = json.loads((run / "score-details.json").read_text())
    assert (kept["step"], kept["data"]) == (8, examined.efficacy.data)
    assert kept["tables"] == [list(map(list, table)) for table in examined.details.tables()]


def test_a_folder_without_a_run_is_refused(tiny_run, tmp_path):
    done = command("compare", tiny_run, tmp_path, cwd=tmp_path)
    assert (done.returncode, "no trained model" in done.stderr) == (2, True)
    with pytest.raises(UserError, match="no such folder|nothing recorded|no trained"):
        huggin.compare(tiny_run, RunFolder(tmp_path).path)
