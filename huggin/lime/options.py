"""What lime.py and inDeCeptionV3.py share: their arguments, what these load, where their results go."""

import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import unquote, urlsplit

from huggin.common.cli import CommandParser
from huggin.common.errors import UserError
from huggin.common.text import printable, storable
from huggin.database.connection import open_database
from huggin.database.option import add_database_option, database_path
from huggin.graphs.arguments import add_show_option
from huggin.lime.classifier import load_classifier
from huggin.lime.explanation import Request
from huggin.lime.labels import Target
from huggin.lime.masks import SAMPLERS
from huggin.lime.pictures import is_address, read_picture
from huggin.lime.scene import FILLS, SEGMENTERS, Scene, make_scene

SAMPLE = Path(__file__).resolve().parents[2] / "sample" / "shapes"
MOST = 2**32 - 1  # the largest seed
FIGURES = ("lime", "segment_coeffs", "top_segments", "numbered_segments", "prob_topclassification")


def lime_parser(description: str, example: str) -> CommandParser:
    """The arguments of both commands."""
    parser = CommandParser(description, example)
    add = parser.add_argument
    add(
        "image",
        nargs="?",
        metavar="IMAGE",
        help="a path or an http(s) address (a cat that comes with scikit-image)",
    )
    add(
        "--demo",
        action="store_true",
        help="a small classifier and a picture that come with the toolkit; no network",
    )
    add("--model", help="a name of keras.applications, or a .keras file (InceptionV3)")
    add(
        "--weights",
        metavar="FILE",
        help="weights of a named model, or: random (ImageNet's, downloaded by Keras)",
    )
    add("--labels", type=Path, metavar="FILE", help="names of the classes, one a line")
    add(
        "--pixels",
        choices=("signed", "unit", "byte"),
        help="what a .keras file takes: -1 to 1, 0 to 1, 0 to 255",
    )
    add("--segmenter", choices=SEGMENTERS, help="how the picture is cut (quickshift)")
    add(
        "--segments",
        type=at_least(1),
        default=36,
        metavar="N",
        help="about how many, for slic and grid (36)",
    )
    add("--fill", choices=FILLS, default="grey", help="what hides a segment (grey)")
    add(
        "--target",
        choices=("probability", "logit"),
        default="probability",
        help="what is explained (probability)",
    )
    add(
        "--sampler", choices=SAMPLERS, default="binomial", help="how the masks are drawn (binomial)"
    )
    add(
        "--samples",
        type=at_least(1),
        metavar="N",
        help="masks (1000; leave-one-out: one a segment)",
    )
    add("--seed", type=at_least(0), default=0, help="of the masks (0)")
    add(
        "--top",
        type=at_least(1),
        default=4,
        metavar="K",
        help="how many segments count as the top ones (4)",
    )
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for the results (explanations/NAME OF THE PICTURE)",
    )
    add("--json", type=Path, metavar="FILE", help="write every number, too")
    add_show_option(parser)
    add_database_option(parser)
    return parser


def at_least(least: int) -> Callable[[str], int]:
    """A type of argument: a number from `least` to MOST."""

    def number(text: str) -> int:
        if not least <= int(text) <= MOST:
            raise ArgumentTypeError(f"{text}: give a number from {least} to {MOST}")
        return int(text)

    return number


def checked(args: Namespace) -> Namespace:
    """The arguments with what --demo and an absent IMAGE stand for. Raises UserError for what makes no sense."""
    if args.sampler == "leave-one-out" and args.samples:
        raise UserError("--sampler leave-one-out: asks once a segment; leave out --samples")
    own = [name for name in ("model", "weights", "labels", "pixels") if getattr(args, name)]
    if args.demo and own:
        raise UserError(f"--demo: has a classifier of its own; leave out --demo or --{own[0]}")
    if args.demo:
        args.model, args.labels = f"{SAMPLE}.keras", SAMPLE.with_suffix(".txt")
    args.model = args.model or "InceptionV3"
    args.image = args.image or (f"{SAMPLE}.png" if args.demo else _cat())
    args.segmenter = args.segmenter or ("slic" if args.demo else "quickshift")
    args.out = args.out or Path("explanations") / (Path(name_of(args.image)).stem or "picture")
    return args


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


def load(args: Namespace) -> tuple[Scene, Request]:
    """The picture as the arguments want it cut and hidden, before its classifier, and how it is to be explained.

    Raises UserError for fewer masks than an explanation takes, and where one of these cannot be had.
    """
    picture = read_picture(args.image)
    classifier = load_classifier(args.model, args.weights, args.labels, args.pixels, args.seed)
    scene = make_scene(
        name_of(args.image), classifier, picture, args.segmenter, args.segments, args.fill
    )
    samples = args.samples or (scene.count + 1 if args.sampler == "leave-one-out" else 1000)
    if samples <= scene.count:
        what = f"--samples {samples}: too few for {scene.count} segments"
        raise UserError(
            f"{what}; give at least {2 * scene.count}, or fewer segments by --segments or --segmenter"
        )
    return scene, Request(
        args.sampler, samples, args.seed, args.target, args.top, args.segmenter, args.fill
    )


def refuse_unwritable(args: Namespace) -> None:
    """Raise UserError or OSError where the results cannot go, before the work and not after it."""
    if args.json and args.json.is_dir():
        raise UserError(f"--json {args.json}: a folder; name a file")
    for folder in (args.json.parent if args.json else args.out, args.out):
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder):
            pass
    open_database(database_path(args.db)).close()


def folder_of(target: Target) -> str:
    """A folder's name for a target, by the numbers of its classes, so that no two share it."""
    numbers = str(target.plus) if target.minus is None else f"{target.plus}-{target.minus}"
    words = re.sub(r"\W+", "-", target.name)[:60]
    return f"{numbers}-{words}".strip("-")


def remove_figures(folders: Iterable[Path]) -> None:
    """Remove what an explanation has drawn; the folders too, where nothing else is in them."""
    for folder in folders:
        paths = [folder / f"{name}.png" for name in FIGURES]
        if all(path.is_file() for path in paths):  # else it is not ours
            for path in (*paths, folder / "faithfulness.png"):
                path.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
