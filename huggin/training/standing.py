"""How far a run has come, and whether a start has anything left to do; read without torch."""

import math
import os
from pathlib import Path

from huggin.common.files import read_json
from huggin.qa.given import Keys
from huggin.qa.records import training_records
from huggin.recording.checkpoints import damage_of, step_in_name, step_of
from huggin.recording.run_facts import TEXTS, hash_of_texts, read_facts
from huggin.recording.run_folder import RunFolder

ELSEWHERE = {"hub_token", "output_dir"}  # no recording keeps the one; the other names its folder


def nothing_to_do(keys: Keys, run: RunFolder) -> str | None:
    """What a start says whose run has been trained by the same keys to the end; else None.

    None can also mean that only the whole training can tell, as for data that was changed since.
    """
    wanted = keys.recording
    if not keys.trains or wanted.overwrite_output_dir or wanted.dry_run:
        return None
    if "LOCAL_RANK" in os.environ or not run.facts.is_file() or not run.checkpoints():
        return None
    if lacks_scores(run, keys.evaluates) or not _same_keys(keys, run):
        return None
    newest = run.checkpoints()[-1][1]
    trained = step_of(run.path)
    if trained is None or not _has_all(keys, run) or damage_of(newest):
        return None
    trained = trained_steps(run, newest)
    return already_trained(run, trained, trained, False) if trained else None


def _same_keys(keys: Keys, run: RunFolder) -> bool:
    """Whether the run was last started with these keys, in one process, on the same questions."""
    facts = read_facts(run)
    then, now = facts.cfg, keys.given
    changed = {key for key in then.keys() | now.keys() if then.get(key) != now.get(key)}
    if changed - ELSEWHERE or facts.fixed.get("world_size") != 1:
        return False
    if not keys.data.train_file:  # a data set on the Hub
        return True
    return facts.fixed.get(TEXTS) == hash_of_texts(training_records(facts.cfg))


def _has_all(keys: Keys, run: RunFolder) -> bool:
    """Whether the trained model has all the steps, or else the epochs, that are asked for."""
    state = read_json(run.trainer_state)
    steps = int(keys.given.get("max_steps") or -1)
    if steps > 0:
        return state.get("max_steps") == state.get("global_step") == steps
    return float(state.get("epoch") or 0) >= float(keys.given.get("num_train_epochs", math.inf))


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


def already_trained(
    run: RunFolder, trained: int, steps: int, evaluates: bool, changed: str = ""
) -> str:
    """What a start says if the run has all the steps that it asks for, or more.

    evaluates: whether it has no scores yet, so that they are measured now.
    changed: what `changed_settings` says; then the steps asked for are of another training.
    """
    progress = f"{trained:,} of {steps:,} steps"
    if changed:
        progress = f"{trained:,} steps, {changed}"
    elif trained < steps:
        progress += ", then a callback ended it"
    elif trained > steps:
        progress = f"{trained:,} steps, more than the {steps:,} that are asked for"
    if evaluates:
        return f"{run.path}: already trained ({progress}); not evaluated yet, which is done now"
    advice = "--overwrite_output_dir true starts anew"
    return f"{run.path}: already trained ({progress}); nothing to do; {advice}"
