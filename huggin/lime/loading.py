"""A command's arguments -> the picture, its classifier, and how it is to be explained."""

from argparse import Namespace

import numpy as np

from huggin.common.errors import BadValue, UserError
from huggin.common.text import printable
from huggin.lime.addresses import name_of
from huggin.lime.explained import Request
from huggin.lime.keras_classifier import KerasClassifier
from huggin.lime.keras_models import Choices, Unclear, load_classifier
from huggin.lime.masks import usual_samples
from huggin.lime.networks import NoDownload
from huggin.lime.pictures import read_picture
from huggin.lime.scene import Scene, make_scene

OFFLINE = (
    "name a file with --weights, a model with --model FILE.keras, "
    "or try --demo, which needs no network"
)


def load(args: Namespace) -> tuple[Scene, Request]:
    """Read the picture, load the classifier, cut the picture into segments.

    Raises UserError if one of them cannot be used, or for fewer masks than coefficients.
    """
    name = name_of(args.image)
    picture = read_picture(args.image, lambda line: print(printable(f"{name}: {line}")))
    classifier = _classifier(args, picture)
    scene = make_scene(name, classifier, picture, args.segmenter, args.segments, args.fill)
    samples = args.samples or usual_samples(args.sampler, scene.count)
    if samples <= scene.count:
        advice = f"give at least {2 * scene.count}, or fewer segments by --segments or --segmenter"
        raise BadValue("samples", samples, f"too few for {scene.count} segments; {advice}")
    request = Request(
        sampler=args.sampler,
        samples=samples,
        seed=args.seed,
        scale=args.target,
        top=args.top,
        segmenter=scene.segmenter,
        fill=args.fill,
        kernel_width=args.kernel_width,
        adjust=args.adjust,
    )
    return scene, request


def _classifier(args: Namespace, picture: np.ndarray) -> KerasClassifier:
    """Load the classifier; errors name the options that help."""
    choices = Choices(args.labels, args.pixels, args.ending, args.output, args.size, args.engine)
    try:
        return load_classifier(args.model, args.weights, choices, picture, args.seed)
    except NoDownload as error:
        raise UserError(f"{error}; {OFFLINE}") from None
    except Unclear as error:
        values = "|".join(error.values)
        raise UserError(f"{error.text}; choose by --{error.parameter} {values}") from None
