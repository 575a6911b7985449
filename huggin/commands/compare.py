"""Ask two runs' models the same questions, and say whether the second is better: RUN RUN -> text.

huggin compare runs/a runs/b
"""  # huggin: ask 30

import json
from collections.abc import Sequence
from pathlib import Path

import huggin
from huggin.common.cli import CommandParser
from huggin.common.streams import warn
from huggin.qa.arguments import run_named
from huggin.recording.checkpoints import refuse_untrained
from huggin.recording.run_folder import RunFolder


def main(argv: Sequence[str] | None = None) -> int:
    """Ask both models, print their scores, the difference, and where they differ."""
    parser = CommandParser(
        "Ask two runs' models the same questions: those of the first run. Print both scores, the\n"
        "difference with its 95 % interval, McNemar's test, and the questions that one of them\n"
        "alone answered right. Nothing is kept.",
        "huggin compare runs/a runs/b",
    )
    about = "a run's folder, or its cfg.json"
    parser.add_argument("first", metavar="RUN", type=Path, help=about)
    parser.add_argument("second", metavar="RUN", type=Path, help="another one")
    parser.option("--samples N", "ask N questions (default: all)", at_least=1)
    parser.add_split()
    parser.option("--seed N", "seed for drawing the questions", type=int)
    parser.option("--json", "print JSON instead")
    parser.add_device()
    args = parser.parse_args(argv)
    for run in map(run_named, (args.first, args.second)):
        refuse_untrained(RunFolder(run))
    warn(f"huggin compare: loading the model in {args.first}")
    options = {"split": args.split, "seed": args.seed, "device": args.device}
    found = huggin.compare(args.first, args.second, args.samples, **options)
    print(json.dumps(found.as_json()) if args.json else found.in_words())
    return 0
