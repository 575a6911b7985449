"""What was recorded -> a summary as JSON, a table as CSV, a table of the runs of a folder.

List columns become columns and rows of their own; every number is read back exactly as it was.
"""

import csv
import io
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import CSVWriter

from huggin.common.errors import UserError
from huggin.common.files import bytes_in
from huggin.common.progress import progress
from huggin.common.site import Place
from huggin.common.text import in_columns, printable, size
from huggin.recording.checkpoints import step_of
from huggin.recording.reader import Recording, whole_batches
from huggin.recording.results import final_evaluation
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import (
    OF_A_WINDOW,
    TABLES,
    by_row,
    columns_of_windows,
    flat_values,
)

NAMES = ("part", "module")  # of a place, in the table ledger
PART = 32  # rows that are held in memory at a time
ENDS = ("start", "end")
COUNTS = {  # of what is added together, say all layers of a probe
    "lens_probes": "lens",
    "layer_steps": "layers",
    "question_steps": "questions",
    "ledger_probes": "ledger",
    "pointer_steps": "pointers",
}
DEEPEST = 4  # folders below the given one in which runs are looked for
COLUMNS = ("run", "model-type-state", "steps", "loss", "EM", "F1", "when", "size")
TEXTS = (0, 1, 6)  # the columns that are no numbers


def recording_summary(path: Path | str) -> dict[str, Any]:
    """What a run recorded: steps, those that are missing or twice, segments, bytes, cut tails."""
    recording = Recording(path)
    segments = [path for table in TABLES for _, path in recording.run.segments(table)]
    files = [pa.memory_map(str(path)) for path in segments]
    for file in files:
        deque(whole_batches(file), maxlen=0)
    step = recording.steps.step
    return {
        "first_step": int(step[0]),
        "last_step": int(step[-1]),
        "steps": len(step),
        "probes": len(recording.table("probes")),
        "node_snapshots": len(pc.unique(recording.table("nodes")["step"])),
        **{count: sum(1 for _ in recording.rows(table)) for count, table in COUNTS.items()},
        "bytes": sum(file.size() for file in files),
        "segments": len(recording.run.segments("steps")),
        "missing_steps": int(step[-1] - step[0] + 1 - len(np.unique(step))),
        "duplicate_steps": len(step) - len(np.unique(step)),
        "dropped_tail_bytes": sum(file.size() - file.tell() for file in files),
    }


def write_csv(recording: Recording, name: str, sink: IO[bytes]) -> None:
    """Write a table as `flat_table` has it, with a header.

    Raises UserError if the table is empty.
    """
    table = recording.table(name)
    facts = recording.facts
    named: dict[str, Sequence[Any]] = {"ledger": facts.places, "pointers": facts.samples}
    parts = named.get(name, facts.parts)
    if not len(table):
        what = f"{recording.run.recording}: no {name} recorded"
        raise UserError(f"{what}; run get-training-output first")
    schema = flat_table(name, table.slice(0, 1), parts).schema
    bar = progress(total=len(table), label=f"{name} as CSV", unit="rows")
    with bar, CSVWriter(sink, schema) as writer:
        for begin in range(0, len(table), PART):
            # Arrow would write a table of one chunk per row a row at a time, which is slow.
            part = table.slice(begin, PART).combine_chunks()
            writer.write_table(flat_table(name, part, parts))
            bar.update(len(part))


def flat_table(name: str, table: pa.Table, parts: Sequence[Any] = ()) -> pa.Table:
    """Rows of `name` without lists.

    steps: a row per step, with start_weight_N and end_weight_N for node N.
    probes: a row per probe and token.
    nodes: a row per snapshot, site and token, with node_N.
    lens: a row per probe, layer and token.
    layers: a row per step, with a column for each of `parts`, the model's parts.
    questions: a row per step and window of its batch.
    pointers: the same rows, with the norm of the gradient and a push for each of `parts`, the
    tracked samples.
    ledger: a row per probe and place, of which `parts` has part and module, and one for the gap: so
    the rows of a probe add up to the change of the loss.
    """
    match name:
        case "ledger":
            places = [*parts, Place("gap", "gap")]
            credits = np.column_stack([by_row(table["credits"]), flat_values(table["gap"])])
            named = {key: [vars(place)[key] for place in places] * len(table) for key in NAMES}
            rows = np.repeat(np.arange(len(table)), len(places))
            return _flat(table.drop_columns("gap"), {**named, "credit": credits.ravel()}, rows)
        case "questions":
            sizes = pc.list_value_length(table["windows"]).to_numpy() // len(OF_A_WINDOW)
            windows = columns_of_windows(flat_values(table["windows"]))
            return _flat(table, windows, np.repeat(np.arange(len(table)), sizes))
        case "pointers":
            names = ["norm", *(f"push_{sample}" for sample in range(len(parts)))]
            sizes = pc.list_value_length(table["windows"]).to_numpy() // len(names)
            pushes = flat_values(table["windows"]).reshape(-1, len(names))
            return _flat(table, _columns(names, pushes), np.repeat(np.arange(len(table)), sizes))
        case "layers":
            return _flat(table, _columns(parts, by_row(table["norms"])))
        case "steps":
            weights = by_row(table["weight"])
            nodes = range(weights.shape[1] // 2)
            halves = [f"{end}_weight_{node}" for end in ENDS for node in nodes]
            bias = _columns([f"{end}_bias" for end in ENDS], by_row(table["bias"]))
            return _flat(table, _columns(halves, weights) | bias)
        case "nodes":
            rows, tokens = _by_token(table["activations"])
            values = flat_values(table["activations"]).reshape(len(rows), -1)
            names = [f"node_{node}" for node in range(values.shape[1])]
            return _flat(table, {"token": tokens, **_columns(names, values)}, rows)
    rows, tokens = _by_token(table["start_logits"])
    logits = {f"{end}_logit": flat_values(table[f"{end}_logits"]) for end in ENDS}
    return _flat(table, {"token": tokens, **logits}, rows)


def _flat(table: pa.Table, more: dict[str, Any], rows: np.ndarray | None = None) -> pa.Table:
    """The columns that are no lists, and more. rows: of the table, as often as they are needed."""
    names = [field.name for field in table.schema if not pa.types.is_nested(field.type)]
    table = table.select(names) if rows is None else table.select(names).take(rows)
    return pa.table(dict(zip(names, table.columns, strict=True)) | more)


def _by_token(lists: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """For each token of each list: its list's row, and its place in it."""
    lengths = pc.list_value_length(lists).to_numpy()
    places = [np.arange(length) for length in lengths]
    return np.repeat(np.arange(len(lengths)), lengths), np.concatenate(places)


def _columns(names: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(names, values.T, strict=True))


@dataclass(frozen=True)
class ListedRun:
    """A run in a table. What is not known is None."""

    folder: Path
    state: str | None = None  # the model-type-state
    steps: int | None = None
    finished: bool | None = None  # whether the model after the last step was saved as trained
    loss: float | None = None  # of the last step whose loss is finite
    exact_match: float | None = None  # percent
    f1: float | None = None
    when: datetime | None = None  # of the last recorded step
    size: float | None = None  # bytes of the whole folder
    problem: str | None = None  # why it cannot be read


def find_runs(folder: Path) -> list[Path]:
    """The runs in a folder and in the folders below it, in the order of their names.

    Empty if the folder is a run itself. No run is looked for in a run, or behind a link.
    """
    runs: list[Path] = []
    if _looks_like_a_run(folder):
        return runs
    for place, names, _ in os.walk(folder):
        below = [path for path in (Path(place, name) for name in names) if not path.is_symlink()]
        runs += filter(_looks_like_a_run, below)
        is_deepest = len(Path(place).relative_to(folder).parts) + 1 == DEEPEST
        names[:] = [] if is_deepest else [path.name for path in below if path not in runs]
    return sorted(runs)


def _looks_like_a_run(folder: Path) -> bool:
    """Whether a run is in a folder, or what is left of one."""
    run = RunFolder(folder)
    return run.recording.is_dir() or run.holds_a_run()


def listed(folder: Path) -> ListedRun:
    """What is known of a run. One that cannot be read says so in `problem`."""
    try:
        recording = Recording(folder)
        steps = recording.steps
        scores = final_evaluation(recording.run)
    except (UserError, OSError) as error:
        return ListedRun(folder, problem=str(error))
    last = int(steps.step[-1])
    finite = steps.loss[np.isfinite(steps.loss)]
    _, segment = recording.run.segments("steps")[-1]
    return ListedRun(
        folder,
        state=recording.facts.model_type_state(last),
        steps=last,
        finished=(step_of(folder) or 0) >= last,
        loss=float(finite[-1]) if len(finite) else None,
        exact_match=scores.exact_match if scores else None,
        f1=scores.f1 if scores else None,
        when=datetime.fromtimestamp(segment.stat().st_mtime).astimezone(),
        size=bytes_in(folder),
    )


def as_lines(runs: Sequence[ListedRun], folder: Path) -> list[str]:
    """A head, and a line for each run in `folder`, in columns."""
    rows = [COLUMNS, *(_cells(run, folder) for run in runs if run.problem is None)]
    width = max(len(row[0]) for row in rows)
    lines = {row[0]: line for row, line in zip(rows, in_columns(rows, left=TEXTS), strict=True)}
    for run in runs:
        if run.problem:
            name = _name(run, folder)
            lines[name] = f"{name:{width}}  {printable(run.problem)}"
    names = [COLUMNS[0], *(_name(run, folder) for run in runs)]
    return [lines[name] for name in names]


def _name(run: ListedRun, folder: Path) -> str:
    return printable(str(run.folder.relative_to(folder)))


def _cells(run: ListedRun, folder: Path) -> tuple[str, ...]:
    """A run's cells as they are printed, in the order of COLUMNS."""
    assert run.steps is not None and run.when and run.size is not None
    return (
        _name(run, folder),
        printable(run.state or ""),
        f"{run.steps:,}" + ("" if run.finished else " so far"),
        _number(run.loss, 3),
        _number(run.exact_match, 1),
        _number(run.f1, 1),
        f"{run.when:%Y-%m-%d %H:%M}",
        size(run.size),
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def as_csv(runs: Sequence[ListedRun]) -> str:
    """The runs as CSV; what is not known is empty. Times are ISO 8601, sizes are bytes."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(ListedRun.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    for run in runs:
        when = run.when.isoformat(timespec="seconds") if run.when else None
        whole = None if run.size is None else int(run.size)
        writer.writerow({**vars(run), "when": when, "size": whole})
    return text.getvalue()
