"""Several runs in one figure: which, what they are called, their colours, whether they can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggin.door import UserError
from huggin.graphs.output import ACCENT, END, GOLD, START
from huggin.recording import Recording
from huggin.run_facts import model_type_state

COLOURS = (START, END, GOLD, ACCENT, "#56B4E9", "#E69F00")  # Okabe and Ito's; a run has the same everywhere


@dataclass(frozen=True)
class Beside:
    """A run in a figure."""

    recording: Recording
    name: str  # its model-type-state; "" where it is alone
    colour: str

    def headline(self, text: str) -> str:
        """The text of a title, beneath the run's name."""
        return f"{self.name}\n{text}" if self.name else text


def read_runs(paths: Sequence[Path]) -> list[Recording]:
    """The recordings. Raises UserError for more runs than there are colours, and for one that is named twice."""
    if len(paths) > len(COLOURS):
        raise UserError(f"{len(paths)} runs: at most {len(COLOURS)} can be told apart in a figure; name fewer")
    twice = [path for number, path in enumerate(paths) if path.resolve() in {p.resolve() for p in paths[:number]}]
    if twice:
        raise UserError(f"{twice[0]}: named twice; name other runs to draw beside it")
    return [Recording(path) for path in paths]


def side_by_side(runs: Sequence[Recording]) -> list[Beside]:
    """The runs with name and colour: their model-type-states, with the folder where these are the same."""
    if len(runs) == 1:
        return [Beside(runs[0], "", "black")]
    states = [model_type_state(run.facts, int(run.steps.step[-1])) for run in runs]
    names = [
        state if states.count(state) == 1 else f"{state} ({run.run.path})"
        for state, run in zip(states, runs, strict=True)
    ]
    return [Beside(*each) for each in zip(runs, names, COLOURS)]


def print_tables(runs: Sequence[Recording], tables: Sequence[str]) -> None:
    """Print each run's table, beneath the run's name where there are several."""
    for run, text in zip(side_by_side(runs), tables, strict=True):
        print(run.headline(text))


def same_sample(runs: Sequence[Recording], sample: int) -> list[dict[str, Any]]:
    """Each run's facts of a tracked sample. Raises UserError where the runs track another question there."""
    facts = [run.tracked(sample) for run in runs]
    refuse_other_texts(facts, f"--sample {sample}", [str(run.run.path) for run in runs])
    return facts


def refuse_other_texts(facts: Sequence[dict[str, Any]], what: str, paths: Sequence[str]) -> None:
    """Raise UserError where not all facts have the first's question and context; tokens may differ."""
    for other, path in zip(facts, paths, strict=True):
        if any(other.get(key) != facts[0].get(key) for key in ("question", "context")):
            advice = "draw each alone, or compare runs on the same data, with the same seed and probe_samples"
            raise UserError(f"{what}: {path} has another question than {paths[0]}; {advice}")


def figure_name(name: str, runs: Sequence[Recording], sample: int = 0) -> str:
    """A figure's file name: of the first sample of one run, the plain one."""
    return name + (f"-sample-{sample}" if sample else "") + ("-side-by-side" if len(runs) > 1 else "")
