"""Explain an answer: which words of question and context made the model give it, and how sure?

huggin lime-answer RUN 3
huggin lime-answer RUN --question "Who owns the ravens?" --context "The ravens are Odin's."
"""  # huggin: explain 10

from argparse import Namespace
from collections.abc import Sequence

import huggin
from huggin.common.cli import CommandParser, at_least
from huggin.common.errors import UserError
from huggin.common.progress import loading
from huggin.graphs.arguments import add_run, load_matplotlib
from huggin.lime.arguments import STABILITY, add_masks, add_output, add_score, refuse_unfit
from huggin.lime.choices import HIDING
from huggin.lime.results import record, refuse_unwritable

KINDS = ("auto", "words", "sentences")


def main(argv: Sequence[str] | None = None) -> int:
    """Explain one answer, and save, print and record what was found."""
    choices = vars(read_arguments(argv))
    loading(f"the model in {choices['run']}")
    from huggin.lime.words.question import chosen_question

    asked = map(choices.pop, ("run", "index", "split", "question", "context"))
    question = chosen_question(*asked)
    show, json, db = map(choices.pop, ("show", "json", "db"))
    refuse_unwritable(json, db)
    load_matplotlib()
    found = huggin.explain_answer(question, **choices, say=print)
    found.save(show, choices["verbose"])
    record(db, json, found.as_json(), found.kept.rows())
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
    refuse_unfit(args)
    if args.question is not None and (args.index is not None or args.split):
        raise UserError("--question: leave out INDEX and --split, they are for the run's data")
    if args.spans and args.by != "auto":
        raise UserError(f"--by {args.by}: leave it out beside --spans")
    return args


def _add_question(parser: CommandParser) -> None:
    add_run(parser)
    newest = "the question of the newest answer that get-model-output kept, else 0"
    index = f"a question's index in the data (default: {newest})"
    parser.add_argument("index", nargs="?", type=at_least(0), metavar="INDEX", help=index)
    parser.option("--question TEXT", "a question of your own, with --context")
    parser.option("--context TEXT", "the text that the answer is sought in")
    parser.add_split()


def _add_segments(parser: CommandParser) -> None:
    long = "with more than 169 of them first sentences, then the words of the sentences that matter"
    parser.option("--by", f"what a segment is (default: auto: words; {long})", choices=KINDS)
    spans = "segments of your own: parts of the question or context; the rest is never hidden"
    parser.option("--spans TEXT", spans, nargs="+")
    ways = "its tokens become [MASK], are deleted, or become [PAD] that nothing reads"
    parser.option("--hide", f"how a segment is hidden: {ways}", "mask", choices=HIDING)
    parser.option("--hide-answer", "also hide the answer's own words (default: they always stay)")
    parser.set_defaults(by="auto", spans=())


def _add_explanation(parser: CommandParser) -> None:
    spans = "answer (the model's), gold (the expected one), a text of the context, or one over "
    parser.option("--explain WHAT", f"{spans}another, such as 'answer over gold'", "answer")
    add_score(parser, "logit")
    masks = "513, more for more than 169 words; 129 for up to 20 sentences; "
    add_masks(parser, f"{masks}leave-one-out: one per segment", top=5)
    parser.option("--stability R", STABILITY, at_least=2)
    others = "leave out what LIME is compared with: leave-one-out, integrated gradients, curves"
    parser.option("--only-lime", others, dest="compare", action="store_false")
    parser.option("--checkpoints", "also explain the same question at every checkpoint of the run")
    parser.add_device()
