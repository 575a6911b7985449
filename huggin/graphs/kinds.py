"""Runs -> the figures of a kind, and the tables that belong to them: what the graph commands do.

huggin.figures("runs/sample", "layers", sample=0).save()
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from huggin.analysis.learning import flips_in_words, table_of_samples
from huggin.analysis.lens import table_of_layers
from huggin.analysis.losses import find_spikes, spikes_in_words
from huggin.analysis.nodes import NodeChoice, table_of_nodes, table_of_rankings
from huggin.analysis.parts import sums_of, table_of_ledger, table_of_norms
from huggin.analysis.question_texts import refuse_changed
from huggin.analysis.questions import (
    Grouping,
    Record,
    all_in_one,
    between_passes,
    groupings,
    passes_in_words,
    same_kinds,
    table_of_hardest,
    table_of_kinds,
)
from huggin.analysis.teachers import Taught, taught_by
from huggin.common.errors import BadValue, Damaged, UserError
from huggin.graphs.attention import draw_attention
from huggin.graphs.logits import (
    draw_layers,
    draw_layers_over_time,
    draw_logits,
    draw_logits_over_time,
)
from huggin.graphs.losses import draw_efficacy, draw_losses
from huggin.graphs.nodes import draw_answer, draw_shares, draw_shares_over_time, draw_snapshot
from huggin.graphs.parts import draw_gradients, draw_ledger, draw_rewound
from huggin.graphs.questions import draw_data_map, draw_kinds, draw_passes
from huggin.graphs.runs import read_runs, refuse_too_many, side_by_side
from huggin.graphs.saving import as_html, save_figures, show_figures
from huggin.graphs.style import drawn_for
from huggin.graphs.teachers import draw_teachers
from huggin.graphs.weights import draw_weights, draw_weights_over_time
from huggin.qa.records import training_records
from huggin.recording.reader import Recording
from huggin.recording.results import read_all_rewound
from huggin.recording.run_folder import RunFolder


@dataclass
class Figures:
    """Figures of runs; each part of them is followed by its tables in words."""

    runs: list[Path]
    parts: list[tuple[dict[str, Figure], str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what is left out, and why

    @property
    def figures(self) -> dict[str, Figure]:
        """All figures by name."""
        return {name: figure for figures, _ in self.parts for name, figure in figures.items()}

    def in_words(self) -> str:
        """The tables."""
        return "\n".join(words for _, words in self.parts if words)

    def as_json(self) -> dict[str, Any]:
        """What each figure was drawn for, the tables, and what is left out."""
        drawn = {name: drawn_for(figure) for name, figure in self.figures.items()}
        return {"figures": drawn, "tables": self.in_words(), "notes": self.notes}

    def _repr_html_(self) -> str:
        return as_html(self.figures.values(), self.in_words())

    def save(self, folder: Path | None = None, formats: Sequence[str] = ("png",)) -> None:
        """Save the figures, by default in RUN/graphs of the first run; print paths and tables."""
        folder = folder or RunFolder(self.runs[0]).graphs
        first = self.runs[0].resolve()
        beside = "\n".join(os.path.relpath(run.resolve(), first) for run in self.runs[1:])
        for figures, words in self.parts:
            save_figures(figures, folder, False, formats, beside)
            if words:
                print(words)

    def show(self) -> None:
        """Open the figures in windows and wait until they are closed."""
        show_figures(self.figures.values())

    def add(self, figures: dict[str, Figure], runs: Sequence[Recording], *tables: Any) -> None:
        """Add figures, and for each run a table of each kind, below the run's name."""
        beside = side_by_side(runs) if tables else []
        lines = [
            run.headline(text)
            for of_runs in tables
            for run, text in zip(beside, of_runs, strict=True)
        ]
        self.parts.append((figures, "\n".join(lines)))


def figures(
    run: str | Path, kind: str = "losses", beside: Sequence[str | Path] = (), **choices: Any
) -> Figures:
    """The figures of a kind: what `huggin graph-KIND` draws.

    kind: losses, weights, logits, layers, questions, efficacy, node-logits, rewind,
    suspects or teachers.
    beside: runs to draw beside it. choices: the options of the command, such as `sample=1`,
    `over_time=True`, `node=70`, `parts=["head"]`.

    >>> import huggin
    >>> drawn = huggin.figures("runs/sample", "losses")
    >>> list(drawn.figures)
    ['losses']
    >>> drawn.save()
    runs/sample/graphs/losses.png

    Raises UserError if something is not recorded, or cannot be drawn of these runs together.
    """
    if kind not in KINDS:
        raise BadValue("kind", kind, f"choose from {', '.join(KINDS)}")
    drawn = Figures([Path(each) for each in (run, *beside)])
    refuse_too_many(drawn.runs)
    KINDS[kind](drawn, **choices)
    return drawn


def _losses(drawn: Figures, *, spikes: bool = False) -> None:
    if not spikes:
        runs = read_runs(drawn.runs)
        drawn.add(draw_losses(*runs), runs)
        return
    run = _only_run(drawn)
    try:
        records = _trained_on(run)
    except (BadValue, Damaged):
        raise
    except (UserError, OSError) as error:
        drawn.notes.append(f"no texts: {error}")
        records = []
    lengths = [len(record["context"]) + len(record["question"]) for record in records]
    found = find_spikes(run, lengths or None)
    drawn.parts.append((draw_losses(run, spikes=found), spikes_in_words(found, records)))


def _weights(
    drawn: Figures,
    *,
    node: int | None = None,
    rank_by: str | None = None,
    sample: int = 0,
    all_rankings: bool = False,
    over_time: bool = False,
) -> None:
    runs = read_runs(drawn.runs)
    for run in runs:
        run.tracked(sample)  # raises if there is no such sample
    choice = NodeChoice(node, rank_by, sample)
    draw = draw_weights_over_time if over_time else draw_weights
    table_of = table_of_rankings if all_rankings else table_of_nodes
    drawn.add(draw(*runs, choice=choice), runs, [table_of(run, choice) for run in runs])


def _logits(drawn: Figures, *, sample: int = 0, over_time: bool = False) -> None:
    runs = read_runs(drawn.runs)
    draw = draw_logits_over_time if over_time else draw_logits
    tables = [[flips_in_words(run, sample) for run in runs]] if over_time else []
    if over_time or any(len(run.facts.samples) > 1 for run in runs):
        tables.append([table_of_samples(run) for run in runs])
    drawn.add(draw(*runs, sample=sample), runs, *tables)


def _layers(
    drawn: Figures, *, sample: int = 0, step: int | None = None, parts: list[str] | None = None
) -> None:
    runs = read_runs(drawn.runs)
    with left_out(drawn.notes):
        figures = draw_layers(*runs, sample=sample, step=step)
        figures |= draw_layers_over_time(*runs, sample=sample)
        drawn.add(figures, runs, [table_of_layers(run, sample) for run in runs])
    with left_out(drawn.notes):
        figures = draw_gradients(*runs, parts=parts)
        drawn.add(figures, runs, [table_of_norms(run.layers) for run in runs])
    with left_out(drawn.notes):
        tables = [table_of_ledger(sums_of(run.ledger(sample))) for run in runs]
        drawn.add(draw_ledger(*runs, sample=sample), runs, tables)
    if not drawn.parts:
        raise UserError(drawn.notes[0])


@contextmanager
def left_out(notes: list[str], what: str = "") -> Iterator[None]:
    """What a recording lacks is left out, and a note says why. what: the name of that part.

    Raises Damaged for a file that is not as it was written.
    """
    try:
        yield
    except (BadValue, Damaged):
        raise
    except UserError as error:
        notes.append(f"left out, {what}: {error}" if what else str(error))


def _questions(drawn: Figures, *, by: str | None = None) -> None:
    runs = read_runs(drawn.runs)
    found = [run.questions for run in runs]
    records, kinds = questions_of(runs, drawn.notes, "no texts, so no kinds are drawn", by)
    for group in kinds:
        tables = [table_of_kinds(*pair) for pair in zip(found, group, strict=True)]
        drawn.add(draw_kinds(*runs, kinds=group), runs, tables)
    passes = [passes_in_words(between_passes(each)) for each in found]
    hardest = [table_of_hardest(*pair) for pair in zip(found, records, strict=True)]
    drawn.add(draw_passes(*runs), runs, passes, hardest)


def questions_of(
    runs: Sequence[Recording], notes: list[str], without_texts: str, by: str | None = None
) -> tuple[Sequence[Sequence[Record] | None], list[tuple[Grouping, ...]]]:
    """The questions of each run, and their kinds, which are the same in all runs.

    by: the column that says the kind. If the texts cannot be read, and no column is asked for,
    they are None, all questions are of one kind, and a note says so: `without_texts`, and why.
    """
    records: Sequence[Sequence[Record] | None] = [None] * len(runs)
    try:
        records = [_trained_on(run, by) for run in runs]
    except BadValue:
        raise
    except (UserError, OSError) as error:
        if by is not None:
            raise
        notes.append(f"{without_texts}: {error}")
    kinds = [
        groupings(own, by) if own else [all_in_one(run.questions)]
        for run, own in zip(runs, records, strict=True)
    ]
    return records, same_kinds(kinds)


def _trained_on(run: Recording, by: str | None = None) -> list[Record]:
    records: list[Record] = [*training_records(run.cfg, by)]
    refuse_changed(run, records)
    return records


def _node_logits(
    drawn: Figures,
    *,
    node: int | None = None,
    rank_by: str | None = None,
    sample: int | None = None,
    step: int | None = None,
    share: bool = False,
    token: str | None = None,
) -> None:
    """Without `sample`, `step` and `share`, of the newest answer."""
    runs = read_runs(drawn.runs)
    choice = NodeChoice(node, rank_by, sample or 0)
    if share:
        figures = draw_shares(*runs, token=token, step=step, sample=sample or 0)
        drawn.add(figures | draw_shares_over_time(*runs, choice=choice), runs)
    elif step is not None or sample is not None:
        drawn.add(draw_snapshot(*runs, step=step, choice=choice), runs)
    else:
        attention = draw_attention(runs[0]) if len(runs) == 1 else {}
        drawn.add(draw_answer(*runs, choice=choice) | attention, runs)


def _rewind(drawn: Figures, *, step: int | None = None) -> None:
    """What rewinding found at a step, or at the last one that it was asked for."""
    run = _only_run(drawn)
    found = [each for each in read_all_rewound(run.run) if step in (None, each.step)]
    if not found:
        raise UserError(f"{run.run.path}: not rewound; run huggin rewind first")
    drawn.add(draw_rewound(run, found[-1], of_step=step is not None), [run])


def _suspects(drawn: Figures, *, marked: Sequence[int] = ()) -> None:
    """marked: the indices of questions."""
    run = _only_run(drawn)
    drawn.add(draw_data_map(run, marked), [run])


def _teachers(drawn: Figures, *, sample: int = 0, taught: Taught | None = None) -> None:
    """taught: what `huggin.teachers` found; without it, of a tracked sample."""
    run = _only_run(drawn)
    drawn.add(draw_teachers(taught or taught_by(run, _trained_on(run), sample)), [run])


def _only_run(drawn: Figures) -> Recording:
    if len(drawn.runs) > 1:
        raise UserError(f"{drawn.runs[1]}: is one too many; this is drawn of a single run")
    return Recording(drawn.runs[0])


KINDS: dict[str, Callable[..., None]] = {
    "losses": _losses,
    "weights": _weights,
    "logits": _logits,
    "layers": _layers,
    "questions": _questions,
    "efficacy": lambda drawn: drawn.add(draw_efficacy(drawn.runs), ()),
    "node-logits": _node_logits,
    "rewind": _rewind,
    "suspects": _suspects,
    "teachers": _teachers,
}
