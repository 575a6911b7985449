"""Figures + legend -> DOT -> PDF, with Graphviz. Every text goes through `cell_text`."""

import html
import json
import os
import shutil
import subprocess
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import graphviz
import numpy as np

from huggin.answer_recording import AnswerFacts, read_answer
from huggin.door import UserError
from huggin.files import replacing
from huggin.graphs.output import DPI, paths_beside
from huggin.graphs.runs import figure_name, side_by_side
from huggin.learning import flips_in_words
from huggin.recording import Recording, Steps
from huggin.run_facts import model_type_state
from huggin.run_folder import RunFolder

LEGEND_GREEN, FACTS_BLUE = "#d5fbc8", "#dcedf9"
FONT = "Helvetica"
POINTS = 72  # an inch
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
BEYOND_LATIN = 0x300
LONGEST = 12_000  # characters of one text
ARROW = {"penwidth": "4", "arrowsize": "1.5"}
LEARNING = {"weights": "graph-weights.py", "weight-change": "graph-weights.py", "losses": "graph-losses.py"}


def cell_text(text: str, width: int) -> str:
    """Any text as the inside of a cell: wrapped, escaped, control characters as U+FFFD, shortened if it is endless."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} … ({len(text) - LONGEST:,} more characters)"
    lines = [piece for line in "".join(map(_drawn, text)).splitlines() or [""] for piece in _wrapped(line, width)]
    return "<BR/>".join(html.escape(line).replace("\\", r"\\") for line in lines)  # \N would become the node's name


def _drawn(character: str) -> str:
    """A character as a PDF can have it; joiners and direction marks are kept, every blank is a space."""
    if character in "\r\n":
        return character
    category = unicodedata.category(character)
    return {"Zs": " ", "Zl": "\n", "Zp": "\n", "Cc": UNKNOWN, "Cs": UNKNOWN, "Cn": UNKNOWN}.get(
        "Zs" if character == "\t" else category, character
    )


def missing_fonts(graph: graphviz.Digraph) -> str | None:
    """A line that names characters that no font here can draw, one of each block; None where there are none."""
    if not shutil.which("fc-list"):
        return None
    blocks = {ord(character) >> 8: character for character in graph.source if ord(character) >= BEYOND_LATIN}
    missing = [character for character in blocks.values() if not _has_font(character)]
    if not missing:
        return None
    return f"no font here can draw {' '.join(missing)}; install one, as in: sudo apt-get install fonts-noto-cjk"


def _has_font(character: str) -> bool:
    found = subprocess.run(["fc-list", f":charset={ord(character):x}", "family"], capture_output=True)
    return bool(found.stdout.strip())


def _wrapped(line: str, width: int) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(line, width, subsequent_indent=indent and indent + "  ") or [" "]


def table(rows: list[tuple[str, ...]], colour: str, widths: tuple[int, ...], heads: tuple[str, ...] = ()) -> str:
    """An HTML-like label: a cell per text, wrapped at its column's width in characters; the first row in `heads`."""

    def row_of(texts: tuple[str, ...]) -> str:
        cells = [cell_text(text, width) for text, width in zip(texts, widths, strict=True)]
        if texts is rows[0] and heads:
            cells = [f'<FONT COLOR="{head}">{cell}</FONT>' for head, cell in zip(heads, cells, strict=True)]
        return "<TR>" + "".join(f'<TD ALIGN="LEFT" BALIGN="LEFT">{cell}</TD>' for cell in cells) + "</TR>"

    attributes = f'BORDER="0" CELLBORDER="1" CELLSPACING="0" CELLPADDING="6" BGCOLOR="{colour}"'
    return f"<<TABLE {attributes}>{''.join(map(row_of, rows))}</TABLE>>"


def pictures(paths: list[Path], folder: Path, border: int, stacked: bool = False) -> str:
    """An HTML-like label: figures side by side, or stacked, at their own size, found from `folder`."""
    cells = ("</TR><TR>" if stacked else "").join(_picture_cell(path, folder) for path in paths)
    return f'<<TABLE BORDER="{border}" CELLBORDER="0" CELLSPACING="8" BGCOLOR="white"><TR>{cells}</TR></TABLE>>'


def _picture_cell(path: Path, folder: Path) -> str:
    from PIL import Image

    with Image.open(path) as picture:
        width, height = (round(pixels / DPI * POINTS) for pixels in picture.size)
    source = html.escape(os.path.relpath(path, folder))
    return f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"><IMG SCALE="TRUE" SRC="{source}"/></TD>'


def legend_table(modules: list[dict[str, Any]], head: tuple[str, str] = ("", "black")) -> str:
    """The model's modules: number(s), what they are, parameters of each; like modules share a row.

    head: the run's name and colour, where several have their own.
    """
    title = f"{head[0]}\nmodule, in the order of the model".strip()
    rows: list[tuple[str, ...]] = [("no.", title, "parameters of each")]
    for row in modules:
        name = row["names"][0].rpartition(".")[2]
        rows.append((", ".join(map(str, row["numbers"])), f"{name} = {row['module']}", f"{row['parameters']:,}"))
    return table(rows, LEGEND_GREEN, (16, 90, 20), (head[1],) * 3)


def training_graph(runs: Sequence[Recording], folder: Path) -> graphviz.Digraph:
    """The picture of a training run, to be rendered in `folder`; of several runs their figures side by side.

    Raises UserError for a figure that is not there, or not of these runs.
    """
    logits, losses = (_figure(runs, name, "graph-logits.py") for name in ("logits", "sample-losses"))
    graph = _graph_of_learning(runs, folder)
    heads = ("black", *(run.colour for run in side_by_side(runs)))
    widths = (18, *[80 // min(len(runs), 2)] * len(runs))
    graph.node("facts", table(facts_beside(runs), FACTS_BLUE, widths, heads))
    graph.node("logits", pictures([logits], folder, border=0))
    graph.node("losses", pictures([losses], folder, border=0))
    _side_by_side(graph, "facts", "logits", "losses")
    graph.edge("legend", "facts", style="invis")
    for tracked in ("logits", "losses"):
        graph.edge("learning", tracked, **ARROW)
    return graph


def output_graph(recording: Recording, folder: Path) -> graphviz.Digraph:
    """The picture of one answer from the inside, to be rendered in `folder`. Raises UserError for what is not there."""
    answer = read_answer(recording.run).facts
    since = recording.run.segments("answers")[-1][1]
    names = ("node-logits", "answer-logits")
    nodes, logits = (_figure([recording], name, "graph-node-logits.py", since) for name in names)
    graph = _graph_of_learning([recording], folder)
    graph.node("nodes", pictures([nodes], folder, border=0))
    graph.node("logits", pictures([logits], folder, border=0))
    graph.node("context", table([(answer.context,)], FACTS_BLUE, (100,)))
    graph.node("answer", table(answer_facts(answer), FACTS_BLUE, (18, 80)))
    _side_by_side(graph, "context", "nodes")
    _side_by_side(graph, "answer", "logits")
    graph.edge("legend", "context", style="invis")
    graph.edge("learning", "nodes", **ARROW)
    graph.edge("nodes", "logits", **ARROW)
    graph.edge("context", "answer", xlabel="  context + question  ", fontname=FONT, style="dotted", **ARROW)
    return graph


def _graph_of_learning(runs: Sequence[Recording], folder: Path) -> graphviz.Digraph:
    """What all pictures begin with: the legend, and the box of weights, their change and the loss."""
    learning = [_figure(runs, name, command) for name, command in LEARNING.items()]
    graph = graphviz.Digraph(graph_attr={"nodesep": "0.5", "ranksep": "0.9"})
    graph.attr("node", shape="plain", fontname=FONT, fontsize="12")
    graph.node("legend", _legends(runs))
    graph.node("learning", pictures(learning, folder, border=2, stacked=len(runs) > 1))
    _side_by_side(graph, "legend", "learning")
    return graph


def _legends(runs: Sequence[Recording]) -> str:
    """The legend; of runs whose models differ one beneath the other, each headed by its run's name."""
    first, *others = [run.facts["modules"] for run in runs]
    if all(other == first for other in others):
        return legend_table(first)
    rows = [legend_table(run.recording.facts["modules"], (run.name, run.colour))[1:-1] for run in side_by_side(runs)]
    return f'<<TABLE BORDER="0">{"".join(f"<TR><TD>{row}</TD></TR>" for row in rows)}</TABLE>>'


def _side_by_side(graph: graphviz.Digraph, *names: str) -> None:
    with graph.subgraph(graph_attr={"rank": "same"}) as row:
        for left, right in pairwise(names):
            row.edge(left, right, style="invis")


def answer_facts(answer: AnswerFacts) -> list[tuple[str, ...]]:
    """A question and its answer in words: label and text."""
    verdict = "" if answer.right else "not answered right: "
    return [
        ("model", answer.state),
        ("question", answer.question),
        ("answer", verdict + (answer.answered or "(none)")),
        ("expected", answer.expected or "(no answer)"),
        ("start index", str(answer.start)),
        ("end index", str(answer.end)),
        ("token length", str(len(answer.tokens))),
        ("confidence", f"{answer.confidence:.2f}"),
    ]


def facts_beside(runs: Sequence[Recording]) -> list[tuple[str, ...]]:
    """`training_facts` of each run, a column per run; empty where a run has no such fact."""
    columns = [dict(training_facts(run)) for run in runs]
    labels = dict.fromkeys(label for column in sorted(columns, key=len, reverse=True) for label in column)
    return [(label, *(column.get(label, "") for column in columns)) for label in labels]


def training_facts(recording: Recording) -> list[tuple[str, str]]:
    """What the run was, in words: label and text."""
    facts, steps = recording.facts, recording.steps
    sample, last = facts["samples"][0], int(steps.step[-1])
    start = "its pretrained weights" if facts["pretrained"] else "random weights"
    rows: list[tuple[str, str]] = [
        ("model", model_type_state(facts, last)),
        ("training", f"{facts['model_name']} from {start}, {last} steps, seed {facts['seed']}"),
        ("loss", _first_and_last_loss(steps)),
        ("tracked question", sample["question"]),
        ("its answer", sample["answer"] or "(none)"),
    ]
    if recording.run.eval_results.is_file():
        rows.insert(3, ("evaluation", _evaluation(recording.run)))
    if len(facts["samples"]) > 1:
        rows.append(("when learned", "\n".join(flips_in_words(recording, at) for at in range(len(facts["samples"])))))
    return rows


def _first_and_last_loss(steps: Steps) -> str:
    known = np.flatnonzero(np.isfinite(steps.loss))
    if len(known) == 0:
        return "none that is finite"
    first, last = known[0], known[-1]
    broken = (~np.isfinite(steps.loss[steps.step > 0])).sum()
    note = f"; not finite at {broken} steps" if broken else ""
    return (
        f"{steps.loss[first]:.3f} at step {steps.step[first]}, {steps.loss[last]:.3f} at step {steps.step[last]}{note}"
    )


def _evaluation(run: RunFolder) -> str:
    try:
        scores = json.loads(run.eval_results.read_text(encoding="utf-8"))
        em, f1 = scores["eval_exact_match"], scores["eval_f1"]
        return f"EM {em:.1f} %, F1 {f1:.1f} % over {scores['eval_samples']} questions, after step {scores['step']}"
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{run.eval_results}: not readable; run run_qa.py again, it writes a new one") from None


def _figure(runs: Sequence[Recording], name: str, command: str, since: Path | None = None) -> Path:
    """The figure's path; it must be of these runs, and younger than `since`, or else their newest start or resume."""
    from PIL import Image

    path = runs[0].run.graphs / f"{figure_name(name, runs)}.png"
    paths = [run.run.path for run in runs]
    line = " ".join(map(str, [command, *paths]))
    if not path.is_file():
        raise UserError(f"{path}: not there; run {line} first")
    if path.stat().st_mtime < max(file.stat().st_mtime for file in ([since] if since else [r.run.facts for r in runs])):
        raise UserError(f"{path}: older than what was recorded since; run {line} again")
    with Image.open(path) as picture:
        if picture.info.get("Runs", "") != paths_beside(paths):
            raise UserError(f"{path}: of other runs; run {line} again")
    return path


@contextmanager
def advising(path: Path) -> Iterator[None]:
    """Turn Graphviz's errors into advice."""
    try:
        yield
    except graphviz.ExecutableNotFound:
        raise UserError("Graphviz's `dot` not found; run ./setup, it installs it") from None
    except graphviz.CalledProcessError as error:
        raise UserError(f"{path}: dot failed: {error.stderr!r}") from None


def render(graph: graphviz.Digraph, folder: Path, kind: str) -> Path:
    """Write `folder`/qa-KIND-DATE.gv and .gv.pdf, whole or not at all; the PDF's path."""
    dot = folder / f"qa-{kind}-{datetime.now():%Y-%m-%d-%H%M%S}.gv"
    pdf = folder / f"{dot.name}.pdf"
    with advising(dot), replacing(pdf), replacing(dot) as beside:  # Graphviz puts its PDF beside the DOT, as .pdf
        graph.render(filename=beside.name, directory=folder, format="pdf", quiet=True)
    return pdf
