"""Look at the Python stack of this process at random moments, while it works.

    with Looks(0.25, seed=7) as looks:
        work()
    looks.samples

A timer interrupts the program between two of Python's instructions. What is due while a function of
C computes, such as a product of matrices, is looked at when it returns, as often as it was due. The
gaps are exponentially distributed, so a periodic pattern in the program cannot bias the samples.
"""

import random
import re
import signal
import sys
import time
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple, Self

TRAINER = re.compile(r"(^|/)(transformers/trainer|trainer_qa)\.py")
OUTSIDE = "outside_trainer"
SOONEST = 1e-4  # seconds from a look to the next, so that it does not see itself


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


class Looks:
    """Samples of the stack inside a `with` block of the main thread; they begin below it."""

    def __init__(self, interval: float, seed: int) -> None:
        """interval: seconds between two looks, on average. seed: of the moments."""
        self.samples: list[Sample] = []
        self.seconds = 0.0  # that the block took
        self._rate = 1 / interval
        self._random = random.Random(seed)
        self._stacks: dict[Sample, Sample] = {}  # so that equal ones are kept once

    def __enter__(self) -> Self:
        """Look from now on."""
        self._outside = sys._getframe(1)
        self._before = signal.signal(signal.SIGALRM, self._look)
        signal.siginterrupt(signal.SIGALRM, False)  # no system call fails because of us
        self._began = time.monotonic()
        self._due = self._began + self._random.expovariate(self._rate)
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
        self.seconds = time.monotonic() - self._began

    def _look(self, _number: int, frame: FrameType | None) -> None:
        stack = []
        while frame and frame is not self._outside:
            stack.append(_frame_of(frame.f_code, frame.f_lineno))
            frame = frame.f_back
        sample = tuple(reversed(stack))
        while self._due <= time.monotonic():
            self.samples.append(self._stacks.setdefault(sample, sample))
            self._due += self._random.expovariate(self._rate)
        self._wait()

    def _wait(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, max(SOONEST, self._due - time.monotonic()))


@cache
def _frame_of(code: CodeType, line: int) -> Frame:
    file = Path(code.co_filename)
    folders = [folder for folder in sys.path if folder and file.is_relative_to(folder)]
    names = [str(file.relative_to(folder)) for folder in folders]
    return Frame(min(names, key=len, default=code.co_filename), line, code.co_qualname)
