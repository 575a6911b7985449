"""Explain a picture, hide what explains it, and ask the classifier again.

A picture and a classifier go in; figures and numbers of each round come out.

    python inDeCeptionV3.py photo.jpg --rounds 3
"""  # huggin: explain 40

from argparse import Namespace
from collections.abc import Sequence

from huggin.common.cli import run_command
from huggin.common.errors import UserError
from huggin.graphs.arguments import load_matplotlib
from huggin.lime.arguments import OF_MODELS, at_least, checked, lime_parser
from huggin.lime.results import record, refuse_unwritable, remove_figures


def main(argv: Sequence[str] | None = None) -> int:
    """Print a summary of each round, draw what is left of the picture, and record why."""
    args = read_arguments(argv)
    from huggin.lime.pictures.reading import open_picture

    refuse_unwritable(args.out, args.json, args.db)
    picture = open_picture(args.image)
    load_matplotlib()  # it and TensorFlow take seconds, and what was typed is read first
    from huggin.graphs.saving import save_figures
    from huggin.lime.classifiers.keras_models import load_classifier
    from huggin.lime.explanation import Request
    from huggin.lime.fonts import missing_in
    from huggin.lime.pictures.explaining import fitted, steady
    from huggin.lime.pictures.figures import draw_explanation, draw_rounds
    from huggin.lime.pictures.rounds import deceive
    from huggin.lime.pictures.scene import make_scene
    from huggin.lime.steps import Report

    said = {name: getattr(args, name) for name in OF_MODELS}
    classifier = load_classifier(**said, picture=picture.values, seed=args.seed)
    cut = (args.segmenter, args.segments, args.fill, args.fit, args.resampling)
    scene = steady(make_scene(picture, classifier, *cut), args.allow_random)
    masks = (args.sampler, args.samples or 0, args.seed, args.score, args.top)
    filled = (args.segmenter, args.fill, args.kernel_width, args.adjust)
    request = fitted(Request(*masks, *filled), scene)
    if request.scale == "value":
        what = "returns values, so there is no answer that could change; explain it with lime.py"
        raise UserError(f"{args.model}: {what}")
    report = Report(print, args.verbose)
    report.tell(*scene.introduction())
    told = None if args.verbose else ()
    rounds = []
    for found in deceive(scene, request, args.rounds, args.out, report.detail):
        report.tell(found.summary())
        figures = draw_explanation(found.explanation)
        save_figures(figures, args.out / f"round-{found.number}", show=False, told=told)
        rounds.append(found)
    kept = {f"round-{found.number}" for found in rounds}  # others are of an earlier start
    remove_figures(folder for folder in args.out.glob("round-*") if folder.name not in kept)
    save_figures({"rounds": draw_rounds(rounds)}, args.out, args.show)
    explanations = [found.explanation for found in rounds]
    if line := missing_in(explanation.target.name for explanation in explanations):
        print(line)
    record(args.db, args.json, [explanation.as_json() for explanation in explanations])
    return 0


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line. Raises UserError for options that contradict each other."""
    parser = lime_parser(
        "Explain a picture, hide its top segments, and see what it is called then.",
        "python inDeCeptionV3.py photo.jpg --rounds 3",
    )
    parser.add_argument(
        "--rounds",
        type=at_least(1),
        default=1,
        metavar="N",
        help="continue for at most N rounds while the answer changes (default: 1)",
    )
    return checked(parser.parse_args(argv))


if __name__ == "__main__":
    run_command(main)
