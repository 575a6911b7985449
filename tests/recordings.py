"""Recordings made by hand, for tests of what reads them."""

from pathlib import Path
from typing import Any

from huggin.common.window import Window
from huggin.recording.run_facts import RunFacts, write_facts
from huggin.recording.run_folder import RunFolder


def window(size: int = 4, **changes: Any) -> Window:
    """A window of `size` tokens, all of the context, whose answer is token 1."""
    fields: dict[str, Any] = {
        "index": 0,
        "question": "Which?",
        "context": "one two",
        "answer": "one",
        "tokens": [f"t{number}" for number in range(size)],
        "parts": ["context"] * size,
        "gold_start": 1,
        "gold_end": 1,
    }
    return Window(**fields | changes)


def facts(hidden_size: int, *samples: Window) -> RunFacts:
    """Facts of a run with a head over `hidden_size` nodes."""
    return RunFacts(
        model_class="BertForQuestionAnswering",
        model_name="tiny",
        pretrained=False,
        data_name="ravens.json",
        hidden_size=hidden_size,
        layers=2,
        sites=[],
        samples=list(samples),
        modules=[],
    )


def write_run(folder: Path | RunFolder, hidden_size: int, *samples: Window) -> RunFolder:
    """Write run.json into a folder; the run."""
    run = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    write_facts(run, facts(hidden_size, *samples))
    return run
