"""How much track-trainer.py slows a training down.

    python bench/tracking.py --quick

The 60 facts are trained, as in cfg-facts.json but for longer. py-spy looks at it for some seconds,
with the options of the command, and then does not look for some seconds. How much the recording
grows tells how many steps were made. py-spy looks as often as the command allows: the cost of the
default interval is far below the noise of such seconds, so it is computed from what one look takes.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import Spread, alternate, last_line, parser_of, ratios, row  # noqa: E402
from huggin.recording.run_folder import RunFolder  # noqa: E402
from huggin.tracking.watch import (  # noqa: E402
    Looks,  # noqa: E402
    find_py_spy,
    looking,
)

DEFAULT = 0.25  # seconds between looks
SHORTEST = 0.01
PATHS = ("model_name_or_path", "train_file", "validation_file")
FIRST_STEPS = 500_000  # bytes of a recording of about 100 steps


def main(argv: Sequence[str] | None = None) -> int:
    """Print what looking costs at the shortest interval; from that, one look and the default."""
    quick = parser_of(__doc__).parse_args(argv).quick
    seconds, rounds = (2, 4) if quick else (3, 15)
    with tempfile.TemporaryDirectory() as name, training(Path(name)) as (pid, table):
        ways = {
            "alone": partial(milliseconds_per_byte, table, seconds),
            "watched": partial(watched, pid, table, seconds),
        }
        ratio = ratios(alternate(ways, rounds), "watched", "alone")
    looks = [1000 * SHORTEST * (one - 1) for one in (ratio.median, ratio.low, ratio.high)]
    default = Spread(*(1 + one / 1000 / DEFAULT for one in looks))
    row(f"a step, looked at every {SHORTEST} s, by a step alone", ratio)
    row("so a look costs", Spread(*looks), "ms")
    row(f"so a step, looked at every {DEFAULT} s, by a step alone", default, most=1.02)
    last_line("tracking", default)
    return 0


@contextmanager
def training(folder: Path) -> Iterator[tuple[int, Path]]:
    """A training that goes on until the `with` ends.

    Yields its process and the table that grows by a row per step.
    """
    line = [sys.executable, str(ROOT / "run_qa.py"), str(write_cfg(folder))]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        table = RunFolder(folder).segment("steps", 0)
        while not (table.exists() and table.stat().st_size > FIRST_STEPS):
            if process.poll() is not None:
                raise SystemExit("the training ended; see python run_qa.py cfg-facts.json")
            time.sleep(0.5)
        yield process.pid, table
        process.send_signal(signal.SIGTERM)


def write_cfg(folder: Path) -> Path:
    """Write a cfg for a training that does not end by itself."""
    cfg = json.loads((ROOT / "cfg-facts.json").read_text(encoding="utf-8"))
    cfg |= {name: str(ROOT / cfg[name]) for name in PATHS}
    cfg |= {"output_dir": str(folder), "num_train_epochs": 10_000}
    path = folder / "cfg.json"
    path.write_text(json.dumps(cfg), encoding="utf-8")
    return path


def milliseconds_per_byte(table: Path, seconds: float) -> float:
    """How slowly the table grows, from the end of one step to the end of another."""
    begun, first = end_of_a_step(table)
    time.sleep(seconds)
    ended, last = end_of_a_step(table)
    return 1000 * (ended - begun) / (last - first)


def end_of_a_step(table: Path) -> tuple[float, int]:
    """Wait until the table grows. Returns the time and its size then."""
    before = table.stat().st_size
    while table.stat().st_size == before:
        time.sleep(0.002)
    return time.perf_counter(), table.stat().st_size


def watched(pid: int, table: Path, seconds: float) -> float:
    """The same while py-spy looks. It looks already when the measuring begins."""
    line = looking(find_py_spy(), pid, Looks(SHORTEST, None, 0), table.parent / "seen.json")
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as spy:
        time.sleep(0.5)
        measured = milliseconds_per_byte(table, seconds)
        spy.send_signal(signal.SIGINT)
    return measured


if __name__ == "__main__":
    sys.exit(main())
