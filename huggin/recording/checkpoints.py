"""Checkpoints on disk: which are whole, which is the newest, which may go.

A checkpoint counts only if it holds `complete.json`, which is written last: size and hash of each
of its files. A checkpoint that is torn or damaged is passed over for the newest whole one.
"""

import fnmatch
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import xxhash
from safetensors import SafetensorError

from huggin.common.errors import BadValue, UserError
from huggin.common.files import flush_to_disk, read_json, write_json
from huggin.common.streams import warn
from huggin.common.text import one_line
from huggin.recording.run_folder import MARK, RunFolder, is_checkpoint

# what loading a broken checkpoint raises
UNREADABLE = (SafetensorError, UnpicklingError, RuntimeError, EOFError, KeyError)
IN_A_MODEL = ("*model*.safetensors", "trainer_state.json")
IN_A_CHECKPOINT = ("optimizer.*", "scheduler.pt", "rng_state*")


def mark_complete(folder: Path, files: Iterable[Path] | None = None) -> None:
    """Flush a folder's files to disk, then write their sizes and hashes into it.

    files: those that count; all files of the folder by default.
    """
    if files is None:
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != MARK]
    facts = {}
    for path in sorted(files):
        flush_to_disk(path)
        facts[str(path.relative_to(folder))] = {
            "size": path.stat().st_size,
            "xxh3_128": hash_of(path),
        }
    write_json(folder / MARK, facts)
    flush_to_disk(folder)
    flush_to_disk(folder.parent)


def hash_of(path: Path) -> str:
    """The XXH3 hash of a file, 128 bits as hexadecimal digits: it finds damage, not forgery."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, xxhash.xxh3_128).hexdigest()


def hash_of_weights(folder: Path) -> str:
    """The hashes of the weights in the folder of a model, joined."""
    return "-".join(hash_of(path) for path in sorted(folder.glob("*.safetensors")))


def damage_of(folder: Path) -> str | None:
    """What keeps a marked folder from being used, in words; None if it is whole.

    A folder that an older version marked holds sizes only, so flipped bits in it are not found.
    """
    try:
        marked = read_json(folder / MARK)
        is_checkpoint = folder.name.startswith("checkpoint-")
        for kind in (*IN_A_MODEL, *(IN_A_CHECKPOINT if is_checkpoint else ())):
            if not fnmatch.filter(marked.keys(), kind):
                return f"{MARK} lists no {kind}, so it proves nothing"
        for name, facts in marked.items():
            by_size = isinstance(facts, int)
            size, digest = (facts, None) if by_size else (facts["size"], facts["xxh3_128"])
            if (folder / name).stat().st_size != size:
                return f"{name} has another size than it was saved with"
            if digest and hash_of(folder / name) != digest:
                return f"{name} has changed since it was saved"
    except (FileNotFoundError, NotADirectoryError):
        return "not complete"
    except (UserError, AttributeError, KeyError, TypeError):
        return f"{MARK} is damaged"
    return None


def is_complete(checkpoint: Path) -> bool:
    """Whether every file that the checkpoint was marked with is there as it was saved."""
    return damage_of(checkpoint) is None


def newest_checkpoint(run: RunFolder) -> Path | None:
    """The newest whole checkpoint; says on stderr which damaged ones are passed over, and why."""
    for _, checkpoint in reversed(run.checkpoints()):
        damage = damage_of(checkpoint)
        if damage is None:
            return checkpoint
        warn(f"{checkpoint}: {damage}, passed over")
    return None


def newest_model(run: RunFolder) -> Path:
    """Where the model with the most steps is: the run's folder, or a newer whole checkpoint in it.

    A trained model that is damaged is passed over for a whole checkpoint. Raises UserError if
    there is none.
    """
    refuse_untrained(run)
    checkpoint = newest_checkpoint(run)
    step = step_of(run.path)
    if step is None:
        return checkpoint or run.path
    if checkpoint and step_in_name(checkpoint) > step:
        return checkpoint
    damage = damage_of(run.path) if (run.path / MARK).exists() else None
    if damage is None:
        return run.path
    if checkpoint is None:
        raise UserError(f"{run.path}: the trained model is damaged: {damage}; train it again")
    warn(f"{run.path}: {damage}; {checkpoint.name} is used instead")
    return checkpoint


def refuse_untrained(run: RunFolder) -> None:
    """Raise UserError if there is neither a trained model in a run's folder nor a checkpoint."""
    if not run.trainer_state.is_file() and not run.checkpoints():
        advice = "run get-training-output first"
        if run.facts.is_file() and not read_json(run.facts).get("cfg"):
            advice = "save it there: recorder.save(tokenizer), see docs/python.md"
        raise UserError(f"{run.path}: no trained model; {advice}")


def model_of(run: RunFolder, checkpoint: int | None) -> Path:
    """The folder of a checkpoint's model, by its step, or of the newest model.

    Raises BadValue if there is no such checkpoint.
    """
    if checkpoint is None:
        return newest_model(run)
    folder = run.checkpoint(checkpoint)
    if not folder.is_dir():
        steps = ", ".join(str(step) for step, _ in run.checkpoints())
        way_out = f"choose {steps}" if steps else f"{run.path} has none"
        raise BadValue("checkpoint", checkpoint, f"no such checkpoint; {way_out}")
    if damage := damage_of(folder):
        raise BadValue("checkpoint", checkpoint, f"{folder}: {damage}; choose another one")
    return folder


def models_of(run: RunFolder, checkpoint: Path | None, every: bool = False) -> list[Path]:
    """Folders of models: the one that was named, every whole checkpoint, or the newest.

    Raises UserError if there is none, or the one that was named is of another run.
    """
    if checkpoint:
        wanted = checkpoint.resolve()
        if run.path.resolve() not in (wanted, *wanted.parents):
            raise BadValue("checkpoint", checkpoint, f"not in {run.path}; give its own run")
        return [checkpoint]
    if not every:
        return [newest_model(run)]
    whole = [folder for _, folder in run.checkpoints() if is_complete(folder)]
    if not whole:
        raise UserError(f"{run.path}: no whole checkpoint; run get-training-output first")
    return whole


def step_of(folder: Path) -> int | None:
    """The step in a folder's trainer_state.json; None if there is no such file or step."""
    return _of_state(folder, "global_step")


def begun_for(folder: Path) -> int | None:
    """How many steps the training of a folder's model was begun for, if that is known."""
    return _of_state(folder, "max_steps")


def _of_state(folder: Path, key: str) -> int | None:
    try:
        number = read_json(folder / "trainer_state.json")[key]
    except (FileNotFoundError, NotADirectoryError, UserError, KeyError, TypeError):
        return None
    return number if isinstance(number, int) else None


def step_in_name(checkpoint: Path) -> int:
    """The step that a checkpoint's name says."""
    return int(checkpoint.name.rpartition("-")[2])


def let_older_go(run: RunFolder, newest: Path, limit: int | None, best: str | None) -> None:
    """Delete checkpoints until `limit` are left, never the newest whole one and never the best.

    Those of a later step than the newest are damaged ones that were passed over: they go first.
    """
    if not limit or limit < 0:
        return
    spared = {newest.resolve(), Path(best).resolve()} if best else {newest.resolve()}
    steps = run.checkpoints()
    newest_step = step_in_name(newest)
    later = [path for step, path in steps if step > newest_step]
    earlier = [path for step, path in steps if step <= newest_step]
    others = [path for path in later + earlier if path.resolve() not in spared]
    for path in others[: max(0, len(steps) - max(limit, len(spared)))]:
        shutil.rmtree(path, ignore_errors=True)


def save_beside(folder: Path, save: Callable[[str], Any]) -> None:
    """Call `save` with an empty folder, then move each file from there to `folder`; mark them."""
    temporary = folder / ".saving"
    shutil.rmtree(temporary, ignore_errors=True)  # left by a kill
    temporary.mkdir(parents=True)
    save(str(temporary))
    moved = []
    for path in sorted(temporary.iterdir()):
        flush_to_disk(path)
        os.replace(path, folder / path.name)
        moved.append(folder / path.name)
    temporary.rmdir()
    mark_complete(folder, moved)


def why_not_begun(error: Exception, checkpoint: Path | None) -> str:
    """Why no step was made: a checkpoint that cannot be loaded, or a key that is refused."""
    if checkpoint is None or not isinstance(error, UNREADABLE):
        return one_line(error)
    what = f"{checkpoint}: cannot be loaded: {one_line(error)}"
    return f"{what}; delete it, and the same command goes on from the one before"


def refuse_other_content(run: RunFolder) -> None:
    """Raise UserError if a folder holds other things than a run: they are not ours to delete."""
    others = {path.name for path in run.path.iterdir()} - {run.holder.name}
    if others and not run.holds_a_run():
        what = f"{run.path}: holds {sorted(others)[0]} and no run"
        raise UserError(f"{what}; name another output_dir, or leave out overwrite_output_dir")


def start_anew(run: RunFolder) -> None:
    """Delete an earlier run's checkpoints, recording, figures and results. Other files stay."""
    for _, checkpoint in run.checkpoints():
        if is_checkpoint(checkpoint):
            shutil.rmtree(checkpoint)
    for path in list(run.own_files()):
        path.unlink(missing_ok=True)
    (run.path / MARK).unlink(missing_ok=True)
    for folder in (run.recording, run.graphs, run.teachers):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
