"""Every path that a run reads or writes, named once (the layout is in README.md)."""

import re
from pathlib import Path


class RunFolder:
    """A run's folder, `output_dir` in cfg.json."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recording = path / "recording"
        self.facts = self.recording / "run.json"
        self.graphs = path / "graphs"
        self.holder = path / "in-use.json"
        self.trainer_state = path / "trainer_state.json"
        self.eval_results = path / "eval_results.json"
        self.efficacy = path / "efficacy.json"

    def segment(self, table: str, first_step: int) -> Path:
        """Where the rows of `table` from `first_step` on are recorded."""
        return self.recording / f"{table}-{first_step}.arrow"

    def segments(self, table: str) -> list[tuple[int, Path]]:
        """The recorded segments of `table` as (first step, file), in the order of their steps."""
        return _numbered(self.recording, rf"{table}-(\d+)\.arrow")

    def checkpoint(self, step: int) -> Path:
        """Where the Trainer saves after `step` steps."""
        return self.path / f"checkpoint-{step}"

    def checkpoints(self) -> list[tuple[int, Path]]:
        """The Trainer's checkpoints as (step, folder), oldest first."""
        return _numbered(self.path, r"checkpoint-(\d+)")


def _numbered(folder: Path, name: str) -> list[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    matches = ((re.fullmatch(name, entry.name), entry) for entry in folder.iterdir())
    return sorted((int(match[1]), entry) for match, entry in matches if match)
