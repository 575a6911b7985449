"""What lime.py and inDeCeptionV3.py share: their arguments, what these load, where their results go."""

import re
import warnings
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import numpy as np

from huggin.database import add_database_option, database_path, open_database, storable
from huggin.door import DoorParser, UserError, printable
from huggin.files import replacing
from huggin.lime.explanation import Request
from huggin.lime.labels import Target
from huggin.lime.masks import SAMPLERS, usual_samples
from huggin.lime.pictures import is_address
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
    add("--model", help="a name of keras.applications, or a .keras file (InceptionV3)")
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
    """The arguments with what --demo and an absent IMAGE stand for. Raises UserError for what makes no sense."""
    for name in ("segments", "top", "samples"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value}: give 1 or more")
    if not 0 <= args.seed < 2**32:
        raise UserError(f"--seed {args.seed}: give a number from 0 to {2**32 - 1}")
    if args.sampler == "leave-one-out" and args.samples:
        raise UserError("--sampler leave-one-out: asks once a segment; leave out --samples")
    if args.demo:
        _use_demo(args)
    args.image, args.segmenter = args.image or _cat(), args.segmenter or "quickshift"
    args.model = args.model or "InceptionV3"
    args.out = args.out or Path("explanations") / (Path(name_of(args.image)).stem or "picture")
    return args


def _use_demo(args: Namespace) -> None:
    for name in ("model", "weights", "labels", "pixels"):
        if getattr(args, name):
            raise UserError(f"--demo: has a classifier of its own; leave out --demo or --{name}")
    args.model, args.labels = f"{SAMPLE}.keras", SAMPLE.with_suffix(".txt")
    args.image, args.segmenter = args.image or f"{SAMPLE}.png", args.segmenter or "slic"


def name_of(image: str) -> str:
    """The name of a picture's file, without what an address has around it: for titles, folders and the database."""
    path = unquote(urlsplit(image).path) if is_address(image) else image
    name = storable(printable(Path(path).name))
    return name if name.strip(".") else "picture"


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
    return make_scene(name_of(args.image), classifier, picture, args.segmenter, args.segments, args.fill)


def request_of(args: Namespace, scene: Scene) -> Request:
    """How the explanation is to be made. Raises UserError for fewer masks than it takes."""
    samples = args.samples or usual_samples(args.sampler, scene.count)
    if samples <= scene.count:
        what = f"--samples {samples}: too few for {scene.count} segments"
        raise UserError(f"{what}; give at least {2 * scene.count}, or fewer segments by --segments or --segmenter")
    return Request(args.sampler, samples, args.seed, args.target, args.top, args.segmenter, args.fill)


def refuse_unwritable(args: Namespace) -> None:
    """Raise UserError or OSError where the results cannot go, before the work and not after it."""
    if args.json and args.json.is_dir():
        raise UserError(f"--json {args.json}: a folder; name a file")
    if args.json:
        _refuse_unwritable_folder(args.json.parent)
    open_database(database_path(args.db)).close()
    _refuse_unwritable_folder(args.out)


def _refuse_unwritable_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder):
        pass


def folder_of(target: Target) -> str:
    """A folder's name for a target, by the numbers of its classes, so that no two share it."""
    numbers = str(target.plus) if target.minus is None else f"{target.plus}-{target.minus}"
    words = re.sub(r"\W+", "-", target.name)[:60]
    return f"{numbers}-{words}".strip("-")


def save(figures: "Mapping[str, Figure]", folder: Path, show: bool) -> None:
    """Save each figure as FOLDER/NAME.png, print the paths, and show them where asked."""
    warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name that no font here can write
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        with replacing(path) as beside:
            figure.savefig(beside, format="png", dpi=DPI)
        print(printable(str(path)))
    if show:
        show_figures(list(figures.values()))


def show_figures(figures: "Sequence[Figure]") -> None:
    """Open a window for each figure, and wait until they are closed."""
    import matplotlib.pyplot as plt

    for figure in figures:
        plt.figure(figure)
    plt.show()
