"""What the benchmarks share: contenders asked in turn, medians and ratios, rows of a table, processes that are asked.

A row is a line of Markdown, `| what | value | target |`; a script's last line is `name ratio low high`.
"""

import argparse
import json
import os
import platform
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
os.environ.setdefault(
    "TF_CPP_MIN_LOG_LEVEL", "3"
)  # TensorFlow's lines, here and in the processes that are asked


@dataclass(frozen=True)
class Spread:
    """What several rounds gave."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{short(self.median)} ({short(self.low)} to {short(self.high)})"


def short(number: float) -> str:
    """Five digits, whole numbers with commas: `0.01234`, `1.0005`, `14,754`."""
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.5g}"


def spread(values: Sequence[float]) -> Spread:
    """Median, lowest and highest."""
    return Spread(statistics.median(values), min(values), max(values))


def ratios(measured: Mapping[str, Sequence[float]], name: str, base: str) -> Spread:
    """`name` by `base`, round by round: what slows a whole round does not count."""
    return spread([one / other for one, other in zip(measured[name], measured[base], strict=True)])


def alternate(
    contenders: Mapping[str, Callable[[], float]], rounds: int, seconds: float = 600
) -> dict[str, list[float]]:
    """Ask each contender once a round, every other round backwards; no round begins after `seconds`, but the first."""
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    deadline = time.monotonic() + seconds
    for number in range(rounds):
        if number and time.monotonic() > deadline:
            break
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            measured[name].append(contenders[name]())
    return measured


def seconds_of(work: Callable[[], Any]) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def row(
    what: str, value: object, unit: str = "", most: float | None = None, least: float | None = None
) -> None:
    """Print a row of the table; with a target, whether the median meets it."""
    number = value.median if isinstance(value, Spread) else value
    target = ""
    for words, limit, sign in (("at most", most, 1), ("at least", least, -1)):
        if limit is not None:
            assert isinstance(number, (int, float))
            target = f"{words} {limit:g}: {'met' if sign * number <= sign * limit else 'MISSED'}"
    shown = short(value) if isinstance(value, (int, float)) else value
    print(f"| {what} | {shown} {unit}".rstrip() + f" | {target} |", flush=True)


def last_line(name: str, ratio: Spread) -> None:
    """Print what other programs read."""
    print(f"{name} {ratio.median:.6g} {ratio.low:.6g} {ratio.high:.6g}", flush=True)


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Arguments that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds of less: a look, not a result"
    )
    return parser


def rivals_python() -> Path:
    """The Python of the rivals' environment, bench/.venv; made first where it is not there (some GB)."""
    wanted, folder = BENCH / "requirements.txt", BENCH / ".venv"
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if not installed.is_file() or installed.read_text() != wanted.read_text():
        print(f"installing the rivals into {folder}, some minutes and GB", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [
            python,
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "-q",
            "-r",
            wanted,
        ]
        subprocess.run(install, check=True, stdout=sys.stderr)
        installed.write_text(wanted.read_text())
    return python


class Asked:
    """A script in a process of its own that answers lines of JSON; leave the `with` and it ends."""

    def __init__(self, python: Path | str, script: str, *arguments: object) -> None:
        self._folder = (
            tempfile.TemporaryDirectory()
        )  # where no file of ours can be imported by mistake
        line = [str(python), str(BENCH / "rivals" / script), *map(str, arguments)]
        pipe = subprocess.PIPE
        environment = os.environ | {"TQDM_DISABLE": "1"}
        folder = self._folder.name
        self._process = subprocess.Popen(
            line, cwd=folder, stdin=pipe, stdout=pipe, text=True, env=environment
        )

    def __enter__(self) -> "Asked":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def ask(self, **request: Any) -> Any:
        """One request, one answer."""
        assert self._process.stdin and self._process.stdout
        with suppress(BrokenPipeError):  # it has ended: there is no answer either
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{' '.join(map(str, self._process.args))}: ended; see above")  # type: ignore[union-attr]
        return json.loads(answer)


def serve(answer: Callable[..., Any]) -> None:
    """The other end of `Asked`: call `answer(**request)` for each line of stdin; what libraries print is not heard."""
    heard = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), file=heard, flush=True)


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    import resource

    status = Path("/proc/self/status")
    if status.is_file():  # on Linux a process inherits ru_maxrss from the one that started it
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def machine() -> str:
    """What it is measured on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    name = next(
        (line.split(": ", 1)[1] for line in lines if line.startswith("model name")),
        platform.processor(),
    )
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{name}, {os.cpu_count()} cores, OMP_NUM_THREADS {threads}, {system}"
