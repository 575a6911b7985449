"""Name the training questions that taught a question, and its opponents: RUN -> text, PNG, files.

huggin teachers RUN
huggin teachers RUN 17 --exact 10
huggin teachers RUN --question "Where did Freya go?" --context story.txt
"""  # huggin: explain 35

import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import huggin
from huggin.common.cli import CommandParser, at_least
from huggin.common.files import text_or_file
from huggin.common.progress import loading
from huggin.graphs.arguments import add_options, add_run, draw


def main(argv: Sequence[str] | None = None) -> int:
    """Print proponents and opponents, draw when they pushed, write files."""
    args = read_arguments(argv)
    huggin.Recording(args.run)
    loading(f"the questions of {args.run}")
    from huggin.asking.suspects import PLAIN, form_of

    if args.export:
        form_of(args.export, PLAIN)
    from huggin.asking.teachers import export_teachers

    options = ("split", "question", "answer", "elsewhere", "samples", "seed", "exact", "device")
    choices = {name: getattr(args, name) for name in options}
    choices["context"] = text_or_file("context", args.context) if args.context else ""
    found = huggin.teachers(args.run, args.index, **choices)
    verified = None
    if args.verify:
        from huggin.asking.leaving_out import leave_out

        verified = leave_out(found, args.run, args.verify, args.seeds, args.seed)
    if args.json:
        print(json.dumps((verified or found).as_json()))
    else:
        print(found.in_words())
        look = {"format": args.format, "show": args.show}
        draw("huggin teachers", "teachers", run=args.run, taught=found, **look)
        if verified:
            print(verified.in_words())
    if args.export:
        export_teachers(found, args.export)
        print(args.export)
    return 0


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line. Raises UserError for values that no call can use."""
    parser = CommandParser(
        "Name the training questions that taught a question (its proponents: they lowered its\n"
        "loss) and its opponents, which raised it. For a tracked question this was recorded at\n"
        "every step; others are compared at the checkpoints. Draw when they pushed.",
        "huggin teachers runs/sample",
    )
    add_run(parser)
    index = "number of a question in the data, 0 is the first (default: the first tracked question)"
    parser.add_argument("index", metavar="INDEX", nargs="?", type=at_least(0), help=index)
    add_options(parser, "--format", "--show")
    parser.add_split("that of the tracked questions")
    parser.option("--question TEXT", "ask about a question of your own instead")
    parser.option("--context TEXT", "its text, or a file of it")
    parser.option("--answer TEXT", "its answer (default: what the model answers)", "")
    parser.option("--elsewhere", "leave out questions with the same context or the same answer")
    drawn = "compare N training questions at the checkpoints"
    parser.option("--samples N", drawn, 1000, at_least=1)
    parser.option("--seed N", "seed for drawing them", 0)
    exact = "rank the first K on each side by the gradients of all weights, at the checkpoints"
    parser.option("--exact K", exact, 0)
    verify = (
        "train again without each of the first N, and without N others, to see what each is worth"
    )
    parser.option("--verify N", verify, 0)
    parser.option("--seeds K", "with K seeds: the run's own and the next ones", 1, at_least=1)
    export = "write all of them, ranked, to FILE.csv, .json or .jsonl"
    parser.option("--export FILE", export, type=Path)
    parser.option("--json", "print JSON instead")
    parser.add_device()
    args = parser.parse_args(argv)
    if (args.question is None) != (args.context is None):
        parser.error("--question and --context: give both")
    if args.question is not None and args.index is not None:
        parser.error("--question: leave out INDEX, or --question")
    return args
