"""Several runs in one figure: which, what they are called, their colours, whether they can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huggin.common.errors import UserError
from huggin.common.window import Window
from huggin.graphs.style import ACCENT, END, GOLD, START
from huggin.recording.reader import Recording

COLOURS = (
    START,
    END,
    GOLD,
    ACCENT,
    "#56B4E9",
    "#E69F00",
)  # Okabe and Ito's; a run has the same everywhere


@dataclass(frozen=True)
class Beside:
    """A run in a figure."""

    recording: Recording
    name: str  # its model-type-state; "" where it is alone
    colour: str

    def headline(self, text: str) -> str:
        """The text of a title, beneath the run's name."""
        return f"{self.name}\n{text}" if self.name else text


def refuse_too_many(paths: Sequence[Path]) -> None:
    """Raise UserError for more runs than there are colours, or for one that is named twice."""
    if len(paths) > len(COLOURS):
        most = f"at most {len(COLOURS)} can be told apart in a figure"
        raise UserError(f"{len(paths)} runs: {most}; name fewer")
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise UserError(f"{path}: named twice; name other runs to draw beside it")
        seen.add(path.resolve())


def read_runs(paths: Sequence[Path]) -> list[Recording]:
    """The recordings. Raises UserError as `refuse_too_many` does."""
    refuse_too_many(paths)
    return [Recording(path) for path in paths]


def side_by_side(runs: Sequence[Recording]) -> list[Beside]:
    """The runs with name and colour: their model-type-states, with the folder where these are the same."""
    if len(runs) == 1:
        return [Beside(runs[0], "", "black")]
    states = [run.facts.model_type_state(int(run.steps.step[-1])) for run in runs]
    names = [
        state if states.count(state) == 1 else f"{state} ({run.run.path})"
        for state, run in zip(states, runs, strict=True)
    ]
    return [Beside(*each) for each in zip(runs, names, COLOURS)]


def print_tables(runs: Sequence[Recording], tables: Sequence[str]) -> None:
    """Print each run's table, beneath the run's name where there are several."""
    for run, text in zip(side_by_side(runs), tables, strict=True):
        print(run.headline(text))


def same_sample(runs: Sequence[Recording], sample: int) -> list[Window]:
    """Each run's tracked sample. Raises UserError if the runs track different questions there."""
    windows = [run.tracked(sample) for run in runs]
    refuse_other_texts(windows, f"sample {sample}", runs)
    return windows


def refuse_other_texts(windows: Sequence[Window], what: str, runs: Sequence[Recording]) -> None:
    """Raise UserError if not all windows are of one question and context; tokens may differ."""
    first = windows[0]
    for window, run in zip(windows, runs, strict=True):
        if (window.question, window.context) != (first.question, first.context):
            other = f"{run.run.path} has another question than {runs[0].run.path}"
            advice = "draw each alone, or compare runs on the same data, seed and probe_samples"
            raise UserError(f"{what}: {other}; {advice}")


def figure_name(name: str, runs: Sequence[Recording], sample: int = 0) -> str:
    """A figure's file name: of the first sample of one run, the plain one."""
    return (
        name + (f"-sample-{sample}" if sample else "") + ("-side-by-side" if len(runs) > 1 else "")
    )
