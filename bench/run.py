"""All benchmarks, one after the other.

    python bench/run.py --quick
    python bench/run.py --table results.md --classifier FILE.keras --picture PHOTO.jpg

About 20 minutes on two cores, five with --quick. Nothing need be installed before. Exit code 1 where one
fails.
"""

import os
import subprocess
import sys
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import BENCH, machine, parser_of, rivals_python  # noqa: E402

SCRIPTS = ("start.py", "reading.py", "efficacy.py", "lime.py", "recording.py", "tracking.py")
PACKAGES = ("torch", "transformers", "keras", "tensorflow", "pyarrow", "numpy")


def start_again_in_our_environment() -> None:
    """Make the toolkit's .venv, where it is not there or not the newest, and go on in it."""
    subprocess.run([ROOT / "setup"], check=True)
    venv = ROOT / ".venv"
    if not venv.samefile(sys.prefix):
        os.execv(venv / "bin" / "python", [str(venv / "bin" / "python"), *sys.argv])


def head() -> list[str]:
    """Machine, date and versions."""
    ours = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    pinned = [
        line
        for line in (BENCH / "requirements.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    return [f"{date.today()}, {machine()}. {ours}. Rivals: {', '.join(pinned).replace('==', ' ')}."]


def run(line: list[str], lines: list[str]) -> int:
    """Run a script, print what it prints, and add that to `lines`; its exit code."""
    print(f"# {' '.join(line)}", flush=True)
    begun = time.monotonic()
    lines += [
        "",
        f"`python bench/{' '.join(line)}`",
        "",
        "| measured | median (lowest to highest) | target |",
        "|---|---|---|",
    ]
    with subprocess.Popen(
        [sys.executable, str(BENCH / line[0]), *line[1:]], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for text in process.stdout:
            print(text, end="", flush=True)
            lines += [] if text.startswith("|") else [""]
            lines.append(text.rstrip() if text.startswith("|") else f"`{text.rstrip()}`")
    lines.append(f"{time.monotonic() - begun:.0f} s.")
    return process.returncode


def main() -> int:
    """Print each script's rows; with --table, write them as Markdown, too."""
    parser = parser_of(__doc__)
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="write the results there as Markdown"
    )
    parser.add_argument(
        "--only", nargs="+", choices=SCRIPTS, default=SCRIPTS, metavar="SCRIPT", help="some of them"
    )
    parser.add_argument(
        "--classifier", metavar="FILE", help="a .keras file for lime.py, besides what it has"
    )
    parser.add_argument("--picture", metavar="FILE", help="its photo")
    parser.add_argument(
        "--model", metavar="FOLDER", help="a model for efficacy.py, besides the sample's"
    )
    parser.add_argument("--questions", metavar="FILE", help="its questions")
    args = parser.parse_args()
    start_again_in_our_environment()
    rivals_python()
    quick = ["--quick"] if args.quick else []
    runs = [[script, *quick] for script in args.only]
    if args.classifier:
        runs.append(
            [
                "lime.py",
                *quick,
                "--model",
                args.classifier,
                "--picture",
                args.picture,
                "--reference",
                "0",
            ]
        )
    if args.model:
        runs.append(["efficacy.py", *quick, "--model", args.model, "--questions", args.questions])
    lines = head()
    print(lines[0])
    failed = [line for line in runs if run(line, lines)]
    if args.table:
        args.table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
