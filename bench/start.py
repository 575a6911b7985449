"""How long a start takes: --help, first line and refusal of every command, drivers, imports.

python bench/start.py --quick
"""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import (  # noqa: E402
    alternate,
    huggin,
    last_line,
    parser_of,
    ratios,
    row,
    seconds_of,
    spread,
)
from huggin.common.console import find_commands  # noqa: E402
from huggin.qa.arguments import INPUT_PATHS  # noqa: E402

# What makes each command begin; none of it is waited for beyond the first line.
BEGUN = {
    "ask": ("run", "Who?", "--context", "Odin owns ravens."),
    "compare": ("run", "run"),
    "db-indices": ("--list",),
    "db_utils": ("--list",),
    "inDeCeptionV3": ("--demo",),
    "lime": ("--demo",),
    "run_qa": ("cfg.json", "--output_dir", "new"),
    "squad-interface": ("0", "--cfg", "cfg.json"),
    "track-trainer": ("cfg.json", "--output_dir", "newer"),
}
# What each command refuses; those that are not here refuse the run `nope`.
REFUSED = {
    "compare": ("nope", "nope"),
    "db-indices": ("--list", "--db", "nope.db"),
    "db_utils": ("--list", "--db", "nope.db"),
    "inDeCeptionV3": ("nope.png",),
    "lime": ("nope.png",),
    "squad-interface": ("--cfg", "nope.json"),
    "track-trainer": ("nope.json",),
}
TINY = ("--max_steps", "2", "--max_train_samples", "20", "--do_eval", "false")
BAD_TABLE = "question,answer\nWho?,Odin\n"
DRIVERS = ("get-training-output", "get-model-output")
BARE = "python that does nothing"
IMPORTS = (
    "huggin.recording",
    "huggin.graphs.weights",
    "huggin_utils",
    "run_qa",
    "torch",
    "transformers",
    "keras",
)
STAGE = """#!/bin/sh
case "$1 $2" in
  "-m huggin.common.console" | *.py*) exit 0 ;; # a stage, which takes no time
  "-m huggin.training.closing") exit 0 ;;       # what a driver says at its end
esac
exec {python} "$@"
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for each command, driver and import."""
    args = parser_of(__doc__).parse_args(argv)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):  # no PDF is to be opened
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as name:
        folder = hollow(Path(name))
        make_run(folder)
        measured = alternate(contenders(folder), 2 if args.quick else 7, 120)
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, on {os.cpu_count()} processors")
    for name, times in measured.items():
        row(name, spread(times), "ms")
    slowest = slowest_help(measured)
    ratio = ratios(measured, slowest, BARE)
    row(f"the slowest, {slowest}, by {BARE}", ratio)
    last_line("start", ratio)
    return 0


def contenders(folder: Path) -> dict[str, Callable[[], float]]:
    """All that is measured: name -> milliseconds of one start. `folder` is a `hollow` one."""
    ways = {BARE: command(sys.executable, "-c", "pass")}
    for name in commands():
        ways[f"huggin {name} --help"] = command(*huggin(name, "--help"), cwd=folder)
    for name in commands():
        ways[f"huggin {name}, its first line"] = first_line(folder, name)
    for name in commands():
        words = REFUSED.get(name, ("nope",))
        ways[f"huggin {name} {' '.join(words)}"] = refusal(folder, name, *words)
    bad = ("run_qa", "cfg.json", "--train_file", "bad.csv")
    ways["huggin run_qa, a table without contexts"] = refusal(folder, *bad)
    again = huggin("run_qa", "cfg.json", "--output_dir", "run", *TINY)
    ways["huggin run_qa, already trained"] = command(*again, cwd=folder)
    for driver in DRIVERS:
        ways[f"{driver} --help"] = command(ROOT / driver, "--help", cwd=folder)
    for driver in DRIVERS:
        ways[f"{driver} without its stages"] = command(folder / driver, cwd=folder)
    for module in IMPORTS:
        ways[f"import {module}"] = command(sys.executable, "-c", f"import {module}", cwd=ROOT)
    return ways


def command(*line: str | Path, cwd: Path | None = None) -> Callable[[], float]:
    """A function that runs a command and returns how many milliseconds it took."""
    words = [str(word) for word in line]

    def run() -> None:
        subprocess.run(words, cwd=cwd, check=True, capture_output=True)

    return lambda: 1000 * seconds_of(run)


def refusal(folder: Path, *words: str) -> Callable[[], float]:
    """A function that lets a command refuse its input: the milliseconds until it ends."""

    def run() -> None:
        done = subprocess.run(huggin(*words), cwd=folder, capture_output=True)
        assert done.returncode == 2, done.stderr

    return lambda: 1000 * seconds_of(run)


def first_line(folder: Path, name: str) -> Callable[[], float]:
    """A function that begins a command on a terminal: the milliseconds until it says anything."""

    def run() -> None:
        terminal, its_end = pty.openpty()
        streams = {"stdin": subprocess.DEVNULL, "stdout": its_end, "stderr": its_end}
        words = huggin(name, *BEGUN.get(name, ("run",)))
        process = subprocess.Popen(words, cwd=folder, start_new_session=True, **streams)
        os.close(its_end)
        os.read(terminal, 1)
        processes.append((process, terminal))

    processes: list[tuple[subprocess.Popen[bytes], int]] = []

    def measure() -> float:
        taken = 1000 * seconds_of(run)
        process, terminal = processes.pop()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(terminal)
        return taken

    return measure


def make_run(folder: Path) -> None:
    """Train two steps in `folder`/run, and write a table that is refused."""
    (folder / "bad.csv").write_text(BAD_TABLE, encoding="utf-8")
    keys = json.loads((ROOT / "cfg.json").read_text(encoding="utf-8"))
    for key in INPUT_PATHS:
        if key in keys:
            keys[key] = str(ROOT / keys[key])
    (folder / "cfg.json").write_text(json.dumps(keys), encoding="utf-8")
    line = huggin("run_qa", "cfg.json", "--output_dir", "run", *TINY)
    subprocess.run(line, cwd=folder, check=True, capture_output=True)


def commands() -> list[str]:
    """Every command that is a Python file."""
    return [one.name for one in find_commands() if one.path.suffix == ".py"]


def hollow(folder: Path) -> Path:
    """Fill a folder with the drivers, a setup that finds all installed, and stages that do nothing.

    It also holds what the stages would have made. Returns the folder.
    """
    for name in (*DRIVERS, "stages.sh", "setup", "cfg.json", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "locks", folder / "locks")
    install(folder, folder / ".venv")
    recording = folder / "runs" / "sample" / "recording"
    recording.mkdir(parents=True)
    (recording / "run.json").touch()
    (folder / "gv-graphs").mkdir()
    for kind in ("training", "output"):
        (folder / "gv-graphs" / f"qa-{kind}-1.gv.pdf").touch()
    return folder


def install(folder: Path, venv: Path) -> None:
    """Make what `setup` looks for: a Python, the command huggin, and notes of what is installed."""
    write_program(venv / "bin" / "python", STAGE.format(python=sys.executable))
    write_program(venv / "bin" / "huggin", "#!/bin/sh\n")
    shutil.copy(folder / "requirements.txt", venv / "installed.txt")
    shutil.copy(folder / "locks" / "lock.txt", venv / "installed-lock.txt")
    (venv / "installed-for.txt").write_text(f"{folder}\n", encoding="utf-8")


def write_program(path: Path, text: str) -> None:
    """Write a file that can be executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def slowest_help(measured: dict[str, list[float]]) -> str:
    """The Python command whose --help took longest."""
    helps = [name for name in measured if name.endswith(" --help")]
    return max(helps, key=lambda name: spread(measured[name]).median)


if __name__ == "__main__":
    sys.exit(main())
