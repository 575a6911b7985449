"""The PDF: all figures, a true legend, every text whole."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import graphviz
import pytest
import torch
from transformers import BertConfig, BertForQuestionAnswering

from huggin.model.modules import legend_rows
from huggin.pages.dot import UNKNOWN, cell_text, missing_fonts, render, table
from tests.conftest import command

HOSTILE = (
    "Tom & <b>\"Jerry\"</b> ]]> \\N \\G 'x'); DROP TABLE\x00\x07 \n" + "word " * 700 + "مرحبا 世界"
)


@pytest.fixture
def run(tiny_run, tmp_path) -> Path:
    copy = Path(shutil.copytree(tiny_run, tmp_path / "a run & <more>"))
    for door in ("graph-weights.py", "graph-losses.py", "graph-logits.py"):
        assert command(door, copy, cwd=tmp_path).returncode == 0
    return copy


def test_the_pdf_of_a_run(run):
    done = command("create-gv-training.py", run, cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    pdf = run.parent / done.stdout.strip()
    assert re.fullmatch(r"qa-training-\d{4}-\d\d-\d\d-\d{6}\.gv\.pdf", pdf.name)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert sorted(path.name for path in pdf.parent.iterdir()) == sorted([pdf.stem, pdf.name])
    source = pdf.with_suffix("").read_text()
    assert source.count("<IMG") == 5
    assert "BertSelfAttention" in source
    assert "Who owns the ravens?" in source
    assert "questions, after step 8" in source


def test_a_missing_figure_is_named_and_no_half_pdf_is_left(run):
    (run / "graphs" / "losses.png").unlink()
    done = command("create-gv-training.py", run, "--out", "there", cwd=run.parent)
    assert done.returncode == 2
    assert "losses.png: not there; run graph-losses.py" in done.stderr
    assert not (run.parent / "there").exists() or list((run.parent / "there").iterdir()) == []


def test_a_figure_older_than_the_run_is_refused(run):
    os.utime(run / "graphs" / "losses.png", (1, 1))
    done = command("create-gv-training.py", run, cwd=run.parent)
    assert done.returncode == 2
    assert "losses.png: older than what was recorded since; run graph-losses.py" in done.stderr


@pytest.mark.parametrize("content", ["{}", "[]", "{"])
def test_scores_that_cannot_be_read(run, content):
    (run / "eval_results.json").write_text(content)
    done = command("create-gv-training.py", run, cwd=run.parent)
    assert done.returncode == 2
    assert "eval_results.json: not readable" in done.stderr


def test_no_dot(tmp_path, monkeypatch):
    from huggin.common.errors import UserError

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="`dot` not found; run ./setup"):
        render(graphviz.Digraph(), tmp_path / "out", "training")
    assert list((tmp_path / "out").iterdir()) == []


def test_hostile_text_comes_out_whole(tmp_path):
    graph = graphviz.Digraph()
    graph.node("text", table([("label", HOSTILE)], "white", (10, 80)), shape="plain")
    svg = graph.pipe(format="svg", encoding="utf-8")
    shown = re.sub(
        r"\s+", " ", " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)).replace("&#160;", " ")
    )
    assert "Tom &amp; &lt;b&gt;" in shown
    assert "]]&gt; \\N \\G" in shown
    assert "DROP TABLE\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}" in shown
    assert shown.count("word") == 700
    assert "世界" in shown
    assert render(graph, tmp_path, "training").stat().st_size > 1000


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
    private = graphviz.Digraph()
    private.node("a", "\ue123")
    assert missing_fonts(private) == (
        "no font here can draw \ue123; install one, as in: sudo apt-get install fonts-noto-cjk"
    )
    latin = graphviz.Digraph()
    latin.node("a", "plain")
    assert missing_fonts(latin) is None


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


def test_the_pdf_has_one_page(run):
    done = command("create-gv-training.py", run, cwd=run.parent)
    if shutil.which("pdfinfo") is None:
        pytest.skip("pdfinfo (poppler-utils) is not installed")
    info = subprocess.run(
        ["pdfinfo", run.parent / done.stdout.strip()], capture_output=True, text=True
    )
    assert re.search(r"Pages:\s+1\n", info.stdout)
