"""A Python process -> its main thread's stack at random moments, seen from outside with py-spy, which stops nothing.

`py-spy dump` at moments of ours, and not `py-spy record` at its own, so that they can be seeded and each be kept.
"""

import ctypes
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggin.door import UserError

LONGEST_LOOK = 10  # seconds
TRAINER = re.compile(r"(^|/)(transformers/trainer|trainer_qa)\.py")
OUTSIDE = "outside_trainer"
PR_SET_PTRACER = 0x59616D61  # <linux/prctl.h>


@dataclass(frozen=True)
class Frame:
    """A line that was being executed."""

    file: str  # as an import finds it, transformers/trainer.py
    line: int
    function: str  # with its class, Trainer.training_step


@dataclass(frozen=True)
class Sample:
    """The stack at one moment."""

    seconds: float  # since the process was started
    frames: tuple[Frame, ...]  # in call order: the caller before the called

    @property
    def training_function(self) -> str:
        """The innermost function of the Trainer; OUTSIDE where there is none, as while the data are read."""
        names = [frame.function.rpartition(".")[2] for frame in self.frames if TRAINER.search(frame.file)]
        return next((name for name in reversed(names) if name.isidentifier()), OUTSIDE)


@dataclass(frozen=True)
class Ending:
    """How a watched process ended."""

    code: int  # its exit code; 128 + the signal's number where one ended it
    seconds: float  # since it was started
    missed: int  # looks that found no whole stack


class NotReadable(Exception):
    """A look that found no whole stack, as while Python starts or ends; the next one may."""


def moments(interval: float, seed: int) -> Iterator[float]:
    """Seconds from the start, exponentially spaced with mean `interval`: a rhythm of the process cannot fool them."""
    draw, moment = random.Random(seed), 0.0
    while True:
        moment += draw.expovariate(1 / interval)
        yield moment


def watch(
    command: list[str],
    due: Iterable[float],
    keep: Callable[[Sample], None],
    look: Callable[[int], tuple[Frame, ...]],
) -> Ending:
    """Run a command and `keep` a sample of it at each moment that is `due`, until it ends or a signal comes.

    Where a look or `keep` fails, the command is told to save and end, and waited for.
    """
    began, missed = time.monotonic(), 0
    child = _start(command)
    try:
        received = _passing_signals_to(child)
        for moment in due:
            if _ends_before(child, began + moment) or received:
                break
            try:
                keep(Sample(time.monotonic() - began, look(child.pid)))
            except NotReadable:
                missed += child.poll() is None
        code = child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
    return Ending(code if code >= 0 else 128 - code, time.monotonic() - began, missed)


def _ends_before(child: "subprocess.Popen[bytes]", moment: float) -> bool:
    try:
        child.wait(max(0.0, moment - time.monotonic()))
        return True
    except subprocess.TimeoutExpired:
        return False


def _start(command: list[str]) -> "subprocess.Popen[bytes]":
    """Start a process in a group of its own, so that Ctrl-C reaches it through `_passing_signals_to`, and only once."""
    return subprocess.Popen(command, process_group=0, preexec_fn=_let_me_look if sys.platform == "linux" else None)


def _let_me_look() -> None:
    """Where Linux lets only parents look (yama/ptrace_scope 1), let the parent and its children, such as py-spy."""
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, os.getppid(), 0, 0, 0)


def _passing_signals_to(child: "subprocess.Popen[bytes]") -> list[int]:
    """From now on Ctrl-C and SIGTERM go on to the child, which saves; the list fills with those that came."""
    received: list[int] = []

    def pass_on(number: int, _frame: Any) -> None:
        received.append(number)
        child.send_signal(signal.SIGTERM if number == signal.SIGHUP else number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    return received


def look(pid: int) -> tuple[Frame, ...]:
    """The main thread's stack now. Raises NotReadable, and UserError where py-spy is missing or not permitted."""
    spy = shutil.which("py-spy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if not spy:
        raise UserError("py-spy not found; run ./setup, it installs it")
    command = [spy, "dump", "--json", "--nonblocking", "--pid", str(pid)]
    try:
        seen = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_LOOK)
    except subprocess.TimeoutExpired:
        raise NotReadable from None
    if re.search("permission denied|not permitted|requires root", seen.stderr, re.IGNORECASE):
        raise UserError(
            "py-spy is not permitted to look at the training; on Linux type: sudo sysctl kernel.yama.ptrace_scope=0, "
            "in Docker start with --cap-add SYS_PTRACE, on macOS use sudo"
        )
    return main_stack(seen.stdout)


def main_stack(dumped: str) -> tuple[Frame, ...]:
    """The main thread's frames in py-spy's JSON, in call order. Raises NotReadable."""
    try:
        stack = next(thread["frames"] for thread in json.loads(dumped) if thread["os_thread_id"] == thread["pid"])
        frames = [Frame(frame["short_filename"] or frame["filename"], frame["line"], frame["name"]) for frame in stack]
    except (ValueError, KeyError, TypeError, StopIteration):
        raise NotReadable from None
    if not frames:
        raise NotReadable
    return tuple(reversed(frames))
