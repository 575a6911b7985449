"""Explain a picture, hide what explains it, and see what it is called then: picture -> rounds, figures, numbers.

python inDeCeptionV3.py photo.jpg --rounds 3
"""

from collections.abc import Sequence

from huggin.common.cli import run_command
from huggin.common.text import printable
from huggin.graphs.arguments import load_matplotlib
from huggin.lime.explanation import Explanation, as_json
from huggin.lime.labels import target_of
from huggin.lime.options import (
    at_least,
    checked,
    lime_parser,
    load,
    refuse_unwritable,
    remove_figures,
)
from huggin.lime.predictions import Predictor
from huggin.lime.rounds import deceive, summary
from huggin.lime.scene import Scene
from lime import explain, record


def main(argv: Sequence[str] | None = None) -> int:
    """Print a summary of each round, draw what is left of the picture, and record why."""
    parser = lime_parser(
        "Explain a picture, hide its top segments, and see what it is called then.",
        "python inDeCeptionV3.py photo.jpg --rounds 3",
    )
    parser.add_argument(
        "--rounds",
        type=at_least(1),
        default=1,
        metavar="N",
        help="go on, at most N times, while it changes (1)",
    )
    args = checked(parser.parse_args(argv))
    scene, request = load(args)
    refuse_unwritable(args)
    load_matplotlib()
    from huggin.graphs.saving import save_figures
    from huggin.lime.figures import draw_explanation, draw_rounds

    def first_answer(scene: Scene, number: int) -> Explanation:
        """Why a picture is called what it is called, by LIME's four steps."""
        first = scene.classifier.predict(scene.picture).argmax()
        target = target_of(str(first), scene.classifier.labels)
        predictor = Predictor(scene, [target], args.out / f"round-{number}" / "predictions.npz")
        return explain(predictor, [target], request, print)[0]

    rounds = []
    for one in deceive(scene, first_answer, args.rounds):
        print(printable(summary(one)))
        save_figures(
            draw_explanation(one.explanation), args.out / f"round-{one.number}", show=False
        )
        rounds.append(one)
    kept = {f"round-{one.number}" for one in rounds}
    remove_figures(
        folder for folder in args.out.glob("round-*") if folder.name not in kept
    )  # of an earlier explanation
    save_figures({"rounds": draw_rounds(rounds)}, args.out, args.show)
    explanations = [one.explanation for one in rounds]
    record(args, explanations, [as_json(one) for one in explanations])
    return 0


if __name__ == "__main__":
    run_command(main)
