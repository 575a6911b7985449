"""Type a command with a bad input, and judge the answer.

An input is answered right if the command ends in time with the exit code that is due, says what
is wrong in one line, sends no control characters to the terminal, and leaves every file as it was.
"""

import re
import shutil
import subprocess
from pathlib import Path

from tests.conftest import process
from tests.faults.inputs.base import Fault

LIMIT = 240  # seconds for one input
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
Answer = tuple[int, str, str]  # exit code, stdout, stderr
Files = dict[str, tuple[int, int]]


def answer(words: tuple[str, ...], folder: Path) -> Answer | None:
    """What a command answers in a folder; None if it does not end in time."""
    try:
        done = subprocess.run(
            process(*words),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        return None
    out, err = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    return done.returncode, out, err


def what_is_wrong(fault: Fault, base: Path, folder: Path) -> str | None:
    """Try one input in `folder`, a copy of `base`. What was wrong with the answer, or None."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder, symlinks=True)
    fault.prepare(folder)
    before = files_of(folder)
    given = answer(fault.words, folder)
    if given is None:
        return f"did not end within {LIMIT} s"
    code, out, err = given
    if code not in fault.codes:
        last = (err.strip().splitlines() or [""])[-1]
        return f"exit code {code}, not {sorted(fault.codes)}: {last[:200]}"
    return wrong_words(code, out, err) or wrong_files(code, before, files_of(folder))


def wrong_words(code: int, out: str, err: str) -> str | None:
    """What is wrong with what a command said, or None."""
    if "Traceback" in err:
        return "a traceback"
    if CONTROL.search(out + err):
        return "control characters reach the terminal"
    errors = [line for line in err.splitlines() if ": error: " in line]
    if code == 2 and len(errors) != 1:
        return f"{len(errors)} lines that say what is wrong"
    return None


def wrong_files(code: int, before: Files, after: Files) -> str | None:
    """Which files a refused command has changed, or None."""
    if code != 2 or before == after:
        return None
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    return f"refused, and yet changed {', '.join(changed[:3])}"


def files_of(folder: Path) -> Files:
    """Size and time of every file under a folder, and of every folder's name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        times = 0 if path.is_dir() else facts.st_mtime_ns
        found[str(path.relative_to(folder))] = (facts.st_size if times else 0, times)
    return found
