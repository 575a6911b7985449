"""Samples of a training's Python stack: read what py-spy wrote, and choose which are kept."""

import json
import math
import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

TRAINER = re.compile(r"(^|/)(transformers/trainer|trainer_qa)\.py")
OUTSIDE = "outside_trainer"


class Frame(NamedTuple):
    """A line of code that was running."""

    file: str  # as an import names it: transformers/trainer.py
    line: int
    function: str  # with its class: Trainer.training_step


Sample = tuple[Frame, ...]  # the stack at one moment, in call order: the caller first


def training_function(sample: Sample) -> str:
    """The innermost function of the Trainer on the stack.

    Returns OUTSIDE if there is none, as while the data are read.
    """
    names = [frame.function.rpartition(".")[2] for frame in sample if TRAINER.search(frame.file)]
    return next((name for name in reversed(names) if name.isidentifier()), OUTSIDE)


@dataclass(frozen=True)
class Looks:
    """How often py-spy looks at the stack, and which of its looks are kept.

    interval: seconds between two looks, on average.
    wanted: keep this many looks, spread over the whole training; None: keep all.
    seed: of the random choice of the looks that are kept.
    """

    interval: float
    wanted: int | None
    seed: int

    @property
    def rate(self) -> int:
        """Looks per second; py-spy takes whole numbers only."""
        return math.ceil(1 / self.interval)

    def kept(self, samples: list[Sample]) -> list[Sample]:
        """The samples that are kept, in their order.

        If py-spy looked more often than `interval` says, each look is kept with the same
        probability, so that the gaps stay exponentially distributed.
        """
        draw = random.Random(self.seed)
        if self.wanted is None:
            share = 1 / (self.interval * self.rate)
            return [sample for sample in samples if draw.random() < share]
        chosen = draw.sample(range(len(samples)), min(self.wanted, len(samples)))
        return [samples[at] for at in sorted(chosen)]


def read_samples(file: Path) -> list[Sample]:
    """Read the main thread's stacks from py-spy's speedscope JSON; an absent file has none.

    The main thread's stacks begin with the module that was started, those of other threads with
    the start of a thread. A stack that begins elsewhere changed while py-spy read it: it is left
    out.
    """
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if not text:
        return []
    seen = json.loads(text)
    frames = [
        Frame(_as_imported(frame["file"]), frame["line"], frame["name"])
        for frame in seen["shared"]["frames"]
    ]
    threads = [_whole_stacks(profile["samples"], frames) for profile in seen["profiles"]]
    return max(threads, key=len, default=[])


def _whole_stacks(stacks: list[list[int]], frames: list[Frame]) -> list[Sample]:
    """The stacks of one thread that begin with a module; each is given as indices of frames."""
    samples = [tuple(frames[at] for at in stack) for stack in stacks]
    return [sample for sample in samples if sample and sample[0].function == "<module>"]


def _as_imported(file: str) -> str:
    """A file's path from the folder of `sys.path` in which an import finds it."""
    folders = [folder for folder in sys.path if folder and Path(file).is_relative_to(folder)]
    return str(Path(file).relative_to(max(folders, key=len))) if folders else file
