"""A command's arguments -> the picture, its classifier, and how it is to be explained."""

from argparse import Namespace

from huggin.common.errors import BadValue, UserError
from huggin.lime.addresses import name_of
from huggin.lime.explanation import Request
from huggin.lime.keras_models import NoDownload, load_classifier
from huggin.lime.pictures import read_picture
from huggin.lime.scene import Scene, make_scene

USUAL = 1000  # masks
OFFLINE = (
    "name a file with --weights, a model with --model FILE.keras, "
    "or try --demo, which needs no network"
)


def load(args: Namespace) -> tuple[Scene, Request]:
    """Read the picture, load the classifier, cut the picture into segments.

    Raises UserError if one of them cannot be used, or for fewer masks than coefficients.
    """
    picture = read_picture(args.image)
    try:
        classifier = load_classifier(args.model, args.weights, args.labels, args.pixels, args.seed)
    except NoDownload as error:
        raise UserError(f"{error}; {OFFLINE}") from None
    name = name_of(args.image)
    scene = make_scene(name, classifier, picture, args.segmenter, args.segments, args.fill)
    samples = args.samples or (scene.count + 1 if args.sampler == "leave-one-out" else USUAL)
    if samples <= scene.count:
        advice = f"give at least {2 * scene.count}, or fewer segments by --segments or --segmenter"
        raise BadValue("samples", samples, f"too few for {scene.count} segments; {advice}")
    request = Request(
        args.sampler, samples, args.seed, args.target, args.top, args.segmenter, args.fill
    )
    return scene, request
