"""Hand a run on as one file: RUN -> RUN.zip, with page, PDF, figures, scores, cfg and README.md.

huggin pack RUN
huggin pack RUN --weights --out model.zip
"""  # huggin: files 15

from collections.abc import Sequence
from pathlib import Path

import huggin
from huggin.common.cli import CommandParser
from huggin.common.streams import warn
from huggin.graphs.arguments import load_matplotlib
from huggin.qa.arguments import run_named
from huggin.recording.run_folder import RunFolder


def main(argv: Sequence[str] | None = None) -> int:
    """Write the zip and print its path."""
    parser = CommandParser(
        "Write one zip that hands a run on: page, PDF, figures, scores, cfg.json and README.md, a\n"
        "model card. The weights are left out unless --weights is given.",
        "huggin pack runs/sample",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="a run's folder, or its cfg.json")
    parser.option("--weights", "also pack the newest model and its tokenizer")
    parser.option("--out FILE", "the zip (default: RUN.zip, beside RUN)", type=Path)
    args = parser.parse_args(argv)
    from huggin.recording.run_facts import read_facts

    run = run_named(args.run)
    warn(f"{parser.prog}: reading {run}")
    read_facts(RunFolder(run))  # refuse a folder that is no run
    load_matplotlib()
    made = huggin.pack(run, weights=args.weights, out=args.out)
    for note in made.notes:
        warn(f"{parser.prog}: {note}")
    print(made.path)
    return 0
