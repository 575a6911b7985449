"""Explain a picture, hide what explains it, and see what it is called then: picture -> rounds, figures, numbers.

python inDeCeptionV3.py photo.jpg --rounds 3
"""

from argparse import Namespace
from functools import partial
from typing import TYPE_CHECKING

from huggin.door import UserError, open_door, printable
from huggin.lime.explanation import as_json
from huggin.lime.labels import target_of
from huggin.lime.options import checked, classifier_of, lime_parser, refuse_unwritable, request_of, save, scene_of
from huggin.lime.pictures import read_picture
from huggin.lime.rounds import deceive, summary
from lime import explain, record

if TYPE_CHECKING:
    from huggin.lime.explanation import Explanation
    from huggin.lime.scene import Scene


def main() -> None:
    """Print a summary of each round, draw what is left of the picture, and record why."""
    args = read_arguments()
    picture = read_picture(args.image)
    scene = scene_of(args, classifier_of(args), picture)
    request_of(args, scene)
    refuse_unwritable(args)
    from huggin.lime.figures import draw_explanation, draw_rounds

    rounds = []
    for number, one in enumerate(deceive(scene, partial(first_answer, args), args.rounds), 1):
        print(printable(summary(one)))
        save(draw_explanation(one.explanation), args.out / f"round-{number}", show=False)
        rounds.append(one)
    save({"rounds": draw_rounds(rounds)}, args.out, args.show)
    explanations = [one.explanation for one in rounds]
    record(args, explanations, [as_json(one) for one in explanations])


def read_arguments() -> Namespace:
    """The command line."""
    parser = lime_parser(
        "Explain a picture, hide its top segments, and see what it is called then.",
        "python inDeCeptionV3.py photo.jpg --rounds 3",
    )
    parser.add_argument(
        "--rounds", type=int, default=1, metavar="N", help="go on, at most N times, while it changes (1)"
    )
    args = checked(parser.parse_args())
    if args.rounds < 1:
        raise UserError(f"--rounds {args.rounds}: give 1 or more")
    return args


def first_answer(args: Namespace, scene: "Scene", number: int) -> "Explanation":
    """Why a picture is called what it is called, by LIME's four steps."""
    from huggin.lime.predictions import Predictor

    classifier = scene.classifier
    target = target_of(str(classifier.predict(scene.picture).argmax()), classifier.labels)
    predictor = Predictor(scene, [target], args.out / f"round-{number}" / "predictions.npz")
    return explain(predictor, [target], request_of(args, scene), print)[0]


if __name__ == "__main__":
    open_door(main)
