"""A folder of runs -> a table of them: what was trained, how far, how well, when, how large."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from huggin.common.errors import UserError
from huggin.common.files import bytes_in
from huggin.common.progress import progress
from huggin.common.text import in_columns, printable, size
from huggin.recording.checkpoints import step_of
from huggin.recording.reader import Recording
from huggin.recording.results import final_evaluation
from huggin.recording.run_folder import RunFolder

DEEPEST = 4  # folders below the given one in which runs are looked for
COLUMNS = ("run", "model-type-state", "steps", "loss", "EM", "F1", "when", "size")
TEXTS = (0, 1, 6)  # the columns that are no numbers


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

    Empty if the folder is a run itself.
    """
    return [] if _looks_like_a_run(folder) else sorted(_runs_below(folder, DEEPEST))


def _runs_below(folder: Path, depth: int) -> Iterator[Path]:
    """The runs below a folder; links are not followed, and no run is looked for in a run."""
    if depth == 0:
        return
    try:
        below = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    except PermissionError:
        return
    for path in below:
        if _looks_like_a_run(path):
            yield path
        else:
            yield from _runs_below(path, depth - 1)


def _looks_like_a_run(folder: Path) -> bool:
    """Whether a run is in a folder, or what is left of one."""
    run = RunFolder(folder)
    return run.recording.is_dir() or run.holds_a_run()


def list_runs(folders: Sequence[Path]) -> list[ListedRun]:
    """What is known of each run. One that cannot be read says so in `problem`."""
    return [listed(folder) for folder in progress(folders, label="reading", unit="runs")]


def listed(folder: Path) -> ListedRun:
    """What is known of a run."""
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
    names = list(ListedRun.__dataclass_fields__)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for run in runs:
        values = {name: getattr(run, name) for name in names}
        values["when"] = run.when.isoformat(timespec="seconds") if run.when else None
        values["size"] = None if run.size is None else int(run.size)
        writer.writerow(values.values())
    return text.getvalue()
