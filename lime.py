"""LIME: which parts of a picture made a classifier say what it said, and how sure is that?

A picture and a classifier go in; figures and numbers come out.

    python lime.py photo.jpg

The picture is cut into segments. LIME makes many copies of it in which some segments are hidden,
asks the classifier about each copy, and fits a linear model to the answers. The coefficients say
what each segment adds to the answer. The four steps are in `explain` (Ribeiro et al. 2016,
https://arxiv.org/abs/1602.04938).
"""  # huggin: explain 30

from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from huggin.common.cli import run_command
from huggin.common.errors import UserError
from huggin.common.files import write_json
from huggin.common.text import printable
from huggin.database.connection import open_database
from huggin.database.option import database_path
from huggin.database.queries import record_explanation
from huggin.graphs.arguments import load_matplotlib
from huggin.lime.adjusted import adjusted
from huggin.lime.arguments import add_stability, at_least, checked, lime_parser
from huggin.lime.classifiers.classifier import first_answers
from huggin.lime.classifiers.labels import Target, target_at, target_of
from huggin.lime.explained import (
    AnyPredictor,
    Explained,
    Request,
    SceneT,
    TargetT,
    doubts,
    least_effect,
    verdict,
)
from huggin.lime.explanation import (
    Explanation,
    as_json,
    as_row,
    in_words,
    introduction,
    segment_rows,
)
from huggin.lime.masks import Masks, distance_weights, random_perturbations
from huggin.lime.pictures.predictions import Predictor
from huggin.lime.pictures.scene import Scene
from huggin.lime.quality import differing, faithfulness, gain, stability
from huggin.lime.results import folder_of, refuse_unwritable, remove_figures
from huggin.lime.surrogate import is_stable, linear_regression_coefficients

BATCH = 250  # masks that --until-stable adds at a time, or a fifth if that is more
Say = Callable[[str], None]


def explain(
    predictor: AnyPredictor[SceneT, TargetT],
    targets: Sequence[TargetT],
    request: Request,
    say: Say = lambda _: None,
) -> list[Explained[SceneT, TargetT]]:
    """LIME's four steps; one explanation per target, all from the same predictions."""
    say("\nStep 1/4: random perturbations")
    masks = random_perturbations(
        request.sampler,
        predictor.scene.count,
        request.samples,
        request.seed,
        request.kernel_width,
    )
    request = replace(request, samples=len(masks.on))
    _tell_masks(masks, request, say)

    say("Step 2/4: predictions")
    answers = predictor.predictions(masks.on)
    for line in predictor.told(answers):
        say(f"  {printable(line)}")

    say("Step 3/4: distance weights")
    weights = distance_weights(masks)
    reach = f"{weights.min():.4f} to {weights.max():.4f}"
    say(f"  {weights.shape}, by the cosine distance from the full mask: {reach}")

    say("Step 4/4: linear regression coefficients")
    found = []
    for target in targets:
        scores = answers.score(target, request.scale)
        least = least_effect(request.scale, scores)
        surrogate = linear_regression_coefficients(masks, scores, weights, least)
        if request.adjust:
            surrogate = adjusted(masks, scores, weights, surrogate)
        kept = answers.kept(target)
        sure = np.nan if request.scale == "value" else answers.probability_of(target)
        one = Explained(predictor.scene, target, request, masks, scores, kept, surrogate, sure)
        _tell_coefficients(one, say)
        found.append(one)
    return found


def _tell_masks(masks: Masks, request: Request, say: Say) -> None:
    example = np.array2string(masks.on[1].astype(int), max_line_width=500, threshold=64)
    drawn = "all that there are" if masks.complete else request.sampler
    say(f"  masks: {masks.on.shape}, {drawn}, 1 where a segment is seen")
    say(f"  e.g. masks[1]: {example}")


def _tell_coefficients(one: Explained, say: Say) -> None:
    found = one.surrogate.coefficients
    shapes = f"{found.shape} from masks {one.masks.on.shape} and scores {one.scores.shape}"
    say(f"  {printable(one.target.name)}: {shapes}")
    how = ", adjusted by a proxy" if one.surrogate.adjusted else ""
    say(f"  lowest {found.min():.4g}, highest {found.max():.4g}{how}")


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
    refuse_unwritable(args)
    predictor = Predictor(scene, targets, args.out / "predictions.npz")
    explanations = explain(predictor, targets, request, print)
    if args.until_stable:
        explanations = until_stable(predictor, explanations, args.max_samples)
    remove_figures([args.out, *args.out.glob("[0-9]*")])  # those of an earlier start
    numbers = []
    for one in explanations:
        print("", *map(printable, in_words(one)), sep="\n")
        quality = examine(args, predictor, one)
        if not one.surrogate.constant:
            print(verdict_on(args, one, quality))
        figures = draw_explanation(one)
        if "faithfulness" in quality:
            figures["faithfulness"] = draw_faithfulness(quality["faithfulness"], one)
        folder = args.out if len(targets) == 1 else args.out / folder_of(one.target)
        save_figures(figures, folder, args.show)
        numbers.append(as_json(one) | quality)
    if line := missing_in(one.target.name for one in explanations):
        print(printable(line))
    record(args, explanations, numbers)
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


def until_stable(
    predictor: Predictor, explanations: list[Explanation], most: int
) -> list[Explanation]:
    """Add masks until the standard errors say that fresh ones would find the same top segments."""
    targets = [one.target for one in explanations]
    while not all(
        one.masks.complete or is_stable(one.surrogate, one.request.top) for one in explanations
    ):
        request = explanations[0].request
        if request.samples >= most:
            why = "segments are too close to each other or to 0"
            print(f"\nNOT STABLE after {request.samples} masks: {why}")
            return explanations
        count = max(request.samples + BATCH, int(1.2 * request.samples))
        more = replace(request, samples=min(count, most))
        explanations = explain(predictor, targets, more)
    why = "the top segments stand out by more than chance"
    print(f"\nstable after {explanations[0].request.samples} masks: {why}")
    return explanations


def examine(args: Namespace, predictor: Predictor, one: Explanation) -> dict[str, Any]:
    """Measure and print the quality that --stability and --faithfulness ask for."""
    found: dict[str, Any] = {}
    if args.stability:
        agreement = repeated(predictor, one, args.stability)
        found["stability"] = agreement
        print(
            f"{args.stability} explanations: "
            f"Jaccard@{one.request.top} {agreement['jaccard']:.3f}, "
            f"Kendall's W {agreement['kendall_w']:.3f}, same sign {agreement['same_sign']:.3f}"
        )
    if args.faithfulness:
        ask = partial(predictor.scores, target=one.target, scale=one.request.scale)
        curves = faithfulness(one.surrogate.ranking(), ask, one.request.seed)
        found["faithfulness"] = curves
        for order, curve in curves.items():
            areas = f"deletion AUC {curve['deletion_auc']:.4f}"
            print(f"{order}: {areas}, insertion AUC {curve['insertion_auc']:.4f}")
    return found


def verdict_on(args: Namespace, one: Explanation, quality: dict[str, Any]) -> str:
    """One sentence from all that was found about an explanation's quality."""
    against = doubts(one) + differing(quality.get("stability"))
    stable = one.masks.complete or is_stable(one.surrogate, one.request.top)
    if args.until_stable and not stable:
        against.append(f"they are not stable after {len(one.scores)} masks")
    curves = quality.get("faithfulness")
    if curves and gain(curves["LIME"]) <= gain(curves["random"]):
        against.append("hiding them changes the score no faster than hiding others")
    return verdict(
        "" if against else f"the held-out R² is {one.surrogate.held_out_r2:.2f}", against
    )


def repeated(
    predictor: AnyPredictor[SceneT, TargetT], one: Explained[SceneT, TargetT], repeats: int
) -> dict[str, float]:
    """Explain with fresh masks and compare; masks of an earlier start come from its file."""
    surrogates = [one.surrogate]
    for number in range(1, repeats):
        request = replace(one.request, seed=one.request.seed + number)
        surrogates.append(explain(predictor, [one.target], request)[0].surrogate)
    return stability(surrogates, one.request.top)


def record(args: Namespace, explanations: list[Explanation], numbers: list[dict[str, Any]]) -> None:
    """Write the numbers for --json, and the explanations into the database."""
    if args.json:
        write_json(args.json, numbers)
    with closing(open_database(database_path(args.db))) as connection:
        for one in explanations:
            record_explanation(connection, as_row(one), segment_rows(one))


if __name__ == "__main__":
    run_command(main)
