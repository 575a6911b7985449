"""Time, memory and accuracy of LIME: ours, the bare model, the lime package, captum.

    python bench/lime.py --quick
    python bench/lime.py --model FILE.keras --picture PHOTO.jpg --masks 1000

Each way runs in a process of its own, and they take turns. Ours and the packages are timed with
their regression, the bare model on pictures that are in memory already. Without --model, the
sample's classifier is measured, and (without --quick) InceptionV3 with random weights. Accuracy is
measured with the first of these; the truth is what 48,000 binomial masks say. From both comes the
time to a root-mean-square error of .005: the masks that it takes, times the time of a mask.
"""

import sys
import tempfile
from argparse import Namespace
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import (  # noqa: E402
    Asked,
    alternate,
    last_line,
    parser_of,
    ratios,
    rivals_python,
    row,
    short,
    spread,
)
from huggin.lime.classifiers.keras_models import load_classifier  # noqa: E402
from huggin.lime.classifiers.keras_quietly import keras  # noqa: E402
from huggin.lime.pictures.reading import Picture, read_picture  # noqa: E402
from huggin.lime.pictures.scene import Scene, make_scene  # noqa: E402

SHAPES = ROOT / "sample" / "shapes"
PACKAGES = ("lime package", "captum")
WAYS = ("ours", "predict", "compiled", "one by one", *PACKAGES)
SIZES = (129, 257, 513, 1025)  # the full picture and whole blocks
REFERENCE = 48_000
TOP = 4
ERROR = 0.005  # of the coefficients, which are shares of a probability
USUAL = {  # of ours by a way, at most
    "predict": 0.75,
    "compiled": 1.10,
    "one by one": 0.5,
    "lime package": 0.5,
    "captum": 0.5,
}
TARGETS = {  # of models of this name
    "mobilenet_v2": {"predict": 0.35, "lime package": 0.30},
    "inception": {"predict": 0.55, "lime package": 0.52},
}
Times = dict[str, list[float]]  # of each way: milliseconds a picture, by round
Errors = dict[str, dict[int, float]]  # of each way: root-mean-square error by number of masks


def write_case(scene: Scene, file: Path) -> None:
    """What every process needs of a scene."""
    classifier = scene.classifier
    pixels, fill = classifier.pixels(scene.picture), classifier.pixels(scene.fill)
    case = {"picture": scene.picture, "fill": scene.fill, "pixels": pixels, "fill_pixels": fill}
    case |= {
        "segments": scene.segments,
        "hide": fill[0, 0, 0],
        "target": classifier.predict(scene.picture).argmax(),
    }
    np.savez(file, **case, signed=bool(pixels.min() < 0))


def asked(way: str, case: Path, model: Path) -> Asked:
    """A way in its own process and environment."""
    python = rivals_python() if way in PACKAGES else sys.executable
    return Asked(python, "pictures.py", way, case.resolve(), model.resolve())


def speed(label: str, case: Path, model: Path, masks: int, rounds: int, seconds: float) -> Times:
    """Milliseconds per picture of every way, and its peak memory; slow ways get fewer masks."""
    peaks: dict[str, int] = {}
    with ExitStack() as stack:
        open_ways = {way: stack.enter_context(asked(way, case, model)) for way in WAYS}
        share = {"one by one": 8, "captum": 8}
        seeds = iter(range(1, 10**6))

        def milliseconds(way: str) -> float:
            count = max(32, masks // share.get(way, 1))
            answer = open_ways[way].ask(masks=count, seed=next(seeds))
            peaks[way] = answer["peak"]
            return 1000 * answer["seconds"] / count

        for way in WAYS:
            open_ways[way].ask(masks=40, seed=0)  # each compiles and warms up
        measured = alternate({way: partial(milliseconds, way) for way in WAYS}, rounds, seconds)
    for way, times in measured.items():
        row(
            f"{label}: {way}, most memory {short(peaks[way] / 1e6)} MB",
            spread(times),
            "ms a picture",
        )
    for way, most in targets_of(label).items():
        row(f"{label}: ours by {way}", ratios(measured, "ours", way), most=most)
    return measured


def targets_of(label: str) -> dict[str, float]:
    """The most that ours may take of each way's time."""
    special = [targets for name, targets in TARGETS.items() if name in label.lower()]
    return USUAL | (special[0] if special else {})


def memory(label: str, case: Path, model: Path, counts: tuple[int, int]) -> None:
    """The most memory of ours and of bare predict for few masks and for many."""
    for way, most in (("ours", 1.1), ("predict", None)):
        peaks = []
        for count in counts:
            with asked(way, case, model) as process:
                peaks.append(process.ask(masks=count, seed=1)["peak"])
        few, many = (f"{count:,}" for count in counts)
        what = f"{label}: {way}, most memory at {many} masks by {few}"
        row(
            f"{what} ({short(peaks[0] / 1e6)} and {short(peaks[1] / 1e6)} MB)",
            peaks[1] / peaks[0],
            most=most,
        )


def accuracy(label: str, case: Path, model: Path, reference: int, seeds: int) -> Errors:
    """How far each sampler's coefficients are from the truth: binomial's of many masks.

    Returns the errors of ours with the default sampler, and of the lime package.
    """
    errors: Errors = {"ours": {}, "lime package": {}}
    with asked("ours", case, model) as ours, asked("lime package", case, model) as theirs:
        truth = found(ours, masks=reference, seed=10_000, sampler="binomial")
        for name in ("hadamard", "binomial"):
            for size in SIZES:
                several = [
                    found(ours, masks=size, sampler=name, seed=seed) for seed in range(seeds)
                ]
                row(f"{label}: {name}, {size} masks, from {reference:,}", words_of(several, truth))
                if name == "hadamard":
                    errors["ours"][size] = error_of(several, truth)
        once = [found(ours, masks=len(truth) + 1, sampler="leave-one-out", seed=0)]
        row(f"{label}: leave-one-out, {len(truth) + 1} masks", words_of(once, truth))
        for size in SIZES:
            several = [found(theirs, masks=size, seed=seed) for seed in range(seeds)]
            row(f"{label}: lime package, {size} masks", words_of(several, truth))
            errors["lime package"][size] = error_of(several, truth)
    return errors


def time_to_error(label: str, errors: Errors, measured: Times) -> None:
    """How long it takes until the coefficients are off by ERROR."""
    seconds = {}
    for way, by_masks in errors.items():
        masks = masks_for(by_masks)
        seconds[way] = [masks * milliseconds / 1000 for milliseconds in measured[way]]
        what = f"{label}: {way}, time to an error of {ERROR} ({masks:,.0f} masks)"
        row(what, spread(seconds[way]), "s")
    what = f"{label}: ours by lime package, time to an error of {ERROR}"
    row(what, ratios(seconds, "ours", "lime package"), most=0.25)


def masks_for(by_masks: dict[int, float]) -> float:
    """How many masks have an error of ERROR: on a line through the logarithms of both.

    No fewer than were measured.
    """
    masks = np.log(list(by_masks))
    slope, start = np.polyfit(masks, np.log(list(by_masks.values())), 1)
    return max(min(by_masks), float(np.exp((np.log(ERROR) - start) / slope)))


def found(process: Asked, **request: Any) -> np.ndarray:
    """The coefficients that a process finds."""
    return np.array(process.ask(**request)["found"])


def error_of(several: list[np.ndarray], truth: np.ndarray) -> float:
    """The root-mean-square error of coefficients."""
    return float(np.sqrt(np.mean([(one - truth) ** 2 for one in several])))


def words_of(several: list[np.ndarray], truth: np.ndarray) -> str:
    """Root-mean-square error, and the share of the top segments that are the true ones."""
    error = error_of(several, truth)
    top = set(np.argsort(-truth)[:TOP].tolist())
    agreement = np.mean([len(top & set(np.argsort(-one)[:TOP].tolist())) / TOP for one in several])
    return f"RMSE {error:.4f}, top-{TOP} agreement {agreement:.2f}"


def cases(args: Namespace, folder: Path) -> list[tuple[str, Path, Path, int]]:
    """Label, case, model and masks of what is to be measured."""
    picture = SHAPES.with_suffix(".png")
    if args.model:
        chosen = [(args.model.stem, args.model, args.picture, "quickshift", args.masks)]
    else:
        chosen = [("the sample", Path(f"{SHAPES}.keras"), picture, "slic", args.masks)]
        if not args.quick:
            inception = folder / "inception.keras"
            keras.applications.InceptionV3(weights=None).save(inception)
            chosen += [("InceptionV3", inception, picture, "slic", args.masks // 4)]
    made = []
    for label, model, photo, segmenter, masks in chosen:
        classifier = load_classifier(str(model), pixels=args.pixels)
        shown = Picture(label, read_picture(str(photo)))
        scene = make_scene(shown, classifier, segmenter, 36, "grey")
        write_case(scene, folder / f"{label}.npz")
        made.append((f"{label}, {scene.count} segments", folder / f"{label}.npz", model, masks))
    return made


def main() -> None:
    """Print a row for each way, size and sampler."""
    parser = parser_of(__doc__)
    parser.add_argument("--model", type=Path, help="a classifier that Keras has saved")
    parser.add_argument(
        "--picture", type=Path, default=SHAPES.with_suffix(".png"), help="a photo for it"
    )
    parser.add_argument("--masks", type=int, help="a round (1000; 128 with --quick)")
    parser.add_argument(
        "--reference",
        type=int,
        help=f"masks that count as the truth ({REFERENCE}; 4000 with --quick; 0: no accuracy)",
    )
    parser.add_argument("--pixels", default="signed", help="what the model takes (default: signed)")
    args = parser.parse_args()
    args.masks = args.masks or (128 if args.quick else 1000)
    reference = (4000 if args.quick else REFERENCE) if args.reference is None else args.reference
    rounds, counts, seeds = (2, (100, 1000), 3) if args.quick else (5, (100, 10_000), 5)
    with tempfile.TemporaryDirectory() as name:
        made = cases(args, Path(name))
        results = [speed(*case, rounds, 20 if args.quick else 120) for case in made]
        label, case, model, _ = made[0]
        memory(label, case, model, counts if not args.model else (100, 1000))
        if reference:
            errors = accuracy(label, case, model, reference, seeds)
            time_to_error(label, errors, results[0])
    last_line("lime", ratios(results[-1], "ours", "predict"))


if __name__ == "__main__":
    main()
