"""Run all benchmarks, one after the other.

    python bench/run.py --quick
    python bench/run.py --table results.md --classifier FILE.keras --picture PHOTO.jpg

It takes about 20 minutes on two cores, five with --quick. Nothing need be installed before. The
exit code is 1 if a benchmark fails.
"""

import os
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import BENCH, machine, parser_of, rivals_python  # noqa: E402

SCRIPTS = ("start.py", "reading.py", "efficacy.py", "lime.py", "recording.py", "tracking.py")
PACKAGES = ("torch", "transformers", "keras", "tensorflow", "pyarrow", "numpy")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the rows of each script; with --table, also write them as Markdown."""
    args = arguments().parse_args(argv)
    start_again_in_our_environment()
    rivals_python()
    lines = head()
    print(lines[0])
    failed = [line for line in command_lines(args) if run(line, lines)]
    if args.table:
        args.table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(bool(failed))


def arguments() -> ArgumentParser:
    """The parser of the command line."""
    parser = parser_of(__doc__)
    table = "also write the results to this file, as Markdown"
    parser.add_argument("--table", type=Path, metavar="FILE", help=table)
    only = "run only these (default: all)"
    parser.add_argument(
        "--only", nargs="+", choices=SCRIPTS, default=SCRIPTS, metavar="SCRIPT", help=only
    )
    classifier = "also run lime.py with this .keras file"
    parser.add_argument("--classifier", metavar="FILE", help=classifier)
    parser.add_argument("--picture", metavar="FILE", help="the photo for --classifier")
    model = "also run efficacy.py with the model in this folder"
    parser.add_argument("--model", metavar="FOLDER", help=model)
    parser.add_argument("--questions", metavar="FILE", help="the questions for --model")
    return parser


def command_lines(args: Namespace) -> list[list[str]]:
    """The scripts to run, with their arguments."""
    quick = ["--quick"] if args.quick else []
    lines = [[script, *quick] for script in args.only]
    if args.classifier:
        given = ["--model", args.classifier, "--picture", args.picture]
        lines.append(["lime.py", *quick, *given, "--reference", "0"])
    if args.model:
        given = ["--model", args.model, "--questions", args.questions]
        lines.append(["efficacy.py", *quick, *given])
    return lines


def start_again_in_our_environment() -> None:
    """Run ./setup, and go on with the Python in .venv if this is another one."""
    subprocess.run([ROOT / "setup"], check=True)
    venv = ROOT / ".venv"
    if not venv.samefile(sys.prefix):
        python = str(venv / "bin" / "python")
        os.execv(python, [python, *sys.argv])


def head() -> list[str]:
    """The date, the machine and the versions."""
    ours = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    pins = (BENCH / "requirements.txt").read_text().splitlines()
    rivals = ", ".join(pin.replace("==", " ") for pin in pins if not pin.startswith("#"))
    return [f"{date.today()}, {machine()}. {ours}. Rivals: {rivals}."]


def run(line: list[str], lines: list[str]) -> int:
    """Run a script, print what it prints, and add that to `lines`. Returns its exit code."""
    print(f"# {' '.join(line)}", flush=True)
    begun = time.monotonic()
    lines += ["", f"`python bench/{' '.join(line)}`", ""]
    lines += ["| measured | median (lowest to highest) | target |", "|---|---|---|"]
    words = [sys.executable, str(BENCH / line[0]), *line[1:]]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for text in process.stdout:
            print(text, end="", flush=True)
            lines += as_markdown(text.rstrip())
    lines.append(f"{time.monotonic() - begun:.0f} s.")
    return process.returncode


def as_markdown(text: str) -> list[str]:
    """A line that a script printed: a row as it is, anything else as code below the table."""
    return [text] if text.startswith("|") else ["", f"`{text}`"]


if __name__ == "__main__":
    sys.exit(main())
