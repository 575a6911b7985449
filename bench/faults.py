"""Give every command bad inputs, and count how many are answered right.

python bench/faults.py

An input is answered right if the command ends in time with the exit code that is due, says what
is wrong in one line, sends no control characters to the terminal, and leaves every file as it was.
All happens in a temporary folder and on this machine. The inputs are in `bench/inputs/`.
Exit code 1 if any is not answered right.
"""

import argparse
import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

from bench.inputs.base import Fault, make_base  # noqa: E402
from bench.inputs.commands import all_faults  # noqa: E402
from huggin.common import console  # noqa: E402
from huggin.common.cli import exit_code_of  # noqa: E402
from huggin.common.progress import progress  # noqa: E402

# Imported once here, and not once for each input.
PRELOADED = (
    "trainer_qa",
    "huggin.asking.examination",
    "huggin.asking.examination",
    "huggin.asking.examined",
    "huggin.graphs.parts",
    "huggin.graphs.logits",
    "huggin.graphs.logits",
    "huggin.graphs.losses",
    "huggin.graphs.logits",
    "huggin.graphs.nodes",
    "huggin.graphs.questions",
    "huggin.graphs.weights",
    "huggin.pages.pdf",
    "huggin.recording.exports",
    "huggin.recording.tensorboard",
)
QUICK = 20
LIMIT = 240  # seconds for one input
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@cache
def main_of(script: str) -> Any:
    """The `main` of a command."""
    return console.main_of(console.find_command(console.find_commands(), script).path)


def run(words: list[str], folder: Path, logs: Path) -> int | None:
    """Run a command in a copy of this process; its exit code, None if it did not end in time."""
    process = os.fork()
    if process == 0:
        _become(words, folder, logs)
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def _become(words: list[str], folder: Path, logs: Path) -> None:
    """Run a command and end this process with its exit code."""
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        for number, name in ((0, None), (1, "stdout"), (2, "stderr")):
            path = logs / name if name else Path(os.devnull)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, number)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace")
        code = exit_code_of(main_of(words[0]), words[1:])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file under a folder, and of every folder's name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        times = 0 if path.is_dir() else facts.st_mtime_ns
        found[str(path.relative_to(folder))] = (facts.st_size if times else 0, times)
    return found


def verdict(fault: Fault, base: Path, folder: Path, logs: Path) -> str | None:
    """Try one input. Returns what was wrong with the answer, or None."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder, symlinks=True)
    fault.prepare(folder)
    before = files_of(folder)
    code = run(list(fault.words), folder, logs)
    out, err = (
        (logs / name).read_bytes().decode("utf-8", "replace") for name in ("stdout", "stderr")
    )
    if code is None:
        return f"did not end within {LIMIT} s"
    if code not in fault.codes:
        last = (err.strip().splitlines() or [""])[-1]
        return f"exit code {code}, not {sorted(fault.codes)}: {last[:200]}"
    return _wrong_with_words(code, out, err) or _wrong_with_files(code, before, files_of(folder))


def _wrong_with_words(code: int, out: str, err: str) -> str | None:
    if "Traceback" in err:
        return "a traceback"
    if CONTROL.search(out + err):
        return "control characters reach the terminal"
    errors = [line for line in err.splitlines() if ": error: " in line]
    if code == 2 and len(errors) != 1:
        return f"{len(errors)} lines that say what is wrong"
    return None


def _wrong_with_files(code: int, before: dict, after: dict) -> str | None:
    if code != 2 or before == after:
        return None
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    return f"refused, and yet changed {', '.join(changed[:3])}"


def try_all(faults: Iterable[Fault], base: Path, folder: Path) -> tuple[Counter, Counter]:
    """Try inputs; how many of each kind, and how many of them were answered right."""
    tried: Counter[str] = Counter()
    right: Counter[str] = Counter()
    faults = list(faults)
    for fault in progress(faults, label="faults", unit="inputs", delay=0):
        wrong = verdict(fault, base, folder / "case", folder)
        tried[fault.kind] += 1
        right[fault.kind] += wrong is None
        if wrong:
            print(f"WRONG  {fault.kind}: {fault.name}: {wrong}", flush=True)
    return tried, right


def main(argv: list[str] | None = None) -> int:
    """Print what was answered wrong, a table by kind, and how many were right."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", action="append", help="only this kind; several times for several")
    parser.add_argument("--quick", action="store_true", help=f"only every {QUICK}th input")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for module in PRELOADED:
            importlib.import_module(module)
        base = folder / "base"
        make_base(base, lambda words: run(words, base, folder))
        faults = [fault for fault in all_faults(base) if fault.kind in (args.kind or [fault.kind])]
        tried, right = try_all(faults[:: QUICK if args.quick else 1], base, folder)
    print("\n| kind | tried | right |\n|---|---|---|")
    for kind, number in tried.items():
        print(f"| {kind} | {number} | {right[kind]} |")
    print(f"{tried.total()} tried, {right.total()} right")
    return int(tried.total() != right.total())


if __name__ == "__main__":
    sys.exit(main())
