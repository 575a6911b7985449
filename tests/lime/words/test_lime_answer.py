"""huggin lime-answer as users type it, on the tiny run."""

import html
import json
import shutil
import sqlite3
from contextlib import chdir, closing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import huggin
from huggin.common.errors import BadValue, UserError
from huggin.lime.words.found import read_kept
from huggin.pages import page_run
from huggin.recording.reader import Recording
from tests.conftest import command
from tests.lime.conftest import STEPS
from tests.pages.pages import data_in, page_of

FIGURES = ["agreement.png", "top-words.png", "words-by-step.png", "words.png"]
OWN = ("--question", "Who owns the ravens?", "--context")

pytestmark = pytest.mark.slow  # whichever comes first makes the explanation


@pytest.fixture(scope="module")
def explained(made_once, tiny_run):
    """A copy of the tiny run, whose question 1 was explained, and what was printed."""

    def make(folder):
        shutil.copytree(tiny_run, folder / "run")
        more = ("--checkpoints", "--stability", 2, "--samples", 65, "--json", "numbers.json")
        done = command("lime-answer", "run", 1, *more, "--db", "a.db", "--verbose", cwd=folder)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        (folder / "printed.txt").write_text(done.stdout)

    return made_once("explained", make)


def test_what_is_printed(explained):
    lines = (explained / "printed.txt").read_text().splitlines()
    assert lines[0] == "question 1: When do they return?"
    assert [line for line in lines if line.startswith("Step")] == STEPS
    text = "\n".join(lines)
    for part in (
        "held out",
        "the model still gives its answer in",
        "leave-one-out ",
        "integrated gradients: ",
        "last layer: ",
        "2 explanations: Jaccard@5",
        "step 8: logit ",
    ):
        assert part in text
    assert sum(line.startswith("Verdict: ") for line in lines) == 1


def test_the_figures_are_there(explained):
    made = explained / "run" / "explanations" / "1"
    assert sorted(path.name for path in made.glob("*.png")) == FIGURES
    for path in made.glob("*.png"):
        with Image.open(path) as image:
            assert min(image.size) > 300


def test_the_numbers_and_the_database_are_the_same(explained):
    (finding,) = json.loads((explained / "numbers.json").read_text())["findings"]
    assert finding["masks"][0] == "1" * len(finding["segments"])
    assert len(finding["predictions"]) == finding["samples"] == 65
    kept = read_kept(explained / "run" / "explanations" / "1")
    assert kept.findings[0].segments[0].coefficient == finding["segments"][0]["coefficient"]
    words = ["When", "do", "they", "return?"]
    assert [one["text"] for one in finding["segments"][:4]] == words
    with closing(sqlite3.connect(explained / "a.db")) as database:
        rows = database.execute("SELECT kind, picture, segmenter, fill, samples FROM explanations")
        question = "question 1: When do they return?"
        assert rows.fetchall() == [("words", question, "words", "mask", 65)]
        segments = database.execute("SELECT text, coefficient FROM segments ORDER BY segment")
        wanted = [(one["text"], one["coefficient"]) for one in finding["segments"]]
        assert segments.fetchall() == wanted


def test_an_explanation_of_a_version_without_proxies_opens(explained, tmp_path):
    numbers = json.loads((explained / "numbers.json").read_text())
    for finding in numbers["findings"]:
        for name in ("adjusted", "proxy_r2", "pairs"):
            del finding[name]
    (tmp_path / "explanation.json").write_text(json.dumps(numbers))
    (finding,) = read_kept(tmp_path).findings
    assert (finding.adjusted, finding.proxy_r2, finding.pairs) == (False, None, [])


def test_the_checkpoints_are_in_order(explained):
    by_step = read_kept(explained / "run" / "explanations" / "1").by_step
    assert by_step
    assert by_step.steps == sorted(by_step.steps)
    assert by_step.steps[-1] == 8
    assert np.array(by_step.coefficients).shape[0] == len(by_step.steps) >= 2


def test_the_page_shows_only_explanations_of_its_answer_and_its_model(explained, monkeypatch):
    recording = Recording(explained / "run")
    asked = read_kept(explained / "run" / "explanations" / "1").asked

    def words_if_the_newest_is(question: str) -> Any:
        window = replace(recording.tracked(0), question=question, context=asked.context)
        answer = SimpleNamespace(facts=SimpleNamespace(window=window))
        monkeypatch.setattr(page_run, "read_answer", lambda run: answer)
        return page_run.words_of_answer(recording)

    assert words_if_the_newest_is(asked.question)["segments"]
    assert words_if_the_newest_is("Another?") is None
    monkeypatch.setattr(page_run, "hash_of_weights", lambda model: "another model")
    assert words_if_the_newest_is(asked.question) is None


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("nowhere", 1), "nowhere: no such folder"),
        (("run", 4), "INDEX 4: no such question; validation has the questions 0 to 3"),
        (("run", *OWN, " "), "own question: empty context"),
        (("run", *OWN, "word " * 5000), "a context of 5,000 words; at most 2,000"),
        (
            ("run", "--question", "why " * 60, "--context", "Odin."),
            "the windows of this run have room for 44",
        ),
        (("run", *OWN, "Odin", "--by", "sentences"), "1 segments can be hidden"),
        (("run", *OWN, "Odin is.", "--explain", "gold"), "has no expected answer"),
        (("run", 1, "--explain", "Loki"), "--explain 'Loki': is not in the context"),
        (("run", 1, "--spans", "Loki"), "--spans 'Loki': is not in the question or the context"),
        (("run", "--question", "Who?"), "question and context: give both"),
        (
            ("run", 1, "--hide", "pad", "--hide-answer"),
            "tokens, so it cannot be scored",
        ),
    ],
)
def test_bad_input_is_told_in_one_line(words, problem, tiny_run, tmp_path):
    (tmp_path / "run").symlink_to(tiny_run)
    done = command("lime-answer", *words, "--out", "out", "--db", "a.db", cwd=tmp_path)
    assert done.returncode == 2
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_page_shows_the_words(explained, tmp_path):
    page = page_of(tmp_path, explained / "run")
    (answer,) = data_in(page)["runs"][0]["explained"]
    kept = read_kept(explained / "run" / "explanations" / "1")
    assert answer["question"] == "When do they return?"
    assert [word["text"] for word in answer["words"][:4]] == ["When", "do", "they", "return?"]
    shares = [abs(word["share"]) for word in answer["words"] if word["share"] is not None]
    assert max(shares) == 1
    hidden = {word["text"] for word in answer["words"] if word["share"] is None}
    assert hidden == {word["text"] for word in answer["words"] if word["answer"]}
    assert kept.findings[0].believe in answer["lines"]


def test_python_says_and_shows_what_the_command_does(explained, tmp_path):
    run = shutil.copytree(explained / "run", tmp_path / "run")
    with chdir(run.parent):
        found = huggin.explain_answer(
            "run", 1, samples=65, stability=2, checkpoints=True, verbose=True
        )
    printed = (explained / "printed.txt").read_text().splitlines()
    assert found.in_words().splitlines() == [line for line in printed if not line.endswith(".png")]
    numbers = json.loads((explained / "numbers.json").read_text())
    assert json.loads(json.dumps(found.as_json())) == numbers
    assert sorted(f"{name}.png" for name in found.figures()) == FIGURES
    shown = found._repr_html_()
    assert shown.count("<img ") == len(FIGURES)
    assert html.escape(found.in_words()) in shown


def test_python_is_refused_what_the_command_is(explained):
    with pytest.raises(UserError, match="question and context: give both"):
        huggin.explain_answer(explained / "run", question="Who?")
    with pytest.raises(BadValue, match="cannot be scored"):
        huggin.explain_answer(explained / "run", 1, hide="delete", hide_answer=True)


def test_a_damaged_explanation_is_told_in_one_line(explained, tmp_path):
    whole = json.loads((explained / "run" / "explanations" / "1" / "explanation.json").read_text())
    path = tmp_path / "explanation.json"
    path.write_text(json.dumps(whole | {"findings": [{"kind": "words"}]}))
    with pytest.raises(UserError, match=r"findings\.0\..*run huggin lime-answer again"):
        read_kept(tmp_path)
    whole["findings"][0]["pieces"][0]["segment"] = 10**6
    path.write_text(json.dumps(whole))
    with pytest.raises(UserError, match="do not fit together"):
        read_kept(tmp_path)


def test_a_figure_of_an_earlier_explanation_goes(explained, tmp_path):
    shutil.copytree(explained / "run", tmp_path / "run")
    (folder,) = (tmp_path / "run" / "explanations").iterdir()
    assert (folder / "agreement.png").exists()
    more = ("--only-lime", "--samples", 65, "--db", "a.db")
    done = command("lime-answer", "run", 1, *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) <= 9
    assert [line.split(":")[0] for line in lines[2:5]][1:] == ["words for it", "words against it"]
    assert lines[-2].startswith("Verdict: ")
    assert lines[-1] == f"run/explanations/{folder.name}/words.png"
    assert sorted(path.name for path in folder.glob("*.png")) == ["top-words.png", "words.png"]
