"""A recording, its figures and its legend -> the pictures that a PDF shows."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import graphviz
import numpy as np
from PIL import Image

from huggin.analysis.learning import flips_in_words
from huggin.common.errors import UserError
from huggin.graphs.runs import figure_name, side_by_side
from huggin.graphs.saving import paths_beside
from huggin.pages.dot import FACTS_BLUE, FONT, legend_table, pictures, table
from huggin.recording.answer import AnswerFacts, read_answer
from huggin.recording.efficacy import trained_on_in_words
from huggin.recording.reader import Recording, Steps
from huggin.recording.run_folder import RunFolder

ARROW = {"penwidth": "4", "arrowsize": "1.5"}
LEARNING = {
    "weights": "graph-weights.py",
    "weight-change": "graph-weights.py",
    "losses": "graph-losses.py",
}


def training_graph(runs: Sequence[Recording], folder: Path) -> graphviz.Digraph:
    """The picture of a training run, to be rendered in `folder`; of several runs their figures side by side.

    Raises UserError for a figure that is not there, or not of these runs.
    """
    logits, losses = (
        _figure(runs, name, "graph-logits.py") for name in ("logits", "sample-losses")
    )
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
    graph.node("context", table([(answer.window.context,)], FACTS_BLUE, (100,)))
    graph.node("answer", table(answer_facts(answer), FACTS_BLUE, (18, 80)))
    _side_by_side(graph, "context", "nodes")
    _side_by_side(graph, "answer", "logits")
    graph.edge("legend", "context", style="invis")
    graph.edge("learning", "nodes", **ARROW)
    graph.edge("nodes", "logits", **ARROW)
    graph.edge(
        "context", "answer", xlabel="  context + question  ", fontname=FONT, style="dotted", **ARROW
    )
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
    first, *others = [run.facts.modules for run in runs]
    if all(other == first for other in others):
        return legend_table(first)
    rows = [
        legend_table(run.recording.facts.modules, (run.name, run.colour))[1:-1]
        for run in side_by_side(runs)
    ]
    return f'<<TABLE BORDER="0">{"".join(f"<TR><TD>{row}</TD></TR>" for row in rows)}</TABLE>>'


def _side_by_side(graph: graphviz.Digraph, *names: str) -> None:
    with graph.subgraph(graph_attr={"rank": "same"}) as row:
        for left, right in pairwise(names):
            row.edge(left, right, style="invis")


def answer_facts(answer: AnswerFacts) -> list[tuple[str, ...]]:
    """A question and its answer in words: label and text."""
    verdict = "" if answer.right else "not answered right: "
    note = " (from the training data)" if answer.trained_on else ""
    return [
        ("model", answer.state),
        ("question", answer.window.question + note),
        ("answer", verdict + (answer.answered or "(none)")),
        ("expected", answer.window.answer or "(no answer)"),
        ("start index", str(answer.start)),
        ("end index", str(answer.end)),
        ("token length", str(len(answer.window.tokens))),
        ("confidence", f"{answer.confidence:.2f}"),
    ]


def facts_beside(runs: Sequence[Recording]) -> list[tuple[str, ...]]:
    """`training_facts` of each run, a column per run; empty where a run has no such fact."""
    columns = [dict(training_facts(run)) for run in runs]
    labels = dict.fromkeys(
        label for column in sorted(columns, key=len, reverse=True) for label in column
    )
    return [(label, *(column.get(label, "") for column in columns)) for label in labels]


def training_facts(recording: Recording) -> list[tuple[str, str]]:
    """What the run was, in words: label and text."""
    facts, steps = recording.facts, recording.steps
    sample, last = facts.samples[0], int(steps.step[-1])
    start = "its pretrained weights" if facts.pretrained else "random weights"
    rows: list[tuple[str, str]] = [
        ("model", facts.model_type_state(last)),
        ("training", f"{facts.model_name} from {start}, {last} steps, seed {facts.seed}"),
        ("loss", _first_and_last_loss(steps)),
        ("tracked question", sample.question),
        ("its answer", sample.answer or "(none)"),
    ]
    if recording.run.eval_results.is_file():
        rows.insert(3, ("evaluation", _evaluation(recording.run)))
    if len(facts.samples) > 1:
        rows.append(
            (
                "when learned",
                "\n".join(flips_in_words(recording, at) for at in range(len(facts.samples))),
            )
        )
    return rows


def _first_and_last_loss(steps: Steps) -> str:
    known = np.flatnonzero(np.isfinite(steps.loss))
    if len(known) == 0:
        return "none that is finite"
    first, last = known[0], known[-1]
    broken = (~np.isfinite(steps.loss[steps.step > 0])).sum()
    note = f"; not finite at {broken} steps" if broken else ""
    begin = f"{steps.loss[first]:.3f} at step {steps.step[first]}"
    end = f"{steps.loss[last]:.3f} at step {steps.step[last]}"
    return f"{begin}, {end}{note}"


def _evaluation(run: RunFolder) -> str:
    try:
        scores = json.loads(run.eval_results.read_text(encoding="utf-8"))
        em, f1 = scores["eval_exact_match"], scores["eval_f1"]
        asked = scores["eval_samples"]
        note = trained_on_in_words(scores.get("trained_on", 0), asked)
        measured = f"EM {em:.1f} %, F1 {f1:.1f} % over {asked} questions"
        return f"{measured}, after step {scores['step']}{note}"
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{run.eval_results}: not readable; run run_qa.py again, it writes a new one"
        ) from None


def _figure(runs: Sequence[Recording], name: str, command: str, since: Path | None = None) -> Path:
    """The figure's path; it must be of these runs, and younger than `since`, or else their newest start or resume."""

    path = runs[0].run.graphs / f"{figure_name(name, runs)}.png"
    paths = [run.run.path for run in runs]
    line = " ".join(map(str, [command, *paths]))
    if not path.is_file():
        raise UserError(f"{path}: not there; run {line} first")
    if path.stat().st_mtime < max(
        file.stat().st_mtime for file in ([since] if since else [r.run.facts for r in runs])
    ):
        raise UserError(f"{path}: older than what was recorded since; run {line} again")
    with Image.open(path) as picture:
        if picture.info.get("Runs", "") != paths_beside(paths):
            raise UserError(f"{path}: of other runs; run {line} again")
    return path
