"""Stopping and going on: Ctrl-C or SIGTERM -> a whole checkpoint -> the next start resumes from it.

A checkpoint counts only when it holds `complete.json`, written last: the size of each of its files. A torn one is
passed over for the newest whole one before it.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from huggin.files import flush_to_disk, write_json
from huggin.run_folder import RunFolder

MARK = "complete.json"


def mark_complete(checkpoint: Path) -> None:
    """Flush a checkpoint's files to disk, then write their sizes into it."""
    files = [path for path in sorted(checkpoint.rglob("*")) if path.is_file() and path.name != MARK]
    for path in files:
        flush_to_disk(path)
    write_json(checkpoint / MARK, {str(path.relative_to(checkpoint)): path.stat().st_size for path in files})
    flush_to_disk(checkpoint)


def is_complete(checkpoint: Path) -> bool:
    """Whether every file that the checkpoint was marked with is there at its full size."""
    try:
        sizes = json.loads((checkpoint / MARK).read_text(encoding="utf-8"))
        return all((checkpoint / name).stat().st_size == size for name, size in sizes.items())
    except (FileNotFoundError, ValueError):
        return False


def newest_checkpoint(run: RunFolder) -> Path | None:
    """The newest whole checkpoint; says on stderr which torn ones are passed over."""
    for _, checkpoint in reversed(run.checkpoints()):
        if is_complete(checkpoint):
            return checkpoint
        print(f"{checkpoint}: not complete, passed over", file=sys.stderr)
    return None


def save_beside(folder: Path, save: Callable[[str], Any]) -> None:
    """Call `save` with a folder beside the files of `folder`, then let each take its place there."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as beside:
        save(beside)
        for path in Path(beside).iterdir():
            flush_to_disk(path)
            os.replace(path, folder / path.name)


def start_anew(run: RunFolder) -> None:
    """Delete what an earlier run left: checkpoints, recording, graphs, results. Other files stay."""
    for folder in [run.recording, run.graphs, *(checkpoint for _, checkpoint in run.checkpoints())]:
        if folder.is_dir():
            shutil.rmtree(folder)
    for file in (run.trainer_state, run.eval_results):
        file.unlink(missing_ok=True)


class StopSignals(TrainerCallback):
    """Answers Ctrl-C and SIGTERM: in training, finish the step and save; elsewhere, stop at once.

    The second signal of a kind ends the process where it is; the newest whole checkpoint stays whole.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._training = False

    def install(self) -> None:
        """Take over both signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._answer)

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after SIGTERM, else 0."""
        return 128 + self.received if self.received else 0

    def _answer(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        signal.signal(number, signal.SIG_DFL)
        if not self._training:
            print(f"\n{self.received.name}: stopped; the same command starts again", file=sys.stderr)
            raise SystemExit(self.exit_code)
        print(f"\n{self.received.name}: finishing the step and saving; once more stops at once", file=sys.stderr)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """From here on a signal waits for the end of the step."""
        self._training = True

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save and stop where a signal has come; save after the last step whatever the strategy."""
        if self.received:
            control.should_training_stop = True
        if self.received or state.global_step >= state.max_steps:
            control.should_save = True

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """From here on a signal stops at once."""
        self._training = False
