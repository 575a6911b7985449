"""LIME: which parts of a picture made a classifier say what it said, and how sure is that? Picture -> figures, numbers.

    python lime.py photo.jpg

The picture is cut into segments. Many copies of it are made in which some are hidden, and the classifier is asked about
each. A linear model of its answers then says what each segment adds: https://arxiv.org/abs/1602.04938, in four steps.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from numpy import array2string

from huggin.common.cli import run_command
from huggin.common.errors import UserError
from huggin.common.files import write_json
from huggin.common.text import printable
from huggin.database.connection import open_database
from huggin.database.option import database_path
from huggin.database.queries import record_explanation
from huggin.lime.explanation import Explanation, Request, as_json, as_row, in_words, segment_rows
from huggin.lime.labels import Target, target_of
from huggin.lime.masks import distance_weights, random_perturbations
from huggin.lime.options import (
    at_least,
    checked,
    folder_of,
    lime_parser,
    load,
    refuse_unwritable,
    remove_figures,
)
from huggin.lime.predictions import Predictor
from huggin.lime.quality import faithfulness, stability
from huggin.lime.scene import Scene
from huggin.lime.surrogate import is_stable, linear_regression_coefficients

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH = 250  # masks that --until-stable adds at a time
Say = Callable[[str], None]


def explain(
    predictor: Predictor, targets: Sequence[Target], request: Request, say: Say = lambda _: None
) -> list[Explanation]:
    """LIME's four steps; one explanation per target, all from the same predictions."""
    scene = predictor.scene

    say("\nStep 1/4: random perturbations")
    masks = random_perturbations(request.sampler, scene.count, request.samples, request.seed)
    say(f"  masks: {masks.on.shape}, {request.sampler}, 1 where a segment is seen")
    say(
        f"  e.g. masks[1]: {array2string(masks.on[1].astype(int), max_line_width=500, threshold=64)}"
    )

    say("Step 2/4: predictions")
    answers = predictor.predictions(masks.on)
    names = scene.classifier.labels.names
    say(f"  of {len(masks.on)} masked pictures {scene.picture.shape}, {len(names)} classes each")
    say(f"  e.g. of masks[1]: {printable(names[answers.top[1]])}")

    say("Step 3/4: distance weights")
    weights = distance_weights(masks)
    say(
        f"  {weights.shape}, by the cosine distance from the full mask: {weights.min():.4f} to {weights.max():.4f}"
    )

    say("Step 4/4: linear regression coefficients")
    found = []
    for target in targets:
        scores, kept = (
            answers.score(target, request.scale),
            float((answers.top[1:] == target.plus).mean()),
        )
        surrogate = linear_regression_coefficients(masks, scores, weights)
        found.append(Explanation(scene, target, request, masks, scores, kept, surrogate))
        shapes = (
            f"{surrogate.coefficients.shape} from masks {masks.on.shape} and scores {weights.shape}"
        )
        say(f"  {printable(target.name)}: {shapes}")
        say(
            f"  lowest {surrogate.coefficients.min():.4g}, highest {surrogate.coefficients.max():.4g}"
        )
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Explain a picture, and save, print and record what was found."""
    args = read_arguments(argv)
    scene, request = load(args)
    targets = targets_of(args, scene)
    refuse_unwritable(args)
    from huggin.graphs.saving import save_figures

    predictor = Predictor(scene, targets, args.out / "predictions.npz")
    explanations = explain(predictor, targets, request, print)
    if args.until_stable:
        explanations = until_stable(predictor, explanations, args.max_samples)
    remove_figures([args.out, *args.out.glob("[0-9]*")])  # an earlier start's
    numbers = []
    for one in explanations:
        print("", *map(printable, in_words(one)), sep="\n")
        found, figures = examine(args, predictor, one)
        save_figures(
            figures, args.out if len(targets) == 1 else args.out / folder_of(one.target), args.show
        )
        numbers.append(found)
    record(args, explanations, numbers)
    return 0


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line."""
    parser = lime_parser(
        "Explain an image classifier's answer.", "python lime.py photo.jpg --until-stable"
    )
    add = parser.add_argument
    add(
        "--classes",
        nargs="+",
        metavar="CLASS",
        help="numbers, names, contrasts such as 'dog - cat' (the first answer)",
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
        help="where --until-stable gives up (20000)",
    )
    add(
        "--stability",
        type=at_least(2),
        metavar="R",
        help="explain R times with fresh masks: how far do they agree?",
    )
    add(
        "--faithfulness",
        action="store_true",
        help="draw what hiding and showing the segments in this order does",
    )
    args = checked(parser.parse_args(argv))
    if args.max_samples < (args.samples or 1):
        raise UserError(
            f"--max-samples {args.max_samples}: fewer than the masks to begin with; give more"
        )
    if args.sampler == "leave-one-out" and (args.until_stable or args.stability):
        raise UserError(
            "--sampler leave-one-out: its masks are always the same; choose another to repeat"
        )
    return args


def targets_of(args: Namespace, scene: Scene) -> list[Target]:
    """What is to be explained: --classes, or the classifier's first answer. Prints its first answers."""
    labels = scene.classifier.labels
    probabilities = scene.classifier.predict(scene.picture)
    first = probabilities.argsort()[::-1][:3]
    print(printable(f"{scene.name}: {scene.count} segments, {scene.classifier.name}"))
    for index in first:
        print(f"  {probabilities[index]:.4f} {printable(labels.names[index])} (class {index})")
    return list(
        dict.fromkeys(target_of(words, labels) for words in args.classes or [str(first[0])])
    )


def until_stable(
    predictor: Predictor, explanations: list[Explanation], most: int
) -> list[Explanation]:
    """Add masks until the standard errors say that fresh ones would find the same top segments."""
    while not all(is_stable(one.surrogate, one.request.top) for one in explanations):
        request, targets = explanations[0].request, [one.target for one in explanations]
        if request.samples >= most:
            print(
                f"\nNOT STABLE after {request.samples} masks: segments are too close to each other or to 0"
            )
            return explanations
        explanations = explain(
            predictor, targets, replace(request, samples=min(request.samples + BATCH, most))
        )
    print(
        f"\nstable after {explanations[0].request.samples} masks: the top segments stand out by more than chance"
    )
    return explanations


def examine(
    args: Namespace, predictor: Predictor, one: Explanation
) -> "tuple[dict[str, Any], dict[str, Figure]]":
    """An explanation's numbers and figures, with those of the quality that was asked for."""
    from huggin.lime.figures import draw_explanation, draw_faithfulness

    found, figures = as_json(one), draw_explanation(one)
    if args.stability:
        found["stability"] = repeated(predictor, one, args.stability)
        words = (
            "Jaccard@{top} {jaccard:.3f}, Kendall's W {kendall_w:.3f}, same sign {same_sign:.3f}"
        )
        print(
            args.stability, "explanations:", words.format(top=one.request.top, **found["stability"])
        )
    if args.faithfulness:
        ask = partial(predictor.scores, target=one.target, scale=one.request.scale)
        curves = faithfulness(one.surrogate.ranking(), ask, one.request.seed)
        found["faithfulness"] = curves
        figures["faithfulness"] = draw_faithfulness(curves, one)
        for order, curve in curves.items():
            print(
                f"{order}: deletion AUC {curve['deletion_auc']:.4f}, insertion AUC {curve['insertion_auc']:.4f}"
            )
    return found, figures


def repeated(predictor: Predictor, one: Explanation, repeats: int) -> dict[str, float]:
    """Explain with fresh masks; those that an earlier start asked about come from its file."""
    requests = [
        replace(one.request, seed=one.request.seed + number) for number in range(1, repeats)
    ]
    others = [explain(predictor, [one.target], request)[0].surrogate for request in requests]
    return stability([one.surrogate, *others], one.request.top)


def record(args: Namespace, explanations: list[Explanation], numbers: list[dict[str, Any]]) -> None:
    """Write the numbers as --json wants them, and the explanations into the database."""
    if args.json:
        write_json(args.json, numbers)
    with closing(open_database(database_path(args.db))) as connection:
        for one in explanations:
            record_explanation(connection, as_row(one), segment_rows(one))


if __name__ == "__main__":
    run_command(main)
