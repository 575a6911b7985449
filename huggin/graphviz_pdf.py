"""Figures + legend -> DOT -> PDF, with Graphviz. Every text goes through `cell_text`."""

import html
import json
import os
import textwrap
from datetime import datetime
from pathlib import Path
from typing import Any

import graphviz
import numpy as np

from huggin.door import UserError
from huggin.files import flush_to_disk
from huggin.graphs.output import DPI
from huggin.recording import Recording, Steps
from huggin.run_facts import model_type_state
from huggin.run_folder import RunFolder

LEGEND_GREEN, FACTS_BLUE = "#d5fbc8", "#dcedf9"
FONT = "Helvetica"
POINTS = 72  # an inch
LEARNING = {"weights": "graph-weights.py", "weight-change": "graph-weights.py", "losses": "graph-losses.py"}


def cell_text(text: str, width: int) -> str:
    """Any text as the inside of a cell: wrapped, escaped, control characters as U+FFFD."""
    printable = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    lines = [piece for line in printable.split("\n") for piece in _wrapped(line, width)]
    return "<BR/>".join(html.escape(line).replace("\\", r"\\") for line in lines)  # \N would become the node's name


def _wrapped(line: str, width: int) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(line, width, subsequent_indent=indent + "  ") or [" "]


def table(rows: list[tuple[str, ...]], colour: str, widths: tuple[int, ...]) -> str:
    """An HTML-like label: a cell per text, wrapped at its column's width in characters."""

    def row_of(texts: tuple[str, ...]) -> str:
        cells = (cell_text(text, width) for text, width in zip(texts, widths, strict=True))
        return "<TR>" + "".join(f'<TD ALIGN="LEFT" BALIGN="LEFT">{cell}</TD>' for cell in cells) + "</TR>"

    attributes = f'BORDER="0" CELLBORDER="1" CELLSPACING="0" CELLPADDING="6" BGCOLOR="{colour}"'
    return f"<<TABLE {attributes}>{''.join(map(row_of, rows))}</TABLE>>"


def pictures(paths: list[Path], folder: Path, border: int) -> str:
    """An HTML-like label: figures side by side at their own size, found from `folder`."""
    cells = "".join(_picture_cell(path, folder) for path in paths)
    return f'<<TABLE BORDER="{border}" CELLBORDER="0" CELLSPACING="8" BGCOLOR="white"><TR>{cells}</TR></TABLE>>'


def _picture_cell(path: Path, folder: Path) -> str:
    from PIL import Image

    with Image.open(path) as picture:
        width, height = (round(pixels / DPI * POINTS) for pixels in picture.size)
    source = html.escape(os.path.relpath(path, folder))
    return f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"><IMG SCALE="TRUE" SRC="{source}"/></TD>'


def legend_table(modules: list[dict[str, Any]]) -> str:
    """The model's modules: number(s), what they are, parameters of each; like modules share a row."""
    rows: list[tuple[str, ...]] = [("no.", "module, in the order of the model", "parameters of each")]
    for row in modules:
        name = row["names"][0].rpartition(".")[2]
        rows.append((", ".join(map(str, row["numbers"])), f"{name} = {row['module']}", f"{row['parameters']:,}"))
    return table(rows, LEGEND_GREEN, (16, 90, 20))


def training_graph(recording: Recording, folder: Path) -> graphviz.Digraph:
    """The picture of a training run, to be rendered in `folder`. Raises UserError for a figure that is not there."""
    learning = [_figure(recording, name, command) for name, command in LEARNING.items()]
    logits, losses = (_figure(recording, name, "graph-logits.py") for name in ("logits", "sample-losses"))
    graph = graphviz.Digraph("training", graph_attr={"nodesep": "0.5", "ranksep": "0.9"})
    graph.attr("node", shape="plain", fontname=FONT, fontsize="12")
    graph.node("legend", legend_table(recording.facts["modules"]))
    graph.node("learning", pictures(learning, folder, border=2))
    graph.node("facts", table(training_facts(recording), FACTS_BLUE, (18, 80)))
    graph.node("logits", pictures([logits], folder, border=0))
    graph.node("losses", pictures([losses], folder, border=0))
    for left, right in (("legend", "learning"), ("facts", "logits"), ("logits", "losses")):
        with graph.subgraph(graph_attr={"rank": "same"}) as row:
            row.edge(left, right, style="invis")
    graph.edge("legend", "facts", style="invis")
    for tracked in ("logits", "losses"):
        graph.edge("learning", tracked, penwidth="4", arrowsize="1.5")
    return graph


def training_facts(recording: Recording) -> list[tuple[str, ...]]:
    """What the run was, in words: label and text."""
    facts, steps = recording.facts, recording.steps
    sample, last = facts["samples"][0], int(steps.step[-1])
    start = "its pretrained weights" if facts["pretrained"] else "random weights"
    rows: list[tuple[str, ...]] = [
        ("model", model_type_state(facts, last)),
        ("training", f"{facts['model_name']} from {start}, {last} steps, seed {facts['seed']}"),
        ("loss", _first_and_last_loss(steps)),
        ("tracked question", sample["question"]),
        ("its answer", sample["answer"] or "(none)"),
    ]
    if recording.run.eval_results.is_file():
        rows.insert(3, ("evaluation", _evaluation(recording.run)))
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


def _figure(recording: Recording, name: str, command: str) -> Path:
    """The figure's path; it must be younger than the newest start or resume of the run."""
    path = recording.run.graphs / f"{name}.png"
    if not path.is_file():
        raise UserError(f"{path}: not there; run {command} {recording.run.path} first")
    if path.stat().st_mtime < recording.run.facts.stat().st_mtime:
        raise UserError(f"{path}: older than what was recorded since; run {command} {recording.run.path} again")
    return path


def render(graph: graphviz.Digraph, folder: Path, kind: str) -> Path:
    """Write `folder`/qa-KIND-DATE.gv and .gv.pdf, whole or not at all; the PDF's path."""
    name = f"qa-{kind}-{datetime.now():%Y-%m-%d-%H%M%S}.gv"
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{os.getpid()}-{name}"
    pdf = beside.with_name(f"{beside.name}.pdf")
    try:
        graph.render(filename=beside.name, directory=folder, format="pdf", quiet=True)
        for made, final in ((beside, name), (pdf, f"{name}.pdf")):
            flush_to_disk(made)
            os.replace(made, folder / final)
    except graphviz.ExecutableNotFound:
        raise UserError("Graphviz's `dot` not found; run ./setup, it installs it") from None
    except graphviz.CalledProcessError as error:
        raise UserError(f"{folder / name}: dot failed: {error.stderr!r}") from None
    finally:
        for left in (beside, pdf):
            left.unlink(missing_ok=True)
    return folder / f"{name}.pdf"
