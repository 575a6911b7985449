"""Questions of one's own: `huggin ask`, and the same from Python."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import huggin
from huggin.asking.answering import Answered, marked
from huggin.common.errors import UserError
from huggin.qa.answers import Answer
from tests.conftest import CONTEXT, QUESTIONS, ROOT, command

TEXT = "Odin has ravens. They return <at> dinner. He waits."


@pytest.fixture
def here(tiny_run, tiny_cfg, tmp_path, monkeypatch) -> Path:
    """A folder with a finished run, its cfg, and a text."""
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(output_dir="run")))
    (tmp_path / "story.txt").write_text(CONTEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answered(*answers: Answer) -> Answered:
    return Answered(Path("run"), 8, "When do they <return>?", TEXT, list(answers))


def span(text: str, confidence: float) -> Answer:
    begin = TEXT.index(text)
    return Answer(text, confidence, 0, 1, 2, (begin, begin + len(text)))


def test_an_answer_shows_its_sentence_and_the_others():
    found = answered(span("<at> dinner", 0.9), span("ravens", 0.08), span("Odin", 0.001))
    assert found.in_words().splitlines() == [
        "<at> dinner    (probability 0.90 among the 3 likeliest answers)",
        "  They return >><at> dinner<<.",
        "others:",
        "  0.08  ravens",
    ]
    assert [each["text"] for each in found.as_json()["answers"]] == [
        "<at> dinner",
        "ravens",
        "Odin",
    ]
    assert found.as_json()["answers"][0]["place"] == (29, 40)
    shown = found._repr_html_()
    assert "They return <mark>&lt;at&gt; dinner</mark>. He waits." in shown
    assert "<b>When do they &lt;return&gt;?</b>" in shown
    assert "<td>0.08</td><td>ravens</td>" in shown


@pytest.mark.usefixtures("here")
def test_words_that_the_model_does_not_know_are_said():
    found = huggin.ask("run", "Where does Xyzwvut go?", CONTEXT)
    assert found.as_json()["unknown_words"] == ["Xyzwvut"]
    *_, last = found.in_words().splitlines()
    assert last == "words that the model reads letter by letter: Xyzwvut; it may only guess"


def test_no_answer_is_an_answer():
    found = answered(Answer("", 0.7, 0, 0, 0), span("Odin", 0.3))
    assert found.in_words().splitlines()[0].startswith("(no answer)    (probability 0.70")
    assert found.in_words().splitlines()[-1] == "  0.30  Odin"
    assert "<mark>" not in found._repr_html_()


@pytest.mark.parametrize(
    ("context", "answer", "shown"),
    [
        ("One. Two\nthree? Four.", "Two", ">>Two<<"),
        ("No end at all", "end", "No >>end<< at all"),
        ("一二。三四。五", "四", "三>>四<<。"),
        ("a" * 200 + " b " + "c" * 200, "b", f"…{'a' * 119} >>b<< {'c' * 119}…"),
    ],
)
def test_the_sentence_around_an_answer(context, answer, shown):
    begin = context.index(answer)
    assert marked(context, (begin, begin + len(answer))) == shown


def test_places_are_those_of_the_file(here):
    """Where lines end as on Windows, each end is two characters."""
    text = f"A line.\r\nAnother.\r\n{CONTEXT}"
    (here / "crlf.txt").write_bytes(text.encode())
    done = command("ask", "run", QUESTIONS[0][0], "--context", "crlf.txt", "--json", cwd=here)
    for each in json.loads(done.stdout)["answers"]:
        assert text[slice(*each["place"])] == each["text"]


def test_its_own_data_is_answered_as_the_efficacy_test_answers_it(here):
    command("test-qa-efficacy.py", "cfg.json", "--all", "--predictions", "p.json", cwd=here)
    expected = json.loads((here / "p.json").read_text())
    for number, (question, _) in enumerate(QUESTIONS):
        done = command("ask", "run", question, "--context", "story.txt", "--json", cwd=here)
        found = json.loads(done.stdout)
        (first, *_) = found["answers"]
        assert (first["text"], found["step"]) == (expected[f"q{number}"], 8)
        assert CONTEXT[slice(*first["place"])] == first["text"]
        shares = [each["probability"] for each in found["answers"]]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1


def test_questions_at_a_prompt_with_the_model_loaded_once(here, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"Who?\n\n{'who ' * 99}\nWhen?\n"))
    done = command("ask", "cfg.json", "--context", CONTEXT, cwd=here)
    assert done.returncode == 2  # one of them was refused
    assert done.stdout.count("probability") == 2
    assert done.stderr.count("loading the model") == 1
    assert "ask a shorter one" in done.stderr
    words = huggin.ask("cfg.json", "Who?", CONTEXT).in_words()
    assert done.stdout.startswith(words)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{CONTEXT}\nWho?\n"))
    assert command("ask", "run", cwd=here).stdout == f"{words}\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(CONTEXT))
    assert command("ask", "run", "Who?", cwd=here).stdout == f"{words}\n"


def test_prompts_are_no_part_of_the_answers(here, monkeypatch):
    """As where somebody types, and the answers go into a file."""
    typing = io.StringIO("Who?\n")
    typing.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", typing)
    done = command("ask", "run", "--context", CONTEXT, "--json", cwd=here)
    assert json.loads(done.stdout)["question"] == "Who?"
    assert "question: " in done.stderr


def test_a_long_text_is_read_in_windows(here):
    found = huggin.ask(here / "run", "Who owns the ravens?", CONTEXT * 30)
    assert max(answer.window for answer in found.answers) > 0
    places = [answer.place for answer in found.answers]
    assert len(set(places)) == len(places)
    for answer in found.answers:
        assert (CONTEXT * 30)[slice(*answer.place)] == answer.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none", "Who?", "--context", CONTEXT], "none: no trained model; run get-training-output"),
        (["story.txt", "Who?", "--context", CONTEXT], "story.txt: not a cfg.json"),
        (["run", "Who?", "--context", "stroy.txt"], "--context stroy.txt: no such file"),
        (["run", "Who?", "--context", " "], "empty context; give a text with words in it"),
        (["run", "", "--context", CONTEXT], "empty question; give a text"),
        (["run", "\udcff", "--context", CONTEXT], "question: not UTF-8 text"),
        (["run", "who " * 99, "--context", CONTEXT], "ask a shorter one"),
        (["run", "Who?", "--context", CONTEXT, "--device", "abacus"], "--device abacus: not on"),
    ],
)
def test_what_cannot_be_asked_is_refused(here, words, said):
    done = command("ask", *words, cwd=here)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr.splitlines()[-1]


def test_a_run_without_a_recording_says_so(here):
    shutil.rmtree(here / "run" / "recording")
    with pytest.raises(UserError, match="nothing recorded here"):
        huggin.ask("run", "Who?", CONTEXT)


def test_asking_takes_no_time_for_what_reads_files_of_questions():
    code = "import sys, huggin.asking.answering; print({'datasets', 'pandas'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n"
