"""The PDF: its figures, its sections, a true legend, every text whole."""

import json
import os
import re
import shutil
import unicodedata
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import graphviz
import pytest
import torch
from pypdf import PdfReader
from transformers import BertConfig, BertForQuestionAnswering

from huggin.analysis.nodes import NodeChoice, rank_nodes
from huggin.model.modules import legend_rows
from huggin.pages.blocks import (
    HEIGHT,
    WIDTH,
    Block,
    Document,
    Part,
    render,
    sheets,
    stacked,
    text_block,
)
from huggin.pages.dot import UNKNOWN, cell_text, label, missing_fonts, table
from huggin.pages.pdf import made_before, training_document
from huggin.recording.reader import Recording
from tests.conftest import command

HOSTILE = (
    "Tom & <b>\"Jerry\"</b> ]]> \\N \\G 'x'); DROP TABLE\x00\x07 \n" + "word " * 700 + "مرحبا 世界"
)


@pytest.fixture
def run(tiny_run, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "a run & <more>"))


def pdf_of(run: Path, *words: str) -> Path:
    """The PDF of the training that a command makes; nothing else is said."""
    done = command("create-gv-training.py", run, *words, cwd=run.parent)
    assert (done.returncode, done.stderr) == (0, "")
    return run.parent / done.stdout.strip()


def texts_of(pdf: Path) -> list[str]:
    """The text of each page, as a search finds it: without ligatures and line feeds."""
    texts = [unicodedata.normalize("NFKC", page.extract_text()) for page in PdfReader(pdf).pages]
    return [" ".join(text.split()) for text in texts]


@pytest.fixture(scope="session")
def pdf(made_once, tiny_run) -> Path:
    """The PDF of a run in a folder with an odd name, made once."""

    def make(folder: Path) -> None:
        pdf_of(Path(shutil.copytree(tiny_run, folder / "a run & <more>")))

    (made,) = (made_once("pdf", make) / "gv-graphs").glob("*.pdf")
    return made


@pytest.mark.slow
def test_the_pdf_of_a_run(pdf):
    assert re.fullmatch(r"qa-training-\d{4}-\d\d-\d\d-\d{6}\.gv\.pdf", pdf.name)
    assert sorted(path.name for path in pdf.parent.iterdir()) == sorted([pdf.stem, pdf.name])
    assert "BertSelfAttention" in pdf.with_suffix("").read_text()
    first, *others = texts_of(pdf)
    others = " ".join(others)
    for text in ("1 What was trained, and how it learned", "questions, after step 8"):
        assert text in first
    for figure in ("Weights of the head", "Training loss"):
        assert figure in first
    assert "Change of the head's weights by step" in first + others
    assert "The modules of the model" in others
    assert "BertSelfAttention" in others
    assert "2 One question through time" in others
    assert "Who owns the ravens?" in others
    for figure in ("Loss of the tracked sample", "Logits of the tracked sample", "Shares in"):
        assert figure in others
    assert "muninn" in others  # a token of a figure
    assert "3 Through the layers" in others
    assert "sample 0: the head is " in others
    for figure in ("layer's output: the probability of each token", "Norm of the gradient by part"):
        assert figure in others
    assert "4 Question by question" in others
    assert "by question word: " in others
    assert "The questions with the highest loss when they were last seen" in others
    assert "Each part of the model put back" not in others  # this run was never rewound


@pytest.mark.slow
def test_what_rewinding_found_is_in_the_pdf_and_lost_texts_are_said(run):
    assert command("rewind", run, "--samples", "2", cwd=run.parent).returncode == 0
    path = run / "recording" / "run.json"
    facts = json.loads(path.read_text())
    facts["cfg"]["train_file"] = "gone.json"
    path.write_text(json.dumps(facts))
    done = command("create-gv-training.py", run, cwd=run.parent)
    (line,) = done.stderr.splitlines()
    assert "left out, the kinds of questions: gone.json: no such file any more" in line
    text = " ".join(texts_of(run.parent / done.stdout.strip()))
    assert "Each part of the model put back to step 0, and trained alone" in text
    assert "all questions" in text


@pytest.mark.slow
def test_the_pdf_says_what_it_is(pdf):
    reader = PdfReader(pdf)
    title = reader.metadata.title
    assert re.match(r".*: BertForQuestionAnswering \(.*\) on questions.json, 8 steps, EM ", title)
    known = " on questions that it was trained on"
    assert re.search(rf", F1 [0-9.]+ %{known}, \d{{4}}-\d\d-\d\d$", title)
    run = pdf.parent.parent / "a run & <more>"
    about = f"Training, as recorded in {run} (8 steps, recording "
    assert reader.metadata.subject == f"{about}{Recording(run).facts.run_id[:8]})"
    assert title[:40] in texts_of(reader.stream)[0]


@pytest.mark.slow
def test_figures_are_vectors_on_a3_at_most(pdf):
    reader = PdfReader(pdf)
    for page in reader.pages:
        assert page.mediabox.width <= 1190.56
        assert page.mediabox.height <= 841.9
    assert [len(page.images) for page in reader.pages][0] == 0
    maps = sum(len(page.images) for page in reader.pages)
    assert 0 < maps <= 18  # logits over time, the layers, the gradients: heat maps and their scales


@pytest.mark.slow
def test_a_pdf_is_about_one_node_whatever_was_drawn_before(run):
    assert command("graph-weights.py", run, "--node", "12", cwd=run.parent).returncode == 0
    chosen = texts_of(pdf_of(run, "--node", "5", "--out", "chosen"))
    assert re.search("tracked node ?5, as chosen", chosen[0])
    best = rank_nodes(Recording(run), NodeChoice()).nodes[0]
    ranked = texts_of(pdf_of(run))
    why = "the first one ranked by share of sample 0"
    assert re.search(f"tracked node ?{best}, {why}", ranked[0])


def test_a_pdf_is_old_once_the_run_was_rewound(run, monkeypatch):
    monkeypatch.setattr("huggin.pages.pdf.is_about", lambda *_: True)
    pdf = run / "qa-training-2026.gv.pdf"
    pdf.touch()
    assert made_before(run, [Recording(run)]) == pdf
    (run / "rewind.json").write_text("[]")
    os.utime(run / "rewind.json", (pdf.stat().st_mtime + 9,) * 2)
    assert made_before(run, [Recording(run)]) is None


def test_a_node_that_is_not_there(run):
    done = command("create-gv-training.py", run, "--node", "16", "--out", "there", cwd=run.parent)
    assert done.returncode == 2
    assert "--node 16: the head has nodes 0 to 15" in done.stderr
    assert not (run.parent / "there").exists()


@pytest.mark.slow
def test_a_recording_without_node_snapshots_has_a_pdf(run):
    for path in (run / "recording").glob("nodes-*.arrow"):
        path.unlink()
    done = command("create-gv-training.py", run, cwd=run.parent)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "left out, the shares of the nodes: " in line
    assert "no nodes of sample 0" in line


def block(width: float, height: float, **facts: bool) -> Block:
    """A block that is filled, as a rectangle of a PDF."""
    page = SimpleNamespace(mediabox=SimpleNamespace(width=width, height=height))
    return Block(width, height, [Part(page, 1.0, 0.0, 0.0)], **facts)


def test_blocks_below_each_other():
    column = stacked([block(30, 20), block(50, 10)])
    assert (column.width, column.height, column.area) == (50, 40, 1100)
    assert [(part.left, part.top) for part in column.parts] == [(0, 0), (0, 30)]


def test_blocks_flow_over_the_sheets_and_a_heading_goes_with_what_is_behind_it(monkeypatch):
    monkeypatch.setattr("huggin.pages.blocks.SCALES", [1.0])
    half = block(WIDTH / 2.2, HEIGHT / 2.2)
    (sheet,) = sheets([half] * 4)
    assert len({part.left for part in sheet.parts}) == len({part.top for part in sheet.parts}) == 2
    title = block(100, 20, is_heading=True)
    first, second = sheets([half, half, half, title, half, half])
    assert (len(first.parts), len(second.parts)) == (3, 3)
    assert second.parts[0].top == 0
    assert all(part.top > 0 for part in second.parts[1:])
    for times in (2, 3, 7, 11.1):
        assert len(sheets([block(times * WIDTH, 10)])) == 1
    wide, tall = block(2 * WIDTH, 180), block(300, 9 * HEIGHT)
    high = [title, title, wide, tall, title, half, half]
    assert [len(sheet.parts) for sheet in sheets(high)] == [3, 1, 3]
    (shrunk,) = sheets([block(2 * WIDTH, 10)])
    assert shrunk.width == pytest.approx(WIDTH)


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1, 2])
def test_no_sheet_but_the_last_is_empty(tiny_run, pretrained_run, runs):
    recordings = [Recording(path) for path in (tiny_run, pretrained_run)[:runs]]
    *others, last = sheets(training_document(recordings).blocks)
    assert min(sheet.area for sheet in others) >= 0.4 * WIDTH * HEIGHT
    assert max(sheet.width for sheet in (*others, last)) <= WIDTH
    assert "parameters of each" in last.sources[-1]  # the table of modules is the last


@pytest.mark.parametrize("content", ["{}", "[]", "{"])
def test_scores_that_cannot_be_read(run, content):
    (run / "eval_results.json").write_text(content)
    done = command("create-gv-training.py", run, cwd=run.parent)
    assert done.returncode == 2
    assert "it writes a new one" in done.stderr


def test_no_dot(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = command("create-gv-training.py", run, "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "`dot` not found; run ./setup" in done.stderr
    assert not (tmp_path / "out").exists()


def test_pdfs_of_the_same_second_are_all_kept(tmp_path, monkeypatch):
    class Noon(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 3, 1, 12, 0, 0)

    monkeypatch.setattr("huggin.pages.made_files.datetime", Noon)
    document = Document("T", "S", [text_block(table([("a",)], "white", (9,)))])
    names = [render(document, tmp_path, "training").name for _ in range(3)]
    stem = "qa-training-2026-03-01-120000"
    assert names == [f"{stem}.gv.pdf", f"{stem}-2.gv.pdf", f"{stem}-3.gv.pdf"]


def test_hostile_text_comes_out_whole(tmp_path):
    graph = graphviz.Digraph()
    markup = table([("label", HOSTILE)], "white", (10, 80))
    graph.node("text", label(markup), shape="plain")
    svg = graph.pipe(format="svg", encoding="utf-8")
    shown = re.sub(
        r"\s+", " ", " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)).replace("&#160;", " ")
    )
    assert "Tom &amp; &lt;b&gt;" in shown
    assert "]]&gt; \\N \\G" in shown
    assert "DROP TABLE\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}" in shown
    assert shown.count("word") == 700
    assert "世界" in shown
    document = Document(HOSTILE, HOSTILE, [text_block(markup)])
    text = " ".join(texts_of(render(document, tmp_path, "training"))).replace("\n", " ")
    assert "DROP TABLE" in text
    assert text.count("word") == 700


def test_blanks_and_joiners_are_not_unknown():
    text = "Non\u00a0breaking\u2009thin\ttab\u3000wide\r\nline \u0645\u06cc\u200c\u062e\x07"
    assert (
        cell_text(text, 90)
        == f"Non breaking thin tab wide<BR/>line \u0645\u06cc\u200c\u062e{UNKNOWN}"
    )


def test_an_endless_text_is_shortened_with_a_mark():
    shown = cell_text("word " * 100_000, 80)
    assert shown.count("word") == 2400
    assert "… (488,000 more characters)" in shown.replace("<BR/>", " ")


def test_a_character_that_no_font_has_is_named():
    if shutil.which("fc-list") is None:
        pytest.skip("fc-list (fontconfig) is not installed")
    assert missing_fonts("a \ue123") == (
        "no font here can draw \ue123; install Noto (Debian: fonts-noto-core; Chinese, Japanese, "
        "Korean: fonts-noto-cjk)"
    )
    assert missing_fonts("plain") is None


def test_lines_keep_their_indent():
    assert cell_text("a(\n  b\n)", 20) == "a(<BR/>  b<BR/>)"
    assert cell_text("", 20) == " "


def test_the_legend_groups_like_modules():
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=16,
    )
    model = BertForQuestionAnswering(config)
    rows = legend_rows(model)
    by_name = {row.names[0].rpartition(".")[2]: row for row in rows}
    assert by_name["attention"].numbers == [6, 9, 12]
    assert by_name["qa_outputs"].parameters == 18
    assert sum(row.parameters * len(row.numbers) for row in rows) == model.num_parameters()
    numbers = sorted(number for row in rows for number in row.numbers)
    assert numbers == list(range(1, 16))


def test_the_legend_is_in_run_json(tiny_run):
    modules = json.loads((tiny_run / "recording" / "run.json").read_text())["modules"]
    assert [row["numbers"] for row in modules if row["names"][0].endswith("attention")] == [[6, 9]]
