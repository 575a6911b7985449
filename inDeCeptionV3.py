"""Explain a picture, hide what explains it, and ask the classifier again.

A picture and a classifier go in; figures and numbers of each round come out.

    python inDeCeptionV3.py photo.jpg --rounds 3
"""  # huggin: explain 40

from argparse import Namespace
from collections.abc import Sequence

from huggin.common.cli import run_command
from huggin.common.progress import loading
from huggin.graphs.arguments import load_matplotlib
from huggin.lime.arguments import checked, lime_parser
from huggin.lime.results import record, refuse_unwritable


def main(argv: Sequence[str] | None = None) -> int:
    """Print a summary of each round, draw what is left of the picture, and record why."""
    choices = vars(read_arguments(argv))
    from huggin.lime.pictures.reading import open_picture

    json, db = map(choices.pop, ("json", "db"))
    refuse_unwritable(json, db)
    choices["picture"] = open_picture(choices["picture"])
    loading("the classifier's libraries and Matplotlib")
    # They take seconds to load, so what was typed is read first.
    load_matplotlib()
    from huggin.lime.pictures.explaining import explain_rounds

    explanations = explain_rounds(**choices, say=print)
    record(db, json, [explanation.as_json() for explanation in explanations])
    return 0


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line. Raises UserError for options that contradict each other."""
    parser = lime_parser(
        "Explain a picture, hide its top segments, and see what it is called then.",
        "python inDeCeptionV3.py photo.jpg --rounds 3",
    )
    rounds = "continue for at most N rounds while the answer changes"
    parser.option("--rounds N", rounds, 1, at_least=1)
    return checked(parser.parse_args(argv))


if __name__ == "__main__":
    run_command(main)
