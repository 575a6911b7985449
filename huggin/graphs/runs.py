"""Several runs in one figure: their names, their colours, and whether they can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huggin.common.errors import UserError
from huggin.common.window import Window
from huggin.graphs.palette import INK, RUNS
from huggin.recording.reader import Recording


@dataclass(frozen=True)
class Beside:
    """A run in a figure."""

    recording: Recording
    name: str  # its folder; "" if it is the only run
    colour: str
    sample: int = 0  # the tracked sample that the figure is about

    @property
    def window(self) -> Window:
        """The tracked sample."""
        return self.recording.tracked(self.sample)

    @property
    def called(self) -> str:
        """The beginning of a label: the run's name if there are several."""
        return f"{self.name}, " if self.name else ""

    def headline(self, text: str) -> str:
        """A title below the run's name."""
        return f"{self.name}\n{text}" if self.name else text


def refuse_too_many(paths: Sequence[Path]) -> None:
    """Raise UserError if there are more runs than colours, or if a run is named twice."""
    if len(paths) > len(RUNS):
        most = f"at most {len(RUNS)} can be told apart in a figure"
        raise UserError(f"{len(paths)} runs: {most}; name fewer")
    for number, path in enumerate(paths):
        if path.resolve() in [other.resolve() for other in paths[:number]]:
            raise UserError(f"{path}: named twice; name other runs to draw beside it")


def read_runs(paths: Sequence[Path]) -> list[Recording]:
    """The recordings of the runs. Raises UserError as `refuse_too_many` does."""
    refuse_too_many(paths)
    return [Recording(path) for path in paths]


def side_by_side(runs: Sequence[Recording], sample: int = 0) -> list[Beside]:
    """The runs with names, which are their folders, and colours."""
    if len(runs) == 1:
        return [Beside(runs[0], "", INK, sample)]
    return [Beside(run, str(run.run.path), colour, sample) for run, colour in zip(runs, RUNS)]


def same_sample(runs: Sequence[Recording], sample: int) -> list[Beside]:
    """The runs. Raises UserError if they track different questions as this sample."""
    refuse_other_texts([run.tracked(sample) for run in runs], f"sample {sample}", runs)
    return side_by_side(runs, sample)


def refuse_other_texts(windows: Sequence[Window], what: str, runs: Sequence[Recording]) -> None:
    """Raise UserError unless all windows have one question and context; tokens may differ."""
    first = windows[0]
    for window, run in zip(windows, runs, strict=True):
        if (window.question, window.context) != (first.question, first.context):
            other = f"{run.run.path} has another question than {runs[0].run.path}"
            advice = "draw each alone, or compare runs on the same data, seed and probe_samples"
            raise UserError(f"{what}: {other}; {advice}")


def figure_name(name: str, runs: Sequence[Recording], sample: int = 0) -> str:
    """The name of a figure's file; of the first sample of a single run, `name` itself."""
    of_sample = f"-sample-{sample}" if sample else ""
    of_runs = "-side-by-side" if len(runs) > 1 else ""
    return name + of_sample + of_runs
