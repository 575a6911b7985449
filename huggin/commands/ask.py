"""Ask a trained model a question of your own about a text: RUN -> the answer, and where it stands.

huggin ask RUN "Where did Freya go?" --context "Freya took the drum to Ribe."
huggin ask RUN --context story.txt
"""  # huggin: ask 5

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from huggin.common.cli import CommandParser
from huggin.common.errors import UserError
from huggin.common.files import text_or_file
from huggin.common.streams import warn
from huggin.qa.arguments import run_named
from huggin.recording.run_folder import RunFolder


def main(argv: Sequence[str] | None = None) -> int:
    """Answer one question, or those that are typed, until Ctrl-D. 2: one of them was refused."""
    args = read_arguments(argv)
    run = run_named(args.run)
    from huggin.recording.checkpoints import refuse_untrained

    refuse_untrained(RunFolder(run))
    context = context_of(args)
    warn(f"huggin ask: loading the model in {run}")
    from huggin.asking.answering import TrainedModel

    model = TrainedModel.load(run, args.device)
    code = 0
    for question in typed() if args.question is None else [args.question]:
        try:
            found = model.answer(question, context)
        except UserError as error:
            if args.question is not None:
                raise
            warn(str(error))
            code = 2
            continue
        print(json.dumps(found.as_json()) if args.json else found.in_words(), flush=True)
    return code


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line."""
    parser = CommandParser(
        "Ask a trained model a question of your own about a text. Print the answer, its\n"
        "probability, its sentence, and up to five others. Without QUESTION it asks for questions\n"
        "until Ctrl-D, and loads the model once.",
        "huggin ask runs/sample 'Where did Freya go?' --context 'Freya took the drum to Ribe.'",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="a run's folder, or its cfg.json")
    parser.add_argument("question", metavar="QUESTION", nargs="?", help="what to ask")
    text = (
        "the text that holds the answer, or a file of it (default: read from the input; without "
        "QUESTION, its first line)"
    )
    parser.option("--context TEXT", text)
    parser.option("--json", "print JSON instead, a line for each question")
    parser.add_device()
    return parser.parse_args(argv)


def context_of(args: Namespace) -> str:
    """The text that is asked about: given, in a file, piped in, or typed as a line."""
    if args.context is None:
        one_line = args.question is None or sys.stdin.isatty()
        return next(typed("text: "), "") if one_line else sys.stdin.read()
    return text_or_file("context", args.context)


def typed(prompt: str = "question: ") -> Iterator[str]:
    """The lines that are typed or piped in, except empty ones."""
    with suppress(EOFError):
        while True:
            if sys.stdin.isatty():
                warn(prompt, end="")
            if line := input().strip():
                yield line
