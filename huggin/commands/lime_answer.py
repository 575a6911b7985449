"""Explain an answer: which words of question and context made the model give it, and how sure?

huggin lime-answer RUN 3
huggin lime-answer RUN --question "Who owns the ravens?" --context "The ravens are Odin's."
"""  # huggin: explain 10

from argparse import Namespace
from collections.abc import Sequence

import huggin
from huggin.common.cli import CommandParser
from huggin.common.errors import UserError
from huggin.common.files import write_json
from huggin.graphs.arguments import add_run, load_matplotlib
from huggin.lime.arguments import (
    add_masks,
    add_output,
    add_score,
    add_stability,
    at_least,
    refuse_unfit,
)
from huggin.lime.choices import HIDING

KINDS = ("auto", "words", "sentences")


def main(argv: Sequence[str] | None = None) -> int:
    """Explain one answer, and save, print and record what was found."""
    args = read_arguments(argv)
    load_matplotlib()
    from huggin.lime.results import record, refuse_unwritable

    refuse_unwritable(args.out, args.json, args.db)
    choices = dict(vars(args))
    show, json, db = map(choices.pop, ("show", "json", "db"))
    found = huggin.explain_answer(**choices, say=print)
    found.save(show, args.verbose)
    if json:
        write_json(json, found.as_json())
    record(db, None, found.kept.rows())
    return 0


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line: the arguments of `explain_answer`, and where results go.

    Raises UserError for options that contradict each other.
    """
    parser = CommandParser(
        "Explain which words of question and context made a trained model give its answer.",
        "huggin lime-answer runs/sample 3",
    )
    _add_question(parser)
    _add_segments(parser)
    _add_explanation(parser)
    add_output(parser, "RUN/explanations/INDEX")
    args = parser.parse_args(argv)
    _refuse_unfit(args)
    return args


def _add_question(parser: CommandParser) -> None:
    add_run(parser)
    add = parser.add_argument
    add(
        "index",
        nargs="?",
        type=at_least(0),
        metavar="INDEX",
        help="a question's index in the data (default: the question of the newest answer that "
        "get-model-output kept, else 0)",
    )
    add("--question", metavar="TEXT", help="a question of your own, with --context")
    add("--context", metavar="TEXT", help="the text that the answer is sought in")
    add(
        "--split",
        choices=("train", "validation"),
        help="whose questions INDEX counts (default: validation, if the data has such questions)",
    )


def _add_segments(parser: CommandParser) -> None:
    add = parser.add_argument
    add(
        "--by",
        choices=KINDS,
        default="auto",
        help="what a segment is (default: auto: words; with more than 169 of them first "
        "sentences, then the words of the sentences that matter)",
    )
    add(
        "--spans",
        nargs="+",
        default=(),
        metavar="TEXT",
        help="segments of your own: parts of the question or context; the rest is never hidden",
    )
    add(
        "--hide",
        choices=HIDING,
        default="mask",
        help="how a segment is hidden: its tokens become [MASK], are deleted, or become [PAD] "
        "that nothing reads (default: mask)",
    )
    add(
        "--hide-answer",
        action="store_true",
        help="also hide the answer's own words (default: they always stay)",
    )


def _add_explanation(parser: CommandParser) -> None:
    add = parser.add_argument
    add(
        "--explain",
        default="answer",
        metavar="WHAT",
        help="answer (the model's), gold (the expected one), a text of the context, or one over "
        "another, such as 'answer over gold' (default: answer)",
    )
    add_score(parser, "logit")
    masks = "513, more for more than 169 words; 129 for up to 20 sentences; "
    add_masks(parser, f"{masks}leave-one-out: one per segment", top=5)
    add_stability(parser)
    add(
        "--only-lime",
        dest="compare",
        action="store_false",
        help="leave out what LIME is compared with: leave-one-out, integrated gradients, curves",
    )
    add(
        "--checkpoints",
        action="store_true",
        help="also explain the same question at every checkpoint of the run",
    )
    add(
        "--device",
        metavar="NAME",
        help="where the model computes: cpu, cuda, cuda:1, mps, xpu (default: the GPU if there is "
        "one, unless the cfg says use_cpu)",
    )


def _refuse_unfit(args: Namespace) -> None:
    refuse_unfit(args)
    own = (args.question is not None, args.context is not None)
    if any(own) and not all(own):
        raise UserError("--question and --context: give both")
    if all(own) and (args.index is not None or args.split):
        raise UserError("--question: leave out INDEX and --split, they are for the run's data")
    if all(own) and args.explain.split(" over ")[0] == "gold":
        raise UserError("--explain gold: your own question has no expected answer; give its text")
    if args.spans and args.by != "auto":
        raise UserError(f"--by {args.by}: leave it out beside --spans")
