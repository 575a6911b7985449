"""Explain a picture, hide what explains it, and ask the classifier again.

A picture and a classifier go in; figures and numbers of each round come out.

    python inDeCeptionV3.py photo.jpg --rounds 3
"""  # huggin: explain 40

from argparse import Namespace
from collections.abc import Callable, Sequence

from huggin.common.cli import run_command
from huggin.common.errors import UserError
from huggin.common.files import write_json
from huggin.common.text import printable
from huggin.graphs.arguments import load_matplotlib
from huggin.lime.arguments import at_least, checked, lime_parser
from huggin.lime.classifiers.classifier import first_answers
from huggin.lime.classifiers.labels import target_at
from huggin.lime.explained import Request
from huggin.lime.explanation import Explanation, as_json, introduction
from huggin.lime.pictures.predictions import Predictor
from huggin.lime.pictures.rounds import Round, deceive, summary
from huggin.lime.pictures.scene import Scene
from huggin.lime.results import record, refuse_unwritable, remove_figures
from huggin.lime.steps import explain


def main(argv: Sequence[str] | None = None) -> int:
    """Print a summary of each round, draw what is left of the picture, and record why."""
    args = read_arguments(argv)
    # TensorFlow and Matplotlib take seconds to load, and --help needs neither.
    load_matplotlib()
    from huggin.graphs.saving import save_figures
    from huggin.lime.fonts import missing_in
    from huggin.lime.loading import load
    from huggin.lime.pictures.figures import draw_explanation, draw_rounds

    scene, request = load(args)
    if request.scale == "value":
        what = "returns values, so there is no answer that could change; explain it with lime.py"
        raise UserError(f"{args.model}: {what}")
    refuse_unwritable(args.out, args.json, args.db)
    print(*map(printable, introduction(scene)), sep="\n")
    rounds = []
    for one in deceive(scene, first_answer(args, request), args.rounds):
        print(printable(summary(one)))
        figures = draw_explanation(one.explanation)
        save_figures(figures, args.out / f"round-{one.number}", show=False)
        rounds.append(one)
    remove_later_rounds(args, rounds)
    save_figures({"rounds": draw_rounds(rounds)}, args.out, args.show)
    explanations = [one.explanation for one in rounds]
    if line := missing_in(one.target.name for one in explanations):
        print(printable(line))
    numbers = [as_json(one) for one in explanations]
    if args.json:
        write_json(args.json, numbers)
    record(args.db, numbers)
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


def first_answer(args: Namespace, request: Request) -> Callable[[Scene, int], Explanation]:
    """The function that explains a scene's first answer, by LIME's four steps."""

    def explained(scene: Scene, number: int) -> Explanation:
        probabilities = scene.classifier.predict(scene.picture)
        target = target_at(int(first_answers(probabilities, 1)[0]), scene.classifier.labels)
        file = args.out / f"round-{number}" / "predictions.npz"
        return explain(Predictor(scene, [target], file), [target], request, print)[0]

    return explained


def remove_later_rounds(args: Namespace, rounds: list[Round]) -> None:
    """Remove the figures of rounds that only an earlier start had."""
    kept = {f"round-{one.number}" for one in rounds}
    remove_figures(folder for folder in args.out.glob("round-*") if folder.name not in kept)


if __name__ == "__main__":
    run_command(main)
