"""What lime.py and inDeCeptionV3.py share: their arguments, what these load, where their results go."""

import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from huggin.database import add_database_option
from huggin.door import DoorParser, UserError
from huggin.files import replacing
from huggin.lime.explanation import Request
from huggin.lime.masks import SAMPLERS, usual_samples
from huggin.lime.scene import FILLS, SEGMENTERS, Scene, make_scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from huggin.lime.classifier import Classifier

SAMPLE = Path(__file__).resolve().parents[2] / "sample" / "shapes"
DPI = 130


def lime_parser(description: str, example: str) -> DoorParser:
    """The arguments of both commands."""
    parser = DoorParser(description, example)
    add = parser.add_argument
    add("image", nargs="?", metavar="IMAGE", help="a path or an http(s) address (a cat that comes with scikit-image)")
    add("--demo", action="store_true", help="a small classifier and a picture that come with the toolkit; no network")
    add("--model", default="InceptionV3", help="a name of keras.applications, or a .keras file (InceptionV3)")
    add("--weights", metavar="FILE", help="weights of a named model, or: random (ImageNet's, downloaded by Keras)")
    add("--labels", type=Path, metavar="FILE", help="names of the classes, one a line")
    add("--pixels", choices=("signed", "unit", "byte"), help="what a .keras file takes: -1 to 1, 0 to 1, 0 to 255")
    add("--segmenter", choices=SEGMENTERS, help="how the picture is cut (quickshift)")
    add("--segments", type=int, default=36, metavar="N", help="about how many, for slic and grid (36)")
    add("--fill", choices=FILLS, default="grey", help="what hides a segment (grey)")
    add("--target", choices=("probability", "logit"), default="probability", help="what is explained (probability)")
    add("--sampler", choices=SAMPLERS, default="binomial", help="how the masks are drawn (binomial)")
    add("--samples", type=int, metavar="N", help="masks (1000; leave-one-out: one a segment)")
    add("--seed", type=int, default=0, help="of the masks (0)")
    add("--top", type=int, default=4, metavar="K", help="how many segments count as the top ones (4)")
    add("--out", type=Path, metavar="DIR", help="folder for the results (explanations/NAME OF THE PICTURE)")
    add("--json", type=Path, metavar="FILE", help="write every number, too")
    add("--show", action="store_true", help="open the figures in windows, too")
    add_database_option(parser)
    return parser


def checked(args: Namespace) -> Namespace:
    """The arguments with what --demo and an absent IMAGE stand for. Raises UserError for numbers that make no sense."""
    for name in ("segments", "top", "samples"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value}: give 1 or more")
    if args.seed < 0:
        raise UserError(f"--seed {args.seed}: give 0 or more")
    if args.demo:
        args.model, args.weights, args.labels = f"{SAMPLE}.keras", None, SAMPLE.with_suffix(".txt")
        args.image, args.segmenter = args.image or f"{SAMPLE}.png", args.segmenter or "slic"
    args.image, args.segmenter = args.image or _cat(), args.segmenter or "quickshift"
    args.out = args.out or Path("explanations") / (Path(args.image.split("?")[0]).stem or "picture")
    return args


def _cat() -> str:
    from importlib.util import find_spec

    place = find_spec("skimage")
    assert place and place.origin
    return str(Path(place.origin).parent / "data" / "chelsea.png")


def classifier_of(args: Namespace) -> "Classifier":
    """The classifier that the arguments name."""
    from huggin.lime.classifier import load_classifier

    return load_classifier(args.model, args.weights, args.labels, args.pixels, args.seed)


def scene_of(args: Namespace, classifier: "Classifier", picture: np.ndarray) -> Scene:
    """The picture as the arguments want it cut and hidden."""
    name = Path(args.image).name
    return make_scene(name, classifier, picture, args.segmenter, args.segments, args.fill)


def request_of(args: Namespace, scene: Scene) -> Request:
    """How the explanation is to be made."""
    samples = args.samples or usual_samples(args.sampler, scene.count)
    return Request(args.sampler, samples, args.seed, args.target, args.top, args.segmenter, args.fill)


def as_filename(name: str) -> str:
    """A class's name as one of a folder."""
    return re.sub(r"\W+", "-", name).strip("-")[:60] or "class"


def save(figures: "Mapping[str, Figure]", folder: Path, show: bool) -> None:
    """Save each figure as FOLDER/NAME.png, print the paths, and show them where asked."""
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        with replacing(path) as beside:
            figure.savefig(beside, format="png", dpi=DPI)
        print(path)
    if show:
        show_figures(list(figures.values()))


def show_figures(figures: "Sequence[Figure]") -> None:
    """Open a window for each figure, and wait until they are closed."""
    import matplotlib.pyplot as plt

    for figure in figures:
        plt.figure(figure)
    plt.show()
