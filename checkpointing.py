"""Stopping and going on: Ctrl-C or SIGTERM -> a whole checkpoint -> the next start resumes from it.

A checkpoint counts only when it holds `complete.json`, written last: the size of each of its files. A torn one is
passed over for the newest whole one before it.
"""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import distributed
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from huggin.common.files import flush_to_disk, write_json
from huggin.recording.run_folder import RunFolder

MARK = "complete.json"


def mark_complete(checkpoint: Path) -> None:
    """Flush a checkpoint's files to disk, then write their sizes into it."""
    files = [path for path in sorted(checkpoint.rglob("*")) if path.is_file() and path.name != MARK]
    for path in files:
        flush_to_disk(path)
    write_json(
        checkpoint / MARK,
        {str(path.relative_to(checkpoint)): path.stat().st_size for path in files},
    )
    for folder in (checkpoint, checkpoint.parent):
        flush_to_disk(folder)


def is_complete(checkpoint: Path) -> bool:
    """Whether every file that the checkpoint was marked with is there at its full size."""
    try:
        sizes = json.loads((checkpoint / MARK).read_text(encoding="utf-8"))
        return all((checkpoint / name).stat().st_size == size for name, size in sizes.items())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False


def newest_checkpoint(run: RunFolder) -> Path | None:
    """The newest whole checkpoint; says on stderr which torn ones are passed over."""
    for _, checkpoint in reversed(run.checkpoints()):
        if is_complete(checkpoint):
            return checkpoint
        print(f"{checkpoint}: not complete, passed over", file=sys.stderr)
    return None


def newest_model(run: RunFolder) -> Path:
    """The run's folder, or a whole checkpoint in it that is newer: where the model with the most steps is."""
    checkpoint = newest_checkpoint(run)
    try:
        step = json.loads(run.trainer_state.read_text(encoding="utf-8"))["global_step"]
    except (FileNotFoundError, ValueError, KeyError):
        return checkpoint or run.path
    return checkpoint if checkpoint and int(checkpoint.name.rpartition("-")[2]) > step else run.path


def save_beside(folder: Path, save: Callable[[str], Any]) -> None:
    """Call `save` with a folder beside the files of `folder`, then let each take its place there."""
    beside = folder / ".saving"
    shutil.rmtree(beside, ignore_errors=True)  # left by a kill
    beside.mkdir(parents=True)
    save(str(beside))
    for path in sorted(beside.iterdir()):
        flush_to_disk(path)
        os.replace(path, folder / path.name)
    beside.rmdir()


def start_anew(run: RunFolder) -> None:
    """Delete what an earlier run left: checkpoints, recording, graphs, results. Other files stay."""
    for folder in [run.recording, run.graphs, *(checkpoint for _, checkpoint in run.checkpoints())]:
        if folder.is_dir():
            shutil.rmtree(folder)
    for file in (run.trainer_state, run.eval_results, run.efficacy):
        file.unlink(missing_ok=True)


class EvaluationStopped(Exception):
    """A signal came while the model was evaluated between two training steps."""


class SafeStop(TrainerCallback):
    """Says when to save besides the Trainer's own strategy: at a signal, every `save_minutes`, after the last step.

    Ctrl-C or SIGTERM in training finish the step, save and stop; elsewhere they stop at once. A second one ends the
    process where it is, and the newest whole checkpoint stays whole. Several processes of one run stop together.
    """

    def __init__(self) -> None:
        self.received = 0  # a signal's number
        self.save_minutes = 15.0
        self.begin: Callable[[], None] = lambda: (
            None
        )  # called when nothing but the training is left to do
        self.has_begun = False
        self._training = False
        self._due = float("inf")

    def install(self) -> None:
        """Take over both signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._answer)

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + self.received

    def _answer(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if not self.received and self._training:
            print(
                f"\n{name}: finishing the step and saving; once more stops at once", file=sys.stderr
            )
        self.received = number
        if not self._training:
            print(f"\n{name}: stopped; the same command starts again", file=sys.stderr)
            raise SystemExit(self.exit_code)
        if (
            "TORCHELASTIC_RUN_ID" not in os.environ
        ):  # torchrun sends each signal twice, and knows when to kill
            signal.signal(number, signal.SIG_DFL)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """From here on a signal waits for the end of the step."""
        self.begin()
        self.has_begun = self._training = True
        self._due = time.monotonic() + 60 * self.save_minutes

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Save and stop where a signal has come to any process; save where it is time."""
        received, due = _over_all_processes(args, self.received, time.monotonic() >= self._due)
        if received:  # none is no reason to forget one that has come in the meantime
            self.received = received
        control.should_training_stop |= bool(received)
        control.should_save |= bool(received or due or state.global_step >= state.max_steps)

    def on_prediction_step(
        self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any
    ) -> None:
        """Break off an evaluation between two steps, unless the choice of the best model depends on it."""
        if self._training and args.metric_for_best_model is None:
            (received,) = _over_all_processes(args, self.received)
            if received:
                self.received = received
                raise EvaluationStopped

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The next safety checkpoint is due `save_minutes` after any checkpoint."""
        self._due = time.monotonic() + 60 * self.save_minutes

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """From here on a signal stops at once."""
        self._training = False


def _over_all_processes(args: TrainingArguments, *values: int) -> list[int]:
    """The largest of each value over all processes of the run, the same in each of them."""
    if args.world_size == 1 or not distributed.is_initialized():
        return list(values)
    largest = torch.tensor(values, dtype=torch.int32, device=args.device)
    distributed.all_reduce(largest, op=distributed.ReduceOp.MAX)
    return largest.tolist()
