"""A command's arguments -> the picture, its classifier, and how it is to be explained."""

from argparse import Namespace
from dataclasses import replace

import numpy as np

from huggin.common.errors import BadValue, UserError
from huggin.lime.choices import FILTERS
from huggin.lime.classifiers.keras_classifier import KerasClassifier
from huggin.lime.classifiers.keras_models import load_classifier
from huggin.lime.classifiers.model_files import is_file_name
from huggin.lime.explained import Request
from huggin.lime.masks import usual_samples
from huggin.lime.pictures.addresses import name_of
from huggin.lime.pictures.reading import read_picture
from huggin.lime.pictures.scene import Scene, make_scene

DRAWS = 16  # answers whose mean is explained: its error is a quarter of one answer's
SQUASHED = 1.5  # change of shape from which on it is said


def load(args: Namespace) -> tuple[Scene, Request]:
    """Read the picture, load the classifier, cut the picture into segments.

    Raises UserError if one of them cannot be used, or for fewer masks than coefficients.
    """
    name = name_of(args.image)
    facts: list[str] = []
    picture = read_picture(args.image, facts.append)
    classifier = _classifier(args, picture)
    resampling = args.filter or ("smooth" if is_file_name(args.model) else "nearest")
    cut = (args.segmenter, args.segments, args.fill)
    scene = make_scene(name, classifier, picture, *cut, args.fit, resampling)
    facts.append(_fitting_in_words(picture, classifier.size, args.fit, resampling))
    scene = replace(scene, facts=tuple(facts))
    scene = _steady(scene, args.allow_random)
    samples = args.samples or usual_samples(args.sampler, scene.count)
    if samples <= scene.count:
        advice = f"give at least {2 * scene.count}, or fewer segments by --segments or --segmenter"
        raise BadValue("samples", samples, f"too few for {scene.count} segments; {advice}")
    request = Request(
        sampler=args.sampler,
        samples=samples,
        seed=args.seed,
        scale=_scale(args.target, classifier),
        top=args.top,
        segmenter=scene.segmenter,
        fill=args.fill,
        kernel_width=args.kernel_width,
        adjust=args.adjust,
    )
    return scene, request


def _scale(wanted: str, classifier: KerasClassifier) -> str:
    """The score that is explained; that of a model that returns values is the value."""
    if classifier.ending != "value":
        return wanted
    if wanted == "logit":
        raise BadValue("target", wanted, f"{classifier.name} returns values; leave it out")
    return "value"


def _steady(scene: Scene, allow_random: bool) -> Scene:
    """The scene with a classifier whose answers are the same twice.

    Raises UserError if they are not, unless `allow_random`: then means of DRAWS are asked for.
    """
    classifier = scene.classifier
    assert isinstance(classifier, KerasClassifier)
    hidden = [np.arange(scene.count) % step == 0 for step in (2, 3)]
    masked = [scene.hide(np.flatnonzero(one)) for one in hidden]
    apart = classifier.varies(np.stack([scene.picture, *masked, scene.fill]))
    if not apart:
        return scene
    if allow_random:
        fact = "engine: TensorFlow, "
        fact += f"the mean of {DRAWS} answers, each picture by itself, as they vary by {apart:.2g}"
        return replace(scene, classifier=classifier.on_tensorflow(fact, DRAWS))
    what = f"answers the same picture differently (by {apart:.2g}), alone and within a batch"
    why = "it has layers that act as in training, such as Dropout; save it with training=False"
    mean = f"or explain the mean of {DRAWS} answers by --allow-random"
    raise UserError(f"{classifier.name}: {what}; {why}, {mean}")


def _fitting_in_words(picture: np.ndarray, size: tuple[int, int], fit: str, resampling: str) -> str:
    """How a picture (height, width, 3) was brought to the classifier's size."""
    height, width = size
    ratio = picture.shape[1] * height / (picture.shape[0] * width)
    done = {"squash": "", "crop": "cropped to its middle and ", "pad": "padded with grey and "}[fit]
    line = f"{done}resized to {width} x {height} by {FILTERS[resampling]}"
    times = max(ratio, 1 / ratio)
    if fit == "squash" and times > SQUASHED:
        line += f", SQUASHED {times:.1f} : 1; --fit crop or pad keeps its shape"
    return line


def _classifier(args: Namespace, picture: np.ndarray) -> KerasClassifier:
    said = (args.labels, args.pixels, args.ending, args.output, args.size, args.engine)
    return load_classifier(args.model, args.weights, *said, picture, args.seed)
