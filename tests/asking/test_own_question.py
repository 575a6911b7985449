"""A question of one's own from the inside: its answer is kept, and nothing calls it right."""

import os
import re
import subprocess

import pytest
from matplotlib.text import Text
from pypdf import PdfReader

import huggin
from huggin.asking.answering import TrainedModel
from huggin.graphs.attention import draw_attention
from huggin.pages.facts import answer_facts
from huggin.pages.page_run import page_of_answer
from huggin.qa.features import track_sample
from huggin.recording.answer import read_answer
from huggin.recording.reader import Recording
from huggin.recording.run_folder import RunFolder
from tests.conftest import CONTEXT, command, toolkit

QUESTION = "Who owns the ravens?"
OWN = ("--question", QUESTION, "--context")


def test_the_answer_is_kept_and_the_scores_stay(morning):
    done = command("test-qa-efficacy.py", "cfg.json", *OWN, CONTEXT, cwd=morning)
    assert done.returncode == 0, done.stderr
    found = huggin.ask(morning / "run", QUESTION, CONTEXT)
    assert done.stdout == f"{found.in_words()}\n"
    facts = read_answer(RunFolder(morning / "run")).facts
    assert (facts.window.question, facts.window.context) == (QUESTION, CONTEXT)
    assert (facts.answered, facts.right, facts.window.answer) == (found.best.text, None, "")
    assert not facts.window.has_answer
    assert not (morning / "stack_trace.db").exists()
    assert not (morning / "run" / "efficacy.json").exists()


def test_what_is_explained_is_the_window_of_the_answer(morning):
    trained = TrainedModel.load(morning / "run")
    found = trained.answer(QUESTION, CONTEXT * 30)
    late = next(answer for answer in found.answers if answer.window > 0)
    found.answers.insert(0, late)
    trained.keep(found)
    facts = read_answer(RunFolder(morning / "run")).facts
    explained = facts.explained
    assert (explained.gold_start, explained.gold_end) == (late.start, late.end)
    record = {"question": QUESTION, "context": CONTEXT * 30, "answers": {"answer_start": []}}
    record["answers"]["text"] = []
    first, whole = (
        track_sample(record, 0, trained.tokenizer, trained.data, number).tokens
        for number in (0, late.window)
    )
    assert explained.tokens == whole != first


@pytest.fixture
def asked(morning) -> Recording:
    """A run whose newest answer is to a question of one's own."""
    trained = TrainedModel.load(morning / "run")
    trained.keep(trained.answer(QUESTION, CONTEXT))
    return Recording(morning / "run")


def test_page_and_figures_compare_it_with_nothing(asked):
    answer = read_answer(asked.run)
    rows = dict(answer_facts(asked, answer.facts))
    assert rows["answer"] == answer.facts.answered
    assert rows["expected"] == "no given answer: it is a question of your own"
    page = page_of_answer(asked)
    (sample,) = page["samples"]
    assert (page["is_own"], sample["gold"]) == (True, None)
    assert sample["shares"]["margin"]["start"] == answer.facts.start
    assert answer.attention.of == list(dict.fromkeys([answer.facts.start, answer.facts.end, 0]))
    (figure,) = draw_attention(asked).values()
    texts = " ".join(text.get_text() for text in figure.findobj(Text))
    assert "the answer's start" in texts
    assert "true" not in texts


def test_lime_answer_explains_the_newest_answer(asked):
    found = huggin.explain_answer(asked.run.path, samples=33, compare=False)
    assert (found.kept.asked.question, found.kept.asked.right) == (QUESTION, None)
    assert page_of_answer(asked)["samples"][0]["words"] is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--question", "Who?"], "--question and --context: give both"),
        ([*OWN, CONTEXT, "--samples", "3"], "--samples: is about the data's questions"),
        ([*OWN, CONTEXT, "--db", "mine.db"], "--db: is about the data's questions"),
        ([*OWN, "stroy.txt"], "--context stroy.txt: no such file; name one, or give a text"),
        ([*OWN, " "], "empty context; give a text with words in it"),
    ],
)
def test_refusals(morning, words, said):
    done = command("test-qa-efficacy.py", "cfg.json", *words, cwd=morning)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr.splitlines()[-1]
    assert not list((morning / "run" / "recording").glob("answers-*"))


@pytest.mark.slow
def test_the_driver_explains_it_in_page_and_pdf(morning):
    (morning / "story.txt").write_text(CONTEXT)
    done = subprocess.run(
        [toolkit() / "get-model-output", "cfg.json", *OWN, "story.txt"],
        cwd=morning,
        capture_output=True,
        text=True,
        env={key: value for key, value in os.environ.items() if "DISPLAY" not in key},
    )
    assert done.returncode == 0, done.stderr
    pdf = morning / re.search(r"^PDF +(.*)$", done.stdout, re.MULTILINE)[1]
    text = " ".join(" ".join(page.extract_text() for page in PdfReader(pdf).pages[:1]).split())
    assert QUESTION in text
    assert "no given answer" in text
    assert "not answered right" not in text
    assert '"is_own":true' in pdf.with_name(page_in(done.stdout)).read_text("utf-8")


def page_in(printed: str) -> str:
    """The name of the page that a driver has told."""
    return re.search(r"^page .*/(.*html)$", printed, re.MULTILINE)[1]
