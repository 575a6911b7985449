"""The PDF of an answer: hostile texts, and the node and the answer that it is about."""

from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from huggin.recording.answer import read_answer, write_answer
from huggin.recording.run_folder import RunFolder
from tests.conftest import command
from tests.recording.test_answer import HOSTILE, answer


@pytest.fixture
def drawn(morning) -> Path:
    for door in ("graph-weights.py", "graph-losses.py"):
        assert command(door, "run", cwd=morning).returncode == 0
    return morning


@pytest.mark.slow
def test_hostile_text_in_the_pdf(drawn):
    run = RunFolder(drawn / "run")
    inside = answer(8)
    write_answer(run, inside)
    hidden = {site: values.repeat(8, axis=1) for site, values in inside.activations.items()}
    (run.recording / "answers-1.arrow").unlink()
    write_answer(run, replace(inside, activations=hidden))
    assert read_answer(run).facts.window.question == HOSTILE
    done = command("graph-node-logits.py", "run", "--node", "3", cwd=drawn)
    assert (done.returncode, done.stderr) == (0, "")
    done = command("create-gv-output.py", "run", "--node", "3", cwd=drawn)
    assert done.returncode == 0
    assert all("no font here can draw" in line for line in done.stderr.splitlines())
    source = (drawn / done.stdout.strip()).with_suffix("").read_text()
    assert (
        "&lt;b&gt;&amp;&quot;&#x27;); DROP TABLE ]]&gt; \N{REPLACEMENT CHARACTER} مرحبا 世界"
        in source
    )


@pytest.mark.slow
def test_the_pdf_is_about_the_newest_answer_and_one_node(drawn):
    asked = command("test-qa-efficacy.py", "cfg.json", "--samples", "1", cwd=drawn)
    assert asked.returncode in (0, 1)
    assert command("graph-node-logits.py", "run", "--node", "12", cwd=drawn).returncode == 0
    done = command("create-gv-output.py", "run", "--node", "5", cwd=drawn)
    assert done.returncode == 0, done.stderr
    texts = [page.extract_text() for page in PdfReader(drawn / done.stdout.strip()).pages]
    assert "node 5" in " ".join(texts)
    assert "Node 5 by token: an answer after 8 steps" in texts[0]
    assert "Question by question" not in " ".join(texts)  # it is about the answer alone
    assert "modules" not in " ".join(texts)
    assert "Which attention heads read a word" in " ".join(texts)
    assert "It is not importance" in " ".join(texts)
    assert (drawn / "run" / "graphs" / "attention.png").exists()
    kept = read_answer(RunFolder(drawn / "run"))
    window = kept.facts.window
    assert kept.attention.of == list(dict.fromkeys([window.gold_start, window.gold_end, 0]))
    assert kept.attention.weights.shape == (2, 2, len(kept.attention.of), len(window.tokens))
    assert window.question in " ".join(texts[0].split())
