"""How far a run has come: where a start goes on, or that there is nothing left to do."""

import json
from datetime import datetime, timedelta
from pathlib import Path

from huggin.recording.run_folder import RunFolder


def trained_steps(run: RunFolder, checkpoint: Path | None) -> int:
    """Steps of the trained model in the run's folder; 0 if a start must go on from before it.

    checkpoint: the newest whole one. If it is of an earlier step, the last one was damaged.
    """
    if checkpoint is None:
        return 0
    try:
        state = json.loads(run.trainer_state.read_text(encoding="utf-8"))
        trained = int(state["global_step"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0
    return trained if step_of(checkpoint) >= trained else 0


def step_of(checkpoint: Path) -> int:
    """The step in the name of a checkpoint."""
    return int(checkpoint.name.rpartition("-")[2])


def going_on(run: RunFolder, checkpoint: Path, steps: int, now: datetime) -> str:
    """What a resumed start says. steps: of the whole training."""
    step = step_of(checkpoint)
    saved = datetime.fromtimestamp(checkpoint.stat().st_mtime).astimezone()
    when = f"{saved:%H:%M}" if now - saved < timedelta(hours=20) else f"{saved:%Y-%m-%d %H:%M}"
    return f"{run.path}: going on from step {step:,} of {steps:,}, checkpoint of {when}"


def already_trained(run: RunFolder, trained: int, steps: int, evaluates: bool) -> str:
    """What a start says if the run has all the steps that it asks for, or more.

    evaluates: whether it has no scores yet, so that they are measured now.
    """
    done = f"{trained:,} of {steps:,} steps"
    if trained > steps:
        done = f"{trained:,} steps, more than the {steps:,} that are asked for"
    if evaluates:
        return f"{run.path}: already trained ({done}); not evaluated yet, which is done now"
    anew = "--overwrite_output_dir true starts anew"
    return f"{run.path}: already trained ({done}); nothing to do; {anew}"


def next_commands(run: RunFolder) -> str:
    """What a finished training says: where everything is, and what to type next."""
    return "\n".join(
        (
            f"the model is in {run.path}, what was recorded in {run.recording}; next:",
            f"  huggin graph-weights {run.path}",
            f"  huggin graph-logits {run.path} --over-time",
        )
    )
