"""How long a start takes: --help of every command, the drivers without their stages, and imports.

python bench/start.py --quick
"""

import os
import shutil
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
        measured = alternate(contenders(hollow(Path(name))), 2 if args.quick else 7, 120)
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
    helps = [name for name in measured if name.startswith("huggin ")]
    return max(helps, key=lambda name: spread(measured[name]).median)


if __name__ == "__main__":
    sys.exit(main())
