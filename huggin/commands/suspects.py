"""Rank the questions of a run by how probably their given answer is wrong: RUN -> text, PNG, files.

huggin suspects RUN
huggin suspects RUN --export suspects.csv
huggin suspects RUN --without 20 cleaned.json
"""  # huggin: explain 30

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import huggin
from huggin.common.cli import CommandParser
from huggin.common.errors import UserError
from huggin.common.progress import loading
from huggin.graphs.arguments import add_options, add_run, draw


def main(argv: Sequence[str] | None = None) -> int:
    """Print the most suspicious questions with their reasons, draw the data map, write files."""
    args = read_arguments(argv)
    recording = huggin.Recording(args.run)
    loading(f"the questions of {args.run}")
    from huggin.asking.suspects import SHOWN, export_suspects, form_of, suspects, write_without

    if args.export:
        form_of(args.export)
    own = map(recording.facts.cfg.get, ("train_file", "validation_file"))
    if args.without and args.without[1].resolve() in [Path(file).resolve() for file in own if file]:
        raise UserError(f"--without: {args.without[1]} is data of the run; name another file")
    found = suspects(args.run, args.validation, not args.no_model, args.device)
    print(found.in_words())
    if not args.validation:
        shown = [suspect.index for suspect in found.ranked[:SHOWN]]
        look = {"format": args.format, "show": args.show}
        draw("huggin suspects", "suspects", run=args.run, marked=shown, **look)
    if args.export:
        export_suspects(found, args.export)
        print(args.export)
    if not args.without and not args.validation:
        print(f"to train without the first N: huggin suspects {args.run} --without N FILE.json")
    elif args.without:
        count, path = args.without
        write_without(found, count, path)
        print(f"{path}: without the first {count}; train on it: --train_file {path}")
    return 0


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line. Raises UserError for values that no call can use."""
    parser = CommandParser(
        "Rank the questions of a run, the one whose given answer is most probably wrong first,\n"
        "each with the reason: its loss in training beside that of similar questions, the trained\n"
        "model's answer, and what the texts say. All of them are kept in RUN/suspects.json.",
        "huggin suspects runs/sample",
    )
    add_run(parser)
    add_options(parser, "--format", "--show")
    usual = "which the model has not memorised (default: those of the training)"
    parser.option("--validation", f"rank the validation questions, {usual}")
    alone = "use the recording and the texts alone: no model is asked (default: ask the model)"
    parser.option("--no-model", alone)
    export = (
        "write all questions, ranked, to FILE.csv, .json or .jsonl, or for annotating to "
        "FILE.label-studio.json or FILE.argilla.json"
    )
    parser.option("--export FILE", export, type=Path)
    without = "write the data without the first N to FILE.json, which run_qa.py can train on"
    parser.add_argument("--without", metavar=("N", "FILE"), nargs=2, help=without)
    parser.add_device()
    args = parser.parse_args(argv)
    if args.without and args.validation:
        parser.error("--without: of the training data; leave out --validation")
    if args.without:
        count, file = args.without
        if not count.isdecimal() or not file:
            parser.error(f"--without {count} {file}: give a number and a file")
        if not file.endswith(".json"):
            parser.error(f"--without {count} {file}: the file must end in .json")
        args.without = (int(count), Path(file))
    return args
