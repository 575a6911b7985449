"""How exact are masks of `hadamard` beside `binomial`, and do the 95 % intervals hold?

    python bench/samplers.py --quick
    python bench/samplers.py --model FILE.keras --pixels signed --picture PHOTO.jpg --segments 12

A picture is explained many times, with other masks each time, and compared with the truth: what all
masks say for up to 14 segments, otherwise what --reference binomial masks say. A row is the mean
squared error of the coefficients relative to binomial's, or the share of the coefficients whose
interval (1.96 standard errors) holds the true one. Without --model it is the sample's classifier.
"""

import sys
import tempfile
from argparse import Namespace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import last_line, parser_of, row, spread  # noqa: E402
from huggin.lime.choices import SEGMENTERS  # noqa: E402
from huggin.lime.classifiers.keras_models import load_classifier  # noqa: E402
from huggin.lime.masks import Masks, distance_weights, random_perturbations  # noqa: E402
from huggin.lime.pictures.reading import Picture, read_picture  # noqa: E402
from huggin.lime.pictures.scene import Scene, make_scene  # noqa: E402
from huggin.lime.predictor import Predictor  # noqa: E402
from huggin.lime.surrogate import (  # noqa: E402
    CHANCE,
    Surrogate,
    linear_regression_coefficients,
)

SHAPES = ROOT / "sample" / "shapes"
SAMPLERS = ("hadamard", "binomial")
COUNTABLE = 14  # segments whose masks are all asked about
REFERENCE_SEED = 10**6


class Explainer:
    """Explains one scene by any masks; each mask is asked about once."""

    def __init__(self, scene: Scene, file: Path) -> None:
        self.scene = scene
        self.target = scene.first_answer()
        self._predictor = Predictor(scene, [self.target], file)

    def explain(self, masks: Masks) -> Surrogate:
        """The surrogate of the first answer's probability."""
        scores = self._predictor.scores(masks.on, self.target, "probability")
        return linear_regression_coefficients(masks, scores, distance_weights(masks))

    def truth(self, reference: int) -> np.ndarray:
        """The coefficients by all masks, or by many: (segments,)."""
        count = self.scene.count
        if count > COUNTABLE:
            many = random_perturbations("binomial", count, reference, REFERENCE_SEED)
            return self.explain(many).coefficients
        numbers = np.arange(2**count)[:, None]
        every = Masks((numbers >> np.arange(count) & 1) > 0, np.arange(len(numbers)), True)
        return self.explain(every).coefficients


def measured(
    explainer: Explainer, sampler: str, masks: int, truth: np.ndarray, repeats: int
) -> tuple[float, float]:
    """The mean squared error of the coefficients, and the share of the intervals that hold."""
    errors = []
    held = []
    for seed in range(repeats):
        drawn = random_perturbations(sampler, len(truth), masks, seed)
        found = explainer.explain(drawn)
        error = found.coefficients - truth
        errors.append(error**2)
        held.append(np.abs(error) <= CHANCE * found.standard_errors)
    return float(np.mean(errors)), float(np.mean(held))


def scene_of(args: Namespace) -> Scene:
    """The picture and its segments."""
    classifier = load_classifier(str(args.model), pixels=args.pixels)
    picture = read_picture(str(args.picture))
    name = f"{args.model.stem}, {args.picture.stem}"
    return make_scene(Picture(name, picture), classifier, args.segmenter, args.segments, "grey")


def main() -> None:
    """Print two rows for each number of masks."""
    parser = parser_of(__doc__)
    add = parser.add_argument
    add("--model", type=Path, default=Path(f"{SHAPES}.keras"), help="a classifier's file")
    add("--pixels", default="signed", help="what the model takes (default: signed)")
    add("--picture", type=Path, default=Path(f"{SHAPES}.png"), help="a photo for it")
    add("--segmenter", choices=SEGMENTERS, default="slic", help="(default: slic)")
    add("--segments", type=int, default=36, help="about how many slic makes (default: 36)")
    add("--masks", type=int, nargs="+", default=[256, 1000], help="(default: 256 1000)")
    add("--repeats", type=int, help="(default: 500 with all masks, else 20; 5 with --quick)")
    add("--reference", type=int, help="masks of the truth (default: 24000; 4000 with --quick)")
    args = parser.parse_args()
    scene = scene_of(args)
    label = f"{scene.name}, {scene.count} segments"
    repeats = args.repeats or (5 if args.quick else 500 if scene.count <= COUNTABLE else 20)
    with tempfile.TemporaryDirectory() as name:
        explainer = Explainer(scene, Path(name) / "predictions.npz")
        truth = explainer.truth(args.reference or (4000 if args.quick else 24_000))
        gains = [compare(label, explainer, masks, truth, repeats) for masks in args.masks]
    last_line("samplers", spread(gains))


def compare(label: str, explainer: Explainer, masks: int, truth: np.ndarray, repeats: int) -> float:
    """Print the rows of one number of masks; hadamard's mean squared error by binomial's."""
    ours, theirs = (measured(explainer, one, masks, truth, repeats) for one in SAMPLERS)
    what = f"{label}, {masks} masks, {repeats} times"
    row(f"{what}: squared error of hadamard by binomial", ours[0] / theirs[0], most=1)
    for sampler, (_, held) in zip(SAMPLERS, (ours, theirs)):
        row(f"{what}: 95 % intervals of {sampler} that hold", held, least=0.93)
    return ours[0] / theirs[0]


if __name__ == "__main__":
    main()
