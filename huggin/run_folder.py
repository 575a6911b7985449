"""Every path that a run reads or writes, named once (the layout is in README.md)."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """A run's folder, `output_dir` in cfg.json."""

    path: Path

    @property
    def recording(self) -> Path:
        return self.path / "recording"

    @property
    def facts(self) -> Path:
        return self.recording / "run.json"

    @property
    def graphs(self) -> Path:
        return self.path / "graphs"

    @property
    def holder(self) -> Path:
        return self.path / "in-use.json"

    @property
    def trainer_state(self) -> Path:
        return self.path / "trainer_state.json"

    @property
    def eval_results(self) -> Path:
        return self.path / "eval_results.json"

    @property
    def efficacy(self) -> Path:
        return self.path / "efficacy.json"

    def segment(self, table: str, first_step: int) -> Path:
        """Where the rows of `table` from `first_step` on are recorded."""
        return self.recording / f"{table}-{first_step}.arrow"

    def segments(self, table: str) -> list[tuple[int, Path]]:
        """The recorded segments of `table` as (first step, file), in the order of their steps."""
        return _numbered(self.recording, re.compile(rf"{table}-(\d+)\.arrow"))

    def checkpoint(self, step: int) -> Path:
        """Where the Trainer saves after `step` steps."""
        return self.path / f"checkpoint-{step}"

    def checkpoints(self) -> list[tuple[int, Path]]:
        """The Trainer's checkpoints as (step, folder), oldest first."""
        return _numbered(self.path, re.compile(r"checkpoint-(\d+)"))


def _numbered(folder: Path, name: re.Pattern[str]) -> list[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    matches = ((name.fullmatch(entry.name), entry) for entry in folder.iterdir())
    return sorted((int(match[1]), entry) for match, entry in matches if match)
