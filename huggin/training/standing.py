"""How far a run has come: where a start goes on, or that there is nothing left to do."""

from datetime import datetime, timedelta
from pathlib import Path

from huggin.common.files import read_json
from huggin.recording.checkpoints import step_in_name, step_of
from huggin.recording.run_folder import RunFolder


def trained_steps(run: RunFolder, checkpoint: Path | None) -> int:
    """Steps of the trained model in the run's folder; 0 if a start must go on from before it.

    checkpoint: the newest whole one. If it is of an earlier step, the last one was damaged.
    """
    trained = step_of(run.path)
    if checkpoint is None or trained is None:
        return 0
    return trained if step_in_name(checkpoint) >= trained else 0


def is_finished(run: RunFolder, trained: int, steps: int, epochs: float | None) -> bool:
    """Whether a run has all the steps that a start asks for, or a callback ended it before them.

    trained: steps of its trained model. It is 0 for a run that a signal has stopped. epochs: those
    asked for, None if the start asks for steps. Other processes or data make other steps of an
    epoch, but a finished epoch stays one.
    """
    if trained == 0 or trained >= steps:
        return trained >= steps
    state = read_json(run.trainer_state)
    planned = state.get("max_steps")
    if epochs is not None and isinstance(state.get("epoch"), float) and state["epoch"] >= epochs:
        return True
    return isinstance(planned, int) and trained < planned and steps <= planned


def lacks_scores(run: RunFolder, is_asked_for: bool) -> bool:
    """Whether an evaluation is asked for that the run does not have, as after a power cut."""
    return is_asked_for and not run.eval_results.exists()


def going_on(run: RunFolder, checkpoint: Path, steps: int, now: datetime) -> str:
    """What a resumed start says. steps: of the whole training."""
    step = step_in_name(checkpoint)
    saved = datetime.fromtimestamp(checkpoint.stat().st_mtime).astimezone()
    when = f"{saved:%H:%M}" if now - saved < timedelta(hours=20) else f"{saved:%Y-%m-%d %H:%M}"
    return f"{run.path}: going on from step {step:,} of {steps:,}, checkpoint of {when}"


def already_trained(
    run: RunFolder, trained: int, steps: int, evaluates: bool, changed: str = ""
) -> str:
    """What a start says if the run has all the steps that it asks for, or more.

    evaluates: whether it has no scores yet, so that they are measured now.
    changed: what `changed_settings` says; then the steps asked for are of another training.
    """
    done = f"{trained:,} of {steps:,} steps"
    if changed:
        done = f"{trained:,} steps, {changed}"
    elif trained < steps:
        done += ", then a callback ended it"
    elif trained > steps:
        done = f"{trained:,} steps, more than the {steps:,} that are asked for"
    if evaluates:
        return f"{run.path}: already trained ({done}); not evaluated yet, which is done now"
    anew = "--overwrite_output_dir true starts anew"
    return f"{run.path}: already trained ({done}); nothing to do; {anew}"


def where_it_is(run: RunFolder, has_driver: bool, recorded: bool = True) -> str:
    """What a finished training says: where everything is, and what to type next.

    has_driver: a driver goes on and draws by itself, so there is nothing to type.
    recorded: whether there is anything to draw.
    """
    what = f"what was recorded in {run.recording}" if recorded else "nothing was recorded"
    where = f"the model is in {run.path}, {what}"
    if has_driver:
        return where
    commands = (
        f"  huggin graph-weights {run.path}",
        f"  huggin graph-logits {run.path} --over-time",
    )
    asking = (f"  huggin test-qa-efficacy {run.path}",)
    return "\n".join((f"{where}; next:", *(commands if recorded else asking)))
