"""A run or an answer in words: the title line, rows of label and text, and tables of them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from huggin.analysis.learning import flips_in_words, validation_in_words
from huggin.analysis.nodes import OF_WEIGHTS, TOP_RANKED, NodeChoice, rank_nodes
from huggin.qa.arguments import INPUT_PATHS, PATHS
from huggin.recording.answer import AnswerFacts
from huggin.recording.reader import Recording, Steps
from huggin.recording.results import final_evaluation, read_evaluations, trained_on_in_words
from huggin.recording.run_facts import RunFacts

PRIVATE = {"hub_token", "notify"}  # keys of a cfg that are nobody else's
NOT_GIVEN = "no given answer: it is a question of your own"

Row = tuple[str, str]  # label and text


def title_line(recording: Recording) -> str:
    """Folder, model, data, steps, EM and F1 if the run was evaluated, and its last step's day."""
    facts = recording.facts
    model = f"{facts.model_class} ({facts.model_name}) on {facts.data_name}"
    parts = [f"{recording.run.path}: {model}", f"{recording.steps.step[-1]:,} steps"]
    if scores := final_evaluation(recording.run):
        known = " on questions that it was trained on" if scores.trained_on else ""
        parts.append(f"EM {scores.exact_match:.1f} %, F1 {scores.f1:.1f} %{known}")
    last_segment = recording.run.segments("steps")[-1][1]
    parts.append(f"{datetime.fromtimestamp(last_segment.stat().st_mtime):%Y-%m-%d}")
    return ", ".join(parts)


def training_facts(recording: Recording, choice: NodeChoice = TOP_RANKED) -> list[Row]:
    """What was trained, how it ended, and which node is tracked: label and text."""
    ranking = rank_nodes(recording, choice)
    of_sample = "" if ranking.name in OF_WEIGHTS else f" of sample {choice.sample}"
    ranked = f"the first one ranked by {ranking.name}{of_sample}"
    why = ranked if choice.node is None else "as chosen"
    return [*run_facts(recording), ("tracked node", f"{ranking.nodes[0]}, {why}")]


def run_facts(recording: Recording) -> list[Row]:
    """What was trained and how it ended: label and text."""
    facts = recording.facts
    steps = recording.steps
    last = int(steps.step[-1])
    rows = [
        ("run", str(recording.run.path)),
        ("model", f"{facts.model_class} from {facts.start}"),
        ("training", f"{last:,} steps on {facts.data_name}, seed {facts.seed}"),
        ("loss", _first_and_last_loss(steps)),
    ]
    if scores := final_evaluation(recording.run):
        measured = f"EM {scores.exact_match:.1f} %, F1 {scores.f1:.1f} %"
        asked = f"over {scores.asked} questions, after step {scores.step:,}"
        note = trained_on_in_words(scores.trained_on, scores.asked)
        rows.append(("evaluation", f"{measured} {asked}{note}"))
    if validation := validation_in_words(read_evaluations(recording.run)):
        rows.append(("validation", validation))
    return rows


def keys_to_share(facts: RunFacts) -> dict[str, Any]:
    """The keys of a run's cfg that others may see: of paths the last part alone."""
    return {
        key: Path(value).name
        if key in (*INPUT_PATHS, *PATHS) and Path(value).is_absolute()
        else value
        for key, value in facts.cfg.items()
        if key not in PRIVATE
    }


def question_facts(recording: Recording, sample: int = 0) -> list[Row]:
    """The tracked question, its answer, and when it was learned: label and text."""
    window = recording.tracked(sample)
    count = len(recording.facts.samples)
    held_out = "" if recording.facts.trained_samples else " (a validation question)"
    return [
        ("tracked question", window.question + held_out),
        ("its answer", window.answer or "(none)"),
        ("when learned", "\n".join(flips_in_words(recording, number) for number in range(count))),
    ]


def answer_facts(recording: Recording, answer: AnswerFacts) -> list[Row]:
    """A question and the model's answer: label and text."""
    note = " (from the training data)" if answer.trained_on else ""
    verdict = "not answered right: " if answer.right is False else ""
    expected = answer.window.answer or "(no answer)"
    return [
        ("run", f"{recording.run.path}, step {answer.step:,}"),
        ("question", answer.window.question + note),
        ("answer", verdict + (answer.answered or "(none)")),
        ("expected", NOT_GIVEN if answer.right is None else expected),
        ("start index", str(answer.start)),
        ("end index", str(answer.end)),
        ("token length", str(len(answer.window.tokens))),
        ("confidence", f"{answer.confidence:.2f}"),
    ]


def in_columns(columns: Sequence[Sequence[Row]]) -> list[tuple[str, ...]]:
    """Facts of several runs in one table: a label, and a text of each run, "" if it has none."""
    longest_first = sorted(columns, key=len, reverse=True)
    labels = dict.fromkeys(label for column in longest_first for label, _ in column)
    by_label = [dict(column) for column in columns]
    return [(label, *(texts.get(label, "") for texts in by_label)) for label in labels]


def _first_and_last_loss(steps: Steps) -> str:
    known = np.flatnonzero(np.isfinite(steps.loss))
    if len(known) == 0:
        return "none that is finite"
    broken = (~np.isfinite(steps.loss[steps.step > 0])).sum()
    note = f"; not finite at {broken} steps" if broken else ""
    begin, end = (f"{steps.loss[at]:#.3g} at step {steps.step[at]:,}" for at in known[[0, -1]])
    return f"{begin}, {end}{note}"
