"""LIME: which parts of a picture made a classifier say what it said, and how sure is that?

A picture and a classifier go in; figures and numbers come out.

    python lime.py photo.jpg

The picture is cut into segments. LIME makes many copies of it in which some segments are hidden,
asks the classifier about each copy, and fits a linear model to the answers. The coefficients say
what each segment adds to the answer. The four steps are in huggin/lime/steps.py (Ribeiro et al.
2016, https://arxiv.org/abs/1602.04938).
"""  # huggin: explain 30

from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from typing import Any

from huggin.common.cli import run_command
from huggin.common.errors import UserError
from huggin.common.files import write_json
from huggin.common.text import printable
from huggin.graphs.arguments import load_matplotlib
from huggin.lime.arguments import add_stability, at_least, checked, lime_parser
from huggin.lime.classifiers.classifier import first_answers
from huggin.lime.classifiers.labels import Target, target_at, target_of
from huggin.lime.explained import verdict_on
from huggin.lime.explanation import Explanation, as_json, in_words, introduction
from huggin.lime.pictures.predictions import Predictor
from huggin.lime.pictures.scene import Scene
from huggin.lime.quality import differing, faithfulness, gain
from huggin.lime.results import folder_of, record, refuse_unwritable, remove_figures
from huggin.lime.steps import explain, repeated, until_stable
from huggin.lime.surrogate import is_stable


def main(argv: Sequence[str] | None = None) -> int:
    """Explain a picture, and save, print and record what was found."""
    args = read_arguments(argv)
    # TensorFlow and Matplotlib take seconds to load, and --help needs neither.
    load_matplotlib()
    from huggin.graphs.saving import save_figures
    from huggin.lime.fonts import missing_in
    from huggin.lime.loading import load
    from huggin.lime.pictures.figures import draw_explanation, draw_faithfulness

    scene, request = load(args)
    targets = targets_of(args, scene)
    refuse_unwritable(args.out, args.json, args.db)
    predictor = Predictor(scene, targets, args.out / "predictions.npz")
    explanations = explain(predictor, targets, request, print)
    if args.until_stable:
        explanations = until_stable(predictor, explanations, args.max_samples, print)
    remove_figures([args.out, *args.out.glob("[0-9]*")])  # those of an earlier start
    numbers = []
    for one in explanations:
        print("", *map(printable, in_words(one)), sep="\n")
        quality = examine(args, predictor, one)
        if not one.surrogate.constant:
            print(verdict_of(args, one, quality))
        figures = draw_explanation(one)
        if "faithfulness" in quality:
            figures["faithfulness"] = draw_faithfulness(quality["faithfulness"], one)
        folder = args.out if len(targets) == 1 else args.out / folder_of(one.target)
        save_figures(figures, folder, args.show)
        numbers.append(as_json(one) | quality)
    if line := missing_in(one.target.name for one in explanations):
        print(printable(line))
    if args.json:
        write_json(args.json, numbers)
    record(args.db, numbers)
    return 0


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line. Raises UserError for options that contradict each other."""
    example = "python lime.py photo.jpg --until-stable"
    parser = lime_parser("Explain an image classifier's answer.", example)
    add = parser.add_argument
    add(
        "--classes",
        nargs="+",
        metavar="CLASS",
        help="numbers, names, contrasts such as 'dog - cat' (default: the first answer)",
    )
    add(
        "--until-stable",
        action="store_true",
        help="draw more masks until the top segments no longer change",
    )
    add(
        "--max-samples",
        type=at_least(1),
        default=20_000,
        metavar="N",
        help="number of masks at which --until-stable gives up (default: 20000)",
    )
    add_stability(parser)
    add(
        "--faithfulness",
        action="store_true",
        help="draw how the score changes as segments are hidden and shown by rank",
    )
    args = checked(parser.parse_args(argv))
    if args.max_samples < (args.samples or 1):
        what = "fewer than the masks to begin with; give more"
        raise UserError(f"--max-samples {args.max_samples}: {what}")
    if args.sampler == "leave-one-out" and (args.until_stable or args.stability):
        what = "its masks are deterministic, so there is nothing to repeat; choose another sampler"
        raise UserError(f"--sampler leave-one-out: {what}")
    return args


def targets_of(args: Namespace, scene: Scene) -> list[Target]:
    """What is to be explained: --classes, or the classifier's first answer.

    Prints what was read from the model, and its first answers.
    """
    print(*map(printable, introduction(scene)), sep="\n")
    labels = scene.classifier.labels
    if args.classes:
        return list(dict.fromkeys(target_of(words, labels) for words in args.classes))
    if scene.classifier.ending == "value" and len(labels.names) > 1:
        known = f"{labels.names[0]} to {labels.names[-1]}"
        raise UserError(f"--classes: the model returns {known}; say which of them is explained")
    best = first_answers(scene.classifier.predict(scene.picture), 1)[0]
    return [target_at(int(best), labels)]


def examine(args: Namespace, predictor: Predictor, one: Explanation) -> dict[str, Any]:
    """Measure and print the quality that --stability and --faithfulness ask for."""
    found: dict[str, Any] = {}
    if args.stability:
        found["stability"] = repeated(predictor, one, args.stability, print)
    if args.faithfulness:
        ask = partial(predictor.scores, target=one.target, scale=one.request.scale)
        curves = faithfulness(one.surrogate.ranking(), ask, one.request.seed)
        found["faithfulness"] = curves
        for order, curve in curves.items():
            areas = f"deletion AUC {curve['deletion_auc']:.4f}"
            print(f"{order}: {areas}, insertion AUC {curve['insertion_auc']:.4f}")
    return found


def verdict_of(args: Namespace, one: Explanation, quality: dict[str, Any]) -> str:
    """One sentence from all that was found about an explanation's quality."""
    against = differing(quality.get("stability"))
    stable = one.masks.complete or is_stable(one.surrogate, one.request.top)
    if args.until_stable and not stable:
        against.append(f"they are not stable after {len(one.scores)} masks")
    curves = quality.get("faithfulness")
    if curves and gain(curves["LIME"]) <= gain(curves["random"]):
        against.append("hiding them changes the score no faster than hiding others")
    return verdict_on(one, against)


if __name__ == "__main__":
    run_command(main)
