"""The arguments that lime.py, inDeCeptionV3.py and lime-answer share, and their defaults."""

from argparse import ArgumentTypeError, Namespace
from importlib.resources import files
from pathlib import Path

from huggin.common.cli import CommandParser, at_least
from huggin.common.errors import UserError
from huggin.common.files import TOOLKIT
from huggin.database.connection import add_database_option
from huggin.graphs.arguments import add_options
from huggin.lime import choices
from huggin.lime.results import name_of

SAMPLE = TOOLKIT / "sample" / "shapes"
LARGEST_SEED = 2**32 - 1
LARGEST = 4096  # pixels of an input's side
STABILITY = "explain R times with fresh masks: how far do they agree?"
OF_MODELS = ("model", "weights", "labels", "pixels", "ending", "output", "size", "engine")


def lime_parser(description: str, example: str) -> CommandParser:
    """The arguments of both commands about pictures."""
    parser = CommandParser(description, example)
    picture = "a path or an http(s) address (default: a cat that comes with scikit-image)"
    parser.add_argument("picture", nargs="?", metavar="IMAGE", help=picture)
    _add_model(parser)
    _add_scene(parser)
    many = "513 for up to 84 segments, more for more; "
    add_masks(parser, f"{many}leave-one-out: one per segment; other samplers: 1000", top=4)
    add_score(parser, "probability", "; the value of a model that returns values")
    add_output(parser, "explanations/NAME OF THE PICTURE")
    return parser


def _add_model(parser: CommandParser) -> None:
    add = parser.option
    add("--demo", "explain a small classifier and a picture that come with the toolkit; no network")
    files = "a .keras or .h5 file, a SavedModel folder, a .tflite file"
    hub = "an image classifier of transformers (a folder, or owner/name on the Hub)"
    add("--model MODEL", f"a name of keras.applications, {files}, or {hub} (default: InceptionV3)")
    weights = "weights of a named model, or: random (default: ImageNet's, downloaded by Keras)"
    add("--weights FILE", weights)
    names = "names of the classes: one a line, numbers and names, or JSON"
    add("--labels FILE", names, type=Path)
    kinds = "-1 to 1, 0 to 1, 0 to 255, or 0 to 255 or 0 to 1 less ImageNet's mean"
    default = "(default: read from the model's first operations)"
    pixels = f"what the model of a file takes: {kinds} {default}"
    add("--pixels", pixels, choices=choices.PIXELS)
    ending = "what its outputs are (default: read from the model's last activation)"
    add("--ending", ending, choices=choices.ENDINGS)
    at_random = "if the model answers at random (Dropout as in training)"
    add("--allow-random", f"{at_random}, explain the mean of 16 answers, each picture by itself")
    add("--output NAME", "one output, by name or number, if it has several")
    add("--size HxW", "size of its input, if it takes any (default: 224x224)", type=size)
    pays = "it is installed, the model has a million weights or more, and TensorFlow has no GPU"
    engine = f"what computes the model (default: OpenVINO if {pays})"
    add("--engine", engine, choices=choices.ENGINES)


def _add_scene(parser: CommandParser) -> None:
    add = parser.option
    segmenter = "how the picture is cut into segments (default: quickshift; with --demo: slic)"
    add("--segmenter", segmenter, choices=choices.SEGMENTERS)
    add("--segments N", "about how many segments slic and grid make", 36, at_least=1)
    fit = "what happens to a picture of another shape than the model's input"
    add("--fit", fit, "squash", choices=choices.FITS)
    named = "for models of keras.applications: nearest, as keras.utils.load_img does"
    resizing = f"how the picture is resized (default: smooth; {named})"
    add("--filter", resizing, dest="resampling", choices=choices.FILTERS)
    add("--fill", "what hides a segment", "grey", choices=choices.FILLS)


def add_masks(parser: CommandParser, samples: str, top: int) -> None:
    """The arguments about masks and the regression. samples: the default number, in words."""
    add = parser.option
    drawn = "how the masks are drawn"
    add("--sampler", drawn, "hadamard", type=sampler, choices=choices.SAMPLERS)
    add("--samples N", f"number of masks (default: {samples})", at_least=1)
    proxy = "adjusted by a proxy that has learned the answers, if that makes their standard errors"
    plain = f"leave the coefficients as the regression finds them (default: {proxy} smaller)"
    add("--no-adjust", plain, dest="adjust", action="store_false")
    add("--seed SEED", "seed of the masks", 0, type=seed)
    kernel = "width of the kernel that weighs the masks by distance"
    add("--kernel-width W", kernel, choices.WIDTH, type=width)
    add("--top K", "how many segments count as the top ones", top, at_least=1)


def add_score(parser: CommandParser, default: str, otherwise: str = "") -> None:
    """The argument --score, which was called --target first."""
    parser.add_argument(
        "--score",
        "--target",
        choices=choices.SCALES,
        default=default,
        help="the score that is explained: the probability or its log-odds "
        f"(default: {default}{otherwise})",
    )


def add_output(parser: CommandParser, folder: str) -> None:
    """Where results go. folder: the default one, in words."""
    add = parser.option
    add("--out DIR", f"folder for the results (default: {folder})", type=Path)
    add("--json FILE", "also write every number to FILE", type=Path)
    text = "also print the four steps with their shapes, the tables, and the paths of all figures"
    add("--verbose", text)
    add_options(parser, "--show")
    add_database_option(parser)


def seed(text: str) -> int:
    """A type of argument: a number that NumPy and Keras take."""
    if at_least(0)(text) > LARGEST_SEED:
        raise ArgumentTypeError(f"{text}: give a number from 0 to {LARGEST_SEED}")
    return int(text)


def sampler(text: str) -> str:
    """A type of argument: a name; one of an older version is refused with what to take instead."""
    if text in ("paired", "kernel"):
        raise ArgumentTypeError(f"{text}: no longer there; take hadamard, which is more exact")
    return text


def size(text: str) -> tuple[int, int]:
    """A type of argument: `224` or `192x256`, height first."""
    sides = [int(side) for side in text.lower().split("x")]
    if len(sides) > 2 or not all(0 < side <= LARGEST for side in sides):
        raise ArgumentTypeError(f"{text}: give one number or HEIGHTxWIDTH, at most {LARGEST}")
    return sides[0], sides[-1]


def width(text: str) -> float:
    """A type of argument: a positive number."""
    if not 0.01 <= float(text) <= 100:
        raise ArgumentTypeError(f"{text}: give a number from 0.01 to 100")
    return float(text)


def refuse_unfit(args: Namespace) -> None:
    """Raise UserError for options of masks that contradict each other."""
    unfit = [name for name in ("samples", "stability", "until_stable") if getattr(args, name, None)]
    if args.sampler == "leave-one-out" and unfit:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in unfit)
        what = f"its masks are deterministic, one per segment; leave out {options}"
        raise UserError(f"--sampler leave-one-out: {what}")


def checked(args: Namespace) -> Namespace:
    """Fill in the defaults that --demo and a missing IMAGE imply; the names are a verb's arguments.

    Raises UserError for options that contradict each other.
    """
    refuse_unfit(args)
    flags = [name for name in OF_MODELS if getattr(args, name) and name != "engine"]
    if args.demo and flags:
        raise UserError(f"--demo: has a classifier of its own; leave out --demo or --{flags[0]}")
    if args.demo:
        args.model = f"{SAMPLE}.keras"
        args.labels = SAMPLE.with_suffix(".txt")
        args.pixels = "signed"
    args.model = args.model or "InceptionV3"
    cat = files("skimage") / "data" / "chelsea.png"
    args.picture = args.picture or (f"{SAMPLE}.png" if args.demo else str(cat))
    args.segmenter = args.segmenter or ("slic" if args.demo else "quickshift")
    args.out = args.out or Path("explanations") / (Path(name_of(args.picture)).stem or "picture")
    for name in ("model", "weights", "labels"):
        file = str(getattr(args, name) or "")
        is_path = any(mark in file for mark in "./\\") and not choices.is_of_transformers(file)
        if is_path and not Path(file).exists():
            raise UserError(f"--{name} {file}: no such file; name one that is there")
    args.classifier = {name: vars(args).pop(name) for name in OF_MODELS}
    del args.demo
    return args
