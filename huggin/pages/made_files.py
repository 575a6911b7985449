"""The files of pages and PDFs: what they are about, their names, and which one is still true."""

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

from huggin.recording.reader import Recording

GRAPHS = Path("gv-graphs")  # the folder of pages and PDFs


@dataclass(frozen=True)
class MadeFile:
    """A page or a PDF."""

    path: Path
    notes: list[str] = field(default_factory=list)  # such as what is left out

    def in_words(self) -> str:
        """Its path, and the notes."""
        return "\n".join([str(self.path), *self.notes])

    def as_json(self) -> dict[str, Any]:
        """Its path, and the notes."""
        return {"path": str(self.path), "notes": self.notes}

    def _repr_html_(self) -> str:
        address = html.escape(str(self.path))
        notes = html.escape("; ".join(self.notes))
        return f'<iframe src="{address}" width="100%" height="800"></iframe><p>{notes}</p>'


def about_training(runs: Sequence[Recording]) -> str:
    """What a file says that it is about, if it shows a training; `newest_true` finds it by this.

    A folder may be renamed, and another run take its place, so its path alone does not say it.
    """
    recorded = [
        f"{run.run.path} ({run.steps.step[-1]} steps, recording {run.facts.run_id[:8] or 'older'})"
        for run in runs
    ]
    return f"Training, as recorded in {', '.join(recorded)}"


def about_answer(recording: Recording) -> str:
    """What a file says that it is about, if it shows an answer."""
    return f"An answer, as recorded in {recording.run.path}"


def free_name(folder: Path, kind: str, ending: str) -> Path:
    """A name with this second in it that no file has yet: others may be made in the same one."""
    stem = f"qa-{kind}-{datetime.now():%Y-%m-%d-%H%M%S}"
    names = chain([f"{stem}{ending}"], (f"{stem}-{number}{ending}" for number in count(2)))
    return next(folder / name for name in names if not (folder / name).exists())


def newest_true(
    folder: Path,
    pattern: str,
    runs: Sequence[Recording],
    also: Iterable[Path],
    says: Callable[[Path, str], bool],
) -> Path | None:
    """The newest file of `folder` about the runs, if it is newer than their steps and `also`.

    also: paths that need not be there. says: whether a file says that it is about something.
    """
    about = about_training(runs)
    steps = [path for run in runs for _, path in run.run.segments("steps")]
    changed = max(path.stat().st_mtime for path in [*steps, *also] if path.exists())
    stamped = [(path.stat().st_mtime, path) for path in folder.glob(pattern)]
    newest_first = sorted(stamped, reverse=True)
    return next((path for time, path in newest_first if time > changed and says(path, about)), None)
