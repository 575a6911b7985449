"""LIME: which parts of a picture made a classifier say what it said, and how sure is that?

A picture and a classifier go in; figures and numbers come out.

    python lime.py photo.jpg

The picture is cut into segments. LIME hides some of them, asks the classifier again, and sees what
each segment adds to the answer (Ribeiro et al. 2016, https://arxiv.org/abs/1602.04938). Its four
steps are in huggin/lime/steps.py:

1. Random perturbations: many masks, each of which says which segments are hidden (masks.py).
2. Predictions: what the classifier says of each masked picture (predictor.py).
3. Distance weights: a masked picture counts more if less of it is hidden (masks.py).
4. Linear regression coefficients: a linear model of the answers; its coefficients say what each
   segment adds, and their standard errors how sure that is (surrogate.py, adjusted.py).
"""  # huggin: explain 30

from argparse import Namespace
from collections.abc import Sequence

from huggin.common.cli import run_command
from huggin.common.errors import UserError
from huggin.common.progress import loading
from huggin.graphs.arguments import load_matplotlib
from huggin.lime.arguments import STABILITY, checked, lime_parser
from huggin.lime.results import record, refuse_unwritable


def main(argv: Sequence[str] | None = None) -> int:
    """Explain a picture, and save, print and record what was found."""
    choices = vars(read_arguments(argv))
    from huggin.lime.pictures.reading import open_picture

    json, db, show = map(choices.pop, ("json", "db", "show"))
    refuse_unwritable(json, db)
    choices["picture"] = open_picture(choices["picture"])
    loading("the classifier's libraries and Matplotlib")
    # They take seconds to load, so what was typed is read first.
    load_matplotlib()
    from huggin.lime.pictures.explaining import explain_picture

    explained = explain_picture(**choices, say=print)
    explained.save(choices["out"], show, choices["verbose"])
    record(db, json, explained.as_json())
    return 0


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line. Raises UserError for options that contradict each other."""
    example = "python lime.py photo.jpg --until-stable"
    parser = lime_parser("Explain an image classifier's answer.", example)
    add = parser.option
    classes = "numbers, names, contrasts such as 'dog - cat' (default: the first answer)"
    add("--classes CLASS", classes, nargs="+")
    add("--until-stable", "draw more masks until the top segments no longer change")
    most = "number of masks at which --until-stable gives up"
    add("--max-samples N", most, 20_000, at_least=1)
    add("--stability R", STABILITY, at_least=2)
    add("--faithfulness", "draw how the score changes as segments are hidden and shown by rank")
    parser.set_defaults(classes=())
    args = checked(parser.parse_args(argv))
    if args.max_samples < (args.samples or 1):
        what = "fewer than the masks to begin with; give more"
        raise UserError(f"--max-samples {args.max_samples}: {what}")
    return args


if __name__ == "__main__":
    run_command(main)
