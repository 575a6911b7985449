"""What the benchmarks share: measuring in turns, medians and ratios, rows of a table, processes.

A row is a line of Markdown, `| what | value | target |`. The last line of a script is
`name ratio low high`.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent

# No messages of TensorFlow, here and in the processes that we start
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@dataclass(frozen=True)
class Spread:
    """What several rounds gave."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{short(self.median)} ({short(self.low)} to {short(self.high)})"


def short(number: float) -> str:
    """Five digits, and whole numbers with commas: `0.01234`, `1.0005`, `14,754`."""
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.5g}"


def spread(values: Sequence[float]) -> Spread:
    """The median, the lowest and the highest value."""
    return Spread(statistics.median(values), min(values), max(values))


def ratios(measured: Mapping[str, Sequence[float]], name: str, base: str) -> Spread:
    """`name` divided by `base`, round by round: what slows a whole round cancels out."""
    pairs = zip(measured[name], measured[base], strict=True)
    return spread([one / other for one, other in pairs])


def huggin(*words: object) -> list[str]:
    """The line that runs `huggin WORDS`, this checkout's, from any folder."""
    code = (
        f"import sys; sys.path[0] = {str(ROOT)!r}; from huggin.common.console import main; main()"
    )
    return [sys.executable, "-c", code, *map(str, words)]


def alternate(
    contenders: Mapping[str, Callable[[], float]], rounds: int, seconds: float = 600
) -> dict[str, list[float]]:
    """Measure each contender once per round; in every other round the order is reversed.

    No round but the first begins after `seconds`.
    """
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    deadline = time.monotonic() + seconds
    for number in range(rounds):
        if number and time.monotonic() > deadline:
            break
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            measured[name].append(contenders[name]())
    return measured


def seconds_of(work: Callable[[], Any]) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def row(
    what: str, value: object, unit: str = "", most: float | None = None, least: float | None = None
) -> None:
    """Print a row of the table; if there is a target, with whether the median meets it."""
    number = value.median if isinstance(value, Spread) else value
    target = ""
    for words, limit, sign in (("at most", most, 1), ("at least", least, -1)):
        if limit is not None:
            assert isinstance(number, int | float)
            target = f"{words} {limit:g}: {'met' if sign * number <= sign * limit else 'MISSED'}"
    shown = short(value) if isinstance(value, int | float) else value
    print(f"| {what} | {shown} {unit}".rstrip() + f" | {target} |", flush=True)


def last_line(name: str, ratio: Spread) -> None:
    """Print the line that other programs read."""
    print(f"{name} {ratio.median:.6g} {ratio.low:.6g} {ratio.high:.6g}", flush=True)


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """A parser with the arguments that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    quick = "fewer and shorter rounds: a first impression, not a result"
    parser.add_argument("--quick", action="store_true", help=quick)
    return parser


def rivals_python() -> Path:
    """The Python of the rivals' environment, bench/.venv. Installs it first if it is not there."""
    wanted = BENCH / "requirements.txt"
    folder = BENCH / ".venv"
    python = folder / "bin" / "python"
    installed = folder / "installed.txt"
    if not installed.is_file() or installed.read_text() != wanted.read_text():
        print(f"installing the rivals into {folder}: some minutes and GB", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q"]
        subprocess.run([*pip, "-r", wanted], check=True, stdout=sys.stderr)
        installed.write_text(wanted.read_text())
    return python


class Asked:
    """A script of rivals/ in a process of its own, which answers lines of JSON.

    Use it as `with Asked(python, "script.py") as process`: at the end the process ends.
    """

    def __init__(self, python: Path | str, script: str, *arguments: object) -> None:
        # The process stands where it cannot import a file of ours by mistake.
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [str(python), str(BENCH / "rivals" / script), *map(str, arguments)],
            cwd=self._folder.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TQDM_DISABLE": "1"},
        )

    def __enter__(self) -> "Asked":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def ask(self, **request: Any) -> Any:
        """Send one request and return its answer."""
        assert self._process.stdin and self._process.stdout
        with suppress(BrokenPipeError):  # the process has ended: there is no answer either
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            line = " ".join(map(str, self._process.args))  # type: ignore[arg-type]
            raise SystemExit(f"{line}: ended; see above")
        return json.loads(answer)


def serve(answer: Callable[..., Any]) -> None:
    """The other end of `Asked`: call `answer(**request)` for each line of stdin.

    What libraries print goes to stderr, not into the answers.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), file=answers, flush=True)


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    status = Path("/proc/self/status")
    if status.is_file():  # on Linux a process inherits ru_maxrss from the one that started it
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def machine() -> str:
    """The processor, cores, threads and system that are measured."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(": ", 1)[1] for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{name}, {os.cpu_count()} cores, OMP_NUM_THREADS {threads}, {system}"
