"""A Python process -> its main thread's stack at random moments, seen from outside with py-spy, which stops nothing.

One `py-spy record` for the whole process: to find a process's stack takes py-spy 10 ms, to look at it again 1 ms. It
draws the gaps between its looks from an exponential distribution, so that no rhythm of the process can fool it.
"""

import ctypes
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from huggin.common.errors import UserError

TRAINER = re.compile(r"(^|/)(transformers/trainer|trainer_qa)\.py")
OUTSIDE = "outside_trainer"
PR_SET_PTRACER = 0x59616D61  # <linux/prctl.h>
FORBIDDEN = re.compile("permission denied|not permitted|requires root", re.IGNORECASE)


class Frame(NamedTuple):
    """A line that was being executed."""

    file: str  # as an import finds it, transformers/trainer.py
    line: int
    function: str  # with its class, Trainer.training_step


Sample = tuple[Frame, ...]  # the stack at one moment, in call order: the caller before the called


@dataclass(frozen=True)
class Ending:
    """How a watched process ended."""

    code: int  # its exit code; 128 + the signal's number where one ended it
    seconds: float  # from its start to its end
    looked: float  # from its start to py-spy's end, in seconds
    missed: int  # looks that found no whole stack
    trouble: str  # why py-spy could not go on, its words; empty where it could


def training_function(sample: Sample) -> str:
    """The innermost function of the Trainer; OUTSIDE where there is none, as while the data are read."""
    names = [frame.function.rpartition(".")[2] for frame in sample if TRAINER.search(frame.file)]
    return next((name for name in reversed(names) if name.isidentifier()), OUTSIDE)


@dataclass(frozen=True)
class Looks:
    """How often to look: `interval` seconds apart on average, and no more after `wanted` looks that are kept.

    py-spy looks a whole number of times a second. Where that is more often, each look is kept with the same
    probability, drawn with `seed`; the gaps of those that are kept are exponential, too.
    """

    interval: float
    wanted: int | None
    seed: int

    @property
    def rate(self) -> int:
        """Looks a second."""
        return math.ceil(1 / self.interval)

    @property
    def seconds(self) -> int | None:
        """How long py-spy looks, with a tenth to spare for looks that are missed; None: until the process ends."""
        return self.wanted and math.ceil(1.1 * self.wanted * self.interval) + 1

    def kept(self, samples: list[Sample]) -> list[Sample]:
        """Those of all samples that are kept, in their order."""
        draw, share = random.Random(self.seed), 1 / (self.interval * self.rate)
        return [sample for sample in samples if draw.random() < share][: self.wanted]


def watch(command: list[str], looks: Looks, out: Path) -> Ending:
    """Run a command to its end while py-spy looks at it; `out`: what it saw, as speedscope's JSON.

    Ctrl-C and SIGTERM go on to the command. Raises UserError where py-spy is missing or not permitted to look: then
    the command is told to save and end, and waited for.
    """
    spy, began = find_py_spy(), time.monotonic()
    child = _start(command)
    try:
        _pass_signals_to(child)
        said, looked = _look(spy, child.pid, looks, out), time.monotonic() - began
        trouble = _trouble(said) if child.poll() is None else ""
        code = child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
    missed = re.search(r"Errors: (\d+)", said.stdout)
    seconds = time.monotonic() - began
    return Ending(
        code if code >= 0 else 128 - code, seconds, looked, int(missed[1]) if missed else 0, trouble
    )


def find_py_spy() -> str:
    """py-spy's path: ours, else another's. Raises UserError where there is none."""
    spy = shutil.which(
        "py-spy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if not spy:
        raise UserError("py-spy not found; run ./setup, it installs it")
    return spy


def _look(spy: str, pid: int, looks: Looks, out: Path) -> subprocess.CompletedProcess[str]:
    """Let py-spy look until the process ends, or long enough; Ctrl-C does not reach it."""
    line, pipe, both = looking(spy, pid, looks, out), subprocess.PIPE, subprocess.STDOUT
    return subprocess.run(
        line, stdout=pipe, stderr=both, encoding="utf-8", errors="replace", process_group=0
    )


def looking(spy: str, pid: int, looks: Looks, out: Path) -> list[str]:
    """The command line of a py-spy that looks at a process."""
    options = [
        "--nonblocking",
        "--idle",
        "--format",
        "speedscope",
        "--rate",
        str(looks.rate),
        "--output",
        str(out),
    ]
    return [
        spy,
        "record",
        *options,
        *(["--duration", str(looks.seconds)] if looks.seconds else []),
        "--pid",
        str(pid),
    ]


def _trouble(said: subprocess.CompletedProcess[str]) -> str:
    """Why py-spy went no further, empty where it did all. Raises UserError where it is not permitted to look."""
    if FORBIDDEN.search(said.stdout):
        raise UserError(
            "py-spy is not permitted to look at the training; on Linux type: sudo sysctl kernel.yama.ptrace_scope=0, "
            "in Docker start with --cap-add SYS_PTRACE, on macOS use sudo"
        )
    reason = re.search("^Error: (.*)", said.stdout, re.MULTILINE)
    return (reason[1] if reason else f"exit code {said.returncode}") if said.returncode else ""


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, so that Ctrl-C reaches it through `_pass_signals_to`, and only once."""
    return subprocess.Popen(
        command, process_group=0, preexec_fn=_let_me_look if sys.platform == "linux" else None
    )


def _let_me_look() -> None:
    """Where Linux lets only parents look (yama/ptrace_scope 1), let the parent and its children, such as py-spy."""
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, os.getppid(), 0, 0, 0)


def _pass_signals_to(child: subprocess.Popen[bytes]) -> None:
    """From now on Ctrl-C and SIGTERM go on to the child, which saves and ends."""

    def pass_on(number: int, _frame: Any) -> None:
        child.send_signal(signal.SIGTERM if number == signal.SIGHUP else number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)


def read_samples(file: Path) -> list[Sample]:
    """The main thread's stacks in py-spy's speedscope JSON; none where there is no file.

    They begin with the program itself, other threads' with a thread's start. One that begins within it changed while
    py-spy read it, and is left out.
    """
    if not file.exists():
        return []
    seen = json.loads(file.read_text(encoding="utf-8"))
    frames = [
        Frame(_short(frame["file"]), frame["line"], frame["name"])
        for frame in seen["shared"]["frames"]
    ]
    stacks_of = (profile["samples"] for profile in seen["profiles"])
    threads = [[tuple(frames[at] for at in stack) for stack in stacks] for stacks in stacks_of]
    whole = (
        [stack for stack in stacks if stack and stack[0].function == "<module>"]
        for stacks in threads
    )
    return max(whole, key=len, default=[])


def _short(file: str) -> str:
    """A file's path from the folder of `sys.path` on in which an import finds it."""
    folders = [folder for folder in sys.path if folder and Path(file).is_relative_to(folder)]
    return str(Path(file).relative_to(max(folders, key=len))) if folders else file
