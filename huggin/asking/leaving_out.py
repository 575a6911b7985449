"""Teachers -> trainings without each of them: what each was really worth.

A training without a question has the same batches in the same order and the same random numbers;
only the question's own loss counts nothing (the key `leave_out`).
"""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from huggin.analysis.parts import rank_correlation
from huggin.asking.answering import TrainedModel
from huggin.asking.questions import draw_questions
from huggin.asking.teachers import Teachers
from huggin.common.errors import UserError
from huggin.common.files import read_json, write_json
from huggin.common.streams import warn
from huggin.common.text import InWords, in_columns, one_line, short
from huggin.model.device import choose_device
from huggin.qa.arguments import DataArguments
from huggin.qa.given import arguments_of
from huggin.recording.probe import probe
from huggin.recording.reader import Recording

OF_OURS = "training data"  # of the settings that run_qa.py records, and no loop
QUIET = {  # keys of a training of which only the model is wanted
    "record": False,
    "do_eval": False,
    "eval_strategy": "no",
    "save_strategy": "no",
    "load_best_model_at_end": False,
    "push_to_hub": False,
    "notify": None,
    "overwrite_output_dir": False,
}


@dataclass(frozen=True)
class LeftOut:
    """A training question, and what it was worth to another one."""

    index: int
    question: str
    push: float
    exact: float | None
    truth: list[float]  # nats by which the loss is higher without it, for each seed


@dataclass(frozen=True)
class LeavingOut(InWords):
    """What trainings without some questions say of the estimates."""

    question: str
    seeds: list[int]
    left_out: list[LeftOut]

    def correlations(self) -> dict[str, tuple[float, float]]:
        """Pearson's and Spearman's, of each estimate with the mean truth."""
        truth = [float(np.mean(each.truth)) for each in self.left_out]
        estimates = {
            name: [getattr(each, name) for each in self.left_out] for name in ("push", "exact")
        }
        with np.errstate(invalid="ignore"):
            return {
                name: (float(np.corrcoef(values, truth)[0, 1]), rank_correlation(values, truth))
                for name, values in estimates.items()
                if None not in values
            }

    def in_words(self) -> str:
        """A table of estimate beside truth, and how well they agree."""
        rows = [("push", "exact", "without it", "spread", "question")]
        for each in self.left_out:
            spread = f"{np.std(each.truth, ddof=1):.4f}" if len(each.truth) > 1 else "-"
            exact = "-" if each.exact is None else f"{each.exact:+.4f}"
            numbers = (f"{each.push:+.4f}", exact, f"{np.mean(each.truth):+.4f}", spread)
            rows.append((*numbers, f"{each.index}: {short(each.question, 70)}"))
        lines = [f'the loss of "{self.question}", trained again without each (nats)']
        lines += in_columns(rows, left=(4,))
        for name, (pearson, spearman) in self.correlations().items():
            words = f"Pearson {pearson:+.2f}, Spearman {spearman:+.2f}"
            lines.append(f"{name} and truth of {len(self.left_out)} questions: {words}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """All numbers."""
        return {**asdict(self), "correlations": self.correlations()}


def leave_out(
    found: Teachers, run: Path | str, count: int, seeds: int = 1, draw: int = 0
) -> LeavingOut:
    """Train again without the first `count` teachers, and without as many others.

    run: the folder that they were found in. seeds: how many, the run's own and the next ones. draw:
    the seed that draws the others. Each loss is kept in RUN/teachers as soon as it is known, so
    that a call that was stopped goes on. The time is said after the first training of a seed.
    Raises UserError for a run that run_qa.py did not train.
    """
    recording = Recording(run)
    own = recording.facts.seed or 0
    used = range(own, own + seeds)
    first = found.teachers[:count]
    rest = found.teachers[count:]
    drawn = sorted(draw_questions(len(rest), draw)[:count])
    chosen = [*first, *(rest[place] for place in drawn)]
    whole = [_loss_without(recording, found, None, seed) for seed in used]
    left_out = []
    for number, teacher in enumerate(chosen):
        begun = time.monotonic()
        losses = [_loss_without(recording, found, teacher.index, seed) for seed in used]
        if number == 0:
            minutes = (time.monotonic() - begun) * (len(chosen) - 1) / 60
            warn(f"{(len(chosen) - 1) * seeds} more trainings, about {minutes:.0f} min")
        truth = [loss - before for loss, before in zip(losses, whole, strict=True)]
        known = (teacher.index, teacher.question, teacher.push, teacher.exact)
        left_out.append(LeftOut(*known, truth))
    return LeavingOut(found.question, list(used), left_out)


def _loss_without(recording: Recording, found: Teachers, index: int | None, seed: int) -> float:
    """The question's loss after a training without one of the others, as kept, or trained now."""
    asked = json.dumps([found.question, found.window.context, found.answer])
    kept = recording.run.teachers / f"{xxhash.xxh3_64_hexdigest(asked.encode())}.json"
    losses = read_json(kept) if kept.exists() else {}
    name = f"{recording.facts.run_id}, seed {seed}, without {index}"
    if name not in losses:
        folder = recording.run.teachers / f"seed-{seed}-without-{index}"
        losses[name] = _train(recording, folder, found, {"leave_out": index, "seed": seed})
        shutil.rmtree(folder)
        write_json(kept, losses)
    return float(losses[name])


def _train(recording: Recording, folder: Path, found: Teachers, keys: dict[str, Any]) -> float:
    """Train what the run trained, with other keys, in a folder; the question's loss afterwards."""
    if OF_OURS not in recording.facts.fixed:
        raise UserError(f"{recording.run.path}: not of run_qa.py, so it cannot be trained again")
    shutil.rmtree(folder, ignore_errors=True)  # left by a stop
    folder.parent.mkdir(exist_ok=True)
    cfg = folder.with_suffix(".json")
    write_json(cfg, {**recording.facts.cfg, **QUIET, **keys, "output_dir": str(folder)})
    line = [sys.executable, "-m", "huggin.common.console", "run_qa", str(cfg)]
    done = subprocess.run(line, capture_output=True, text=True)
    cfg.unlink()
    if done.returncode:
        raise UserError(f"{folder}: not trained: {one_line(ValueError(done.stderr[-300:]))}")
    place = choose_device(None, bool(recording.facts.cfg.get("use_cpu")))
    _, data = arguments_of(recording.cfg)
    trained = TrainedModel.in_folder(recording.run, folder, data, place)
    seen = probe(trained.model, found.window, [], DataArguments())
    return (seen.start_loss + seen.end_loss) / 2
