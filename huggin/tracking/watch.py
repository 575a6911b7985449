"""Run a Python program while py-spy looks at its stack; read what it saw, choose what is kept.

py-spy looks from outside, without stopping it. One `py-spy record` looks at the whole run: finding
the stack of a process takes py-spy 10 ms, looking at it again 1 ms. The gaps between its looks are
exponentially distributed, so a periodic pattern in the program cannot bias the samples.
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
from huggin.common.streams import warn

PR_SET_PTRACER = 0x59616D61  # <linux/prctl.h>
FORBIDDEN = re.compile("permission denied|not permitted|requires root", re.IGNORECASE)
ONLY_ROOT_MAY_LOOK = sys.platform == "darwin"
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
    frames = []
    for frame in seen["shared"]["frames"]:
        path = frame["file"]
        folders = [folder for folder in sys.path if folder and Path(path).is_relative_to(folder)]
        if folders:  # as an import names it
            path = str(Path(path).relative_to(max(folders, key=len)))
        frames.append(Frame(path, frame["line"], frame["name"]))
    threads = [
        [
            tuple(frames[at] for at in stack)
            for stack in profile["samples"]
            if stack and frames[stack[0]].function == "<module>"
        ]
        for profile in seen["profiles"]
    ]
    return max(threads, key=len, default=[])


@dataclass(frozen=True)
class Ending:
    """How a watched program ended."""

    code: int  # its exit code; 128 + the signal's number if a signal ended it
    seconds: float  # from its start to its end
    looked: float  # from its start to the end of py-spy, in seconds
    missed: int  # looks that found no complete stack
    trouble: str  # why py-spy ended early, in its words; empty if it did not


def watch(command: list[str], looks: Looks, out: Path) -> Ending:
    """Run a program to its end while py-spy looks at it.

    py-spy writes what it saw to `out`, as speedscope's JSON. Ctrl-C and SIGTERM are passed on to
    the program. Raises UserError if py-spy is missing or may not look; the program is then told to
    save and end, and waited for.
    """
    spy = find_py_spy()
    ask_for_sudo()
    out.touch()  # so that it belongs to the user, even if py-spy runs as root
    began = time.monotonic()
    prepare = _let_me_look if sys.platform == "linux" else None
    # In a process group of its own: Ctrl-C reaches it only by `_pass_signals_to`.
    child = subprocess.Popen(command, process_group=0, preexec_fn=prepare)
    try:
        _pass_signals_to(child)
        # In a process group of its own: no Ctrl-C.
        said = subprocess.run(
            looking(spy, child.pid, looks, out),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            process_group=0,
        )
        looked = time.monotonic() - began
        trouble = _trouble(said) if child.poll() is None else ""
        code = child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
    seconds = time.monotonic() - began
    errors = re.search(r"Errors: (\d+)", said.stdout)
    missed = int(errors[1]) if errors else 0
    return Ending(code if code >= 0 else 128 - code, seconds, looked, missed, trouble)


def find_py_spy() -> str:
    """The path of py-spy, first beside our Python. Raises UserError if there is none."""
    folders = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    spy = shutil.which("py-spy", path=folders)
    if not spy:
        raise UserError("py-spy not found; run ./setup, it installs it")
    return spy


def ask_for_sudo() -> None:
    """On macOS, where only root may look at a process, let sudo ask for the password.

    py-spy alone runs as root; the program and all files belong to the user. Raises UserError if
    the user may not use sudo, or started us with sudo.
    """
    if ONLY_ROOT_MAY_LOOK and os.geteuid() == 0 and "SUDO_UID" in os.environ:
        why = "with sudo the run's files would belong to root"
        raise UserError(f"{why}; start it without sudo, it calls sudo for py-spy alone")
    if _needs_sudo():
        warn("py-spy must run as root on macOS; sudo may ask for your password")
        if subprocess.run(["sudo", "-v"]).returncode:
            raise UserError("py-spy may not look at the training: sudo was refused")


def _needs_sudo() -> bool:
    return ONLY_ROOT_MAY_LOOK and os.geteuid() != 0


def looking(spy: str, pid: int, looks: Looks, out: Path) -> list[str]:
    """The command line of a py-spy that looks at a process until the process ends."""
    sudo = ["sudo", "-n"] if _needs_sudo() else []
    how = ["--nonblocking", "--idle", "--format", "speedscope", "--rate", str(looks.rate)]
    return [*sudo, spy, "record", *how, "--output", str(out), "--pid", str(pid)]


def _trouble(said: subprocess.CompletedProcess[str]) -> str:
    """Why py-spy ended early; empty if it did not. Raises UserError if it may not look."""
    if FORBIDDEN.search(said.stdout):
        linux = "on Linux type: sudo sysctl kernel.yama.ptrace_scope=0"
        docker = "in Docker start with --cap-add SYS_PTRACE"
        raise UserError(f"py-spy is not permitted to look at the training; {linux}, {docker}")
    if not said.returncode:
        return ""
    reason = re.search("^Error: (.*)", said.stdout, re.MULTILINE)
    return reason[1] if reason else f"exit code {said.returncode}"


def _let_me_look() -> None:
    """Permit the parent, and py-spy as its child, to look.

    On Linux with yama/ptrace_scope 1 only the parent of a process may look at it.
    """
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, os.getppid(), 0, 0, 0)


def _pass_signals_to(child: subprocess.Popen[bytes]) -> None:
    """From now on pass Ctrl-C and SIGTERM on to the child, which saves and ends."""

    def pass_on(number: int, _frame: Any) -> None:
        child.send_signal(signal.SIGTERM if number == signal.SIGHUP else number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
