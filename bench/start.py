"""What a start takes: --help of every command, the drivers beyond their stages, and imports.

python bench/start.py --quick
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import alternate, last_line, parser_of, ratios, row, seconds_of, spread  # noqa: E402

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
[ "$1" = -c ] || exit 0  # a stage, which takes no time
exec {python} "$@"
"""


def command(*line: str | Path, cwd: Path | None = None) -> Callable[[], float]:
    """Milliseconds of a command."""
    words = [str(word) for word in line]
    return lambda: (
        1000 * seconds_of(lambda: subprocess.run(words, cwd=cwd, check=True, capture_output=True))
    )


def doors() -> list[str]:
    """Every command that is a Python file."""
    return sorted(
        path.name
        for path in ROOT.glob("*.py")
        if "run_command(main)" in path.read_text(encoding="utf-8")
    )


def hollow(folder: Path) -> Path:
    """The toolkit's drivers before stages that do nothing, with a run's folder that holds a recording."""
    for name in (*DRIVERS, "stages.sh", "setup", "cfg.json", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    venv = folder / ".venv"
    (venv / "bin").mkdir(parents=True)
    (folder / "locks").mkdir()
    shutil.copy(ROOT / "locks" / "lock.txt", folder / "locks")
    shutil.copy(ROOT / "locks" / "lock.txt", venv / "installed-lock.txt")
    shutil.copy(ROOT / "requirements.txt", venv / "installed.txt")
    (venv / "installed-for.txt").write_text(f"{folder.resolve()}\n")
    for name in ("python", "huggin"):
        (venv / "bin" / name).write_text(STAGE.format(python=sys.executable))
        (venv / "bin" / name).chmod(0o755)
    (folder / "runs" / "sample" / "recording").mkdir(parents=True)
    (folder / "runs" / "sample" / "recording" / "run.json").touch()
    (folder / "gv-graphs").mkdir()
    for kind in ("training", "output"):
        (folder / "gv-graphs" / f"qa-{kind}-1.gv.pdf").touch()
    return folder


def main() -> None:
    """Print a row for each."""
    args = parser_of(__doc__).parse_args()
    rounds = 2 if args.quick else 7
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):  # no PDF is to be opened
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as name:
        folder = hollow(Path(name))
        ways = {BARE: command(sys.executable, "-c", "pass")}
        ways |= {
            f"{door} --help": command(sys.executable, ROOT / door, "--help", cwd=folder)
            for door in doors()
        }
        ways |= {
            f"{driver} --help": command(ROOT / driver, "--help", cwd=folder) for driver in DRIVERS
        }
        ways |= {
            f"{driver} beyond its stages": command(folder / driver, cwd=folder)
            for driver in DRIVERS
        }
        code = "import {}"
        ways |= {
            f"import {one}": command(sys.executable, "-c", code.format(one), cwd=ROOT)
            for one in IMPORTS
        }
        measured = alternate(ways, rounds, 120)
    for name, times in measured.items():
        row(name, spread(times), "ms")
    helps = {
        name: spread(times).median
        for name, times in measured.items()
        if name.endswith(".py --help")
    }
    slowest = max(helps, key=helps.__getitem__)
    row(f"the slowest, {slowest}, by {BARE}", ratios(measured, slowest, BARE))
    last_line("start", ratios(measured, slowest, BARE))


if __name__ == "__main__":
    main()
