"""What track-trainer.py's looks cost a training.

    python bench/tracking.py --quick

One training of the default model, as cfg.json has it but for its length. py-spy, with the options that the command
gives it, is there for some seconds and then away for some; what the recording has grown by in each tells the steps.
It looks as often as the command lets it: what the default interval costs is far below the noise of such seconds, and
follows from what a look takes.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import Spread, alternate, last_line, parser_of, ratios, row  # noqa: E402
from huggin.recording.run_folder import RunFolder  # noqa: E402
from huggin.tracking.samples import Looks, find_py_spy, looking  # noqa: E402

DEFAULT, SHORTEST = 0.25, 0.01  # seconds between looks
PATHS = ("model_name_or_path", "train_file", "validation_file")


@contextmanager
def training(folder: Path) -> Iterator[tuple[int, Path]]:
    """A training that goes on until the `with` is left: its process and the table that grows by a row a step."""
    cfg = json.loads((ROOT / "cfg.json").read_text(encoding="utf-8"))
    cfg |= {name: str(ROOT / cfg[name]) for name in PATHS} | {
        "output_dir": str(folder),
        "num_train_epochs": 10_000,
    }
    (folder / "cfg.json").write_text(json.dumps(cfg))
    line = [sys.executable, str(ROOT / "run_qa.py"), str(folder / "cfg.json")]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        table = RunFolder(folder).segment("steps", 0)
        while not (
            table.exists() and table.stat().st_size > 500_000
        ):  # the first hundred steps or so
            if process.poll() is not None:
                raise SystemExit("the training ended; see python run_qa.py cfg.json")
            time.sleep(0.5)
        yield process.pid, table
        process.send_signal(signal.SIGTERM)


def milliseconds_a_byte(table: Path, seconds: float) -> float:
    """How fast the table grows, from the end of a step to the end of another."""

    def next_step() -> tuple[float, int]:
        before = table.stat().st_size
        while table.stat().st_size == before:
            time.sleep(0.002)
        return time.perf_counter(), table.stat().st_size

    begun, first = next_step()
    time.sleep(seconds)
    ended, last = next_step()
    return 1000 * (ended - begun) / (last - first)


def watched(pid: int, table: Path, seconds: float) -> float:
    """The same while py-spy looks, which is there already when the measuring begins."""
    line = looking(find_py_spy(), pid, Looks(SHORTEST, None, 0), table.parent / "seen.json")
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as spy:
        time.sleep(0.5)
        measured = milliseconds_a_byte(table, seconds)
        spy.send_signal(signal.SIGINT)
    return measured


def main() -> None:
    """Print what looking costs at the shortest interval, and by that a look, and the default interval."""
    quick = parser_of(__doc__).parse_args().quick
    seconds, rounds = (2, 4) if quick else (3, 15)
    with tempfile.TemporaryDirectory() as name, training(Path(name)) as (pid, table):
        ways = {
            "alone": partial(milliseconds_a_byte, table, seconds),
            "watched": partial(watched, pid, table, seconds),
        }
        ratio = ratios(alternate(ways, rounds), "watched", "alone")
    looks = [1000 * SHORTEST * (one - 1) for one in (ratio.median, ratio.low, ratio.high)]
    default = Spread(*(1 + one / 1000 / DEFAULT for one in looks))
    row(f"a step, looked at every {SHORTEST} s, by a step alone", ratio)
    row("so a look costs", Spread(*looks), "ms")
    row(f"so a step, looked at every {DEFAULT} s, by a step alone", default, most=1.02)
    last_line("tracking", default)


if __name__ == "__main__":
    main()
