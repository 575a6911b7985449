"""How much more exact does a proxy make LIME's coefficients, and do the 95 % intervals hold?

    python bench/adjusted.py --quick
    python bench/adjusted.py --model FILE.keras --pictures PHOTO.jpg --segmenter quickshift

Each picture is explained many times from other Hadamard masks, plain and adjusted, and compared
with the truth: what all masks say for 11 and 12 segments; for more segments what the masks of all
repetitions say together, adjusted. The answers are kept in --answers, so that each mask is asked
about once. Without --model it is the sample's classifier; `--model vit` is a small vision
transformer with random weights. The rows make the table of docs/lime.md: `used` is the share of the
repetitions whose coefficients were adjusted, `error` is their mean squared error by that of the
plain ones, and seconds are those of the processor for both.
"""

import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import last_line, parser_of, spread  # noqa: E402
from huggin.lime.adjusted import adjusted  # noqa: E402
from huggin.lime.choices import SEGMENTERS  # noqa: E402
from huggin.lime.masks import Masks, distance_weights, random_perturbations  # noqa: E402
from huggin.lime.pictures.reading import Picture, read_picture  # noqa: E402
from huggin.lime.pictures.scene import make_scene, resized, segmented  # noqa: E402
from huggin.lime.surrogate import (  # noqa: E402
    CHANCE,
    Surrogate,
    is_stable,
    linear_regression_coefficients,
)

SHAPES = ROOT / "sample" / "shapes"
COUNTABLE = 12  # segments whose masks are all asked about
TOP = 4
HEAD = "| classifier, picture, segments | masks | R² | R² of the proxy | used | error | intervals |"

Scores = Callable[[np.ndarray], np.ndarray]  # masks (n, segments) bool -> scores (n,)


def both(masks: Masks, scores: np.ndarray) -> tuple[Surrogate, Surrogate]:
    """The plain and the adjusted surrogate."""
    weights = distance_weights(masks)
    plain = linear_regression_coefficients(masks, scores, weights)
    return plain, adjusted(masks, scores, weights, plain)


def keras_scores(args: Namespace, picture: Path) -> tuple[int, Scores]:
    """How many segments there are, and the score of the first answer."""
    from huggin.lime.classifiers.keras_models import load_classifier
    from huggin.lime.predictor import Predictor

    classifier = load_classifier(args.model, pixels=args.pixels)
    shown = read_picture(str(picture))
    scene = make_scene(Picture("", shown), classifier, args.segmenter, args.segments, "grey")
    target = scene.first_answer()
    file = args.answers / f"{Path(args.model).stem}-{picture.stem}-{scene.count}.npz"
    predictor = Predictor(scene, [target], file)
    return scene.count, lambda on: predictor.scores(on, target, "probability")


def vit_scores(args: Namespace, picture: Path) -> tuple[int, Scores]:
    """The same of a vision transformer of 4 layers, 48 units and 64 patches."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    sizes = {"image_size": 32, "patch_size": 4, "hidden_size": 48, "intermediate_size": 96}
    layers = {"num_hidden_layers": 4, "num_attention_heads": 4, "num_labels": 10}
    model = ViTForImageClassification(ViTConfig(**sizes, **layers, initializer_range=0.2)).eval()
    shown = resized(read_picture(str(picture)), (32, 32))
    segments = segmented(shown, args.segmenter, args.segments)

    def probabilities(on: np.ndarray) -> np.ndarray:
        masked = np.where(on[:, segments][..., None], shown, np.float32(0.5)) * 2 - 1
        pixels = torch.tensor(masked, dtype=torch.float32).permute(0, 3, 1, 2)
        with torch.no_grad():
            return model(pixels).logits.softmax(-1).numpy().astype(float)

    count = int(segments.max()) + 1
    top = int(probabilities(np.ones((1, count), bool)).argmax())
    parts = 64  # masks at a time
    return count, lambda on: np.concatenate(
        [probabilities(on[at : at + parts])[:, top] for at in range(0, len(on), parts)]
    )


def repetitions(count: int, scores: Scores, most: int, repeats: int) -> tuple[np.ndarray, list]:
    """The true coefficients (segments,), and `most` masks and scores of each repetition."""
    if count <= COUNTABLE:
        every = random_perturbations("hadamard", count, 2**count, 0)
        known = scores(every.on)
        drawn = [random_perturbations("hadamard", count, most, seed) for seed in range(repeats)]
        numbers = [2**count - 1 - one.on @ (1 << np.arange(count)) for one in drawn]
        return both(every, known)[0].coefficients, [
            (one, known[number]) for one, number in zip(drawn, numbers)
        ]
    pool = random_perturbations("hadamard", count, 1 + repeats * (most - 1), 0)
    known = scores(pool.on)
    chunks = []
    for first in range(1, len(known), most - 1):
        rows = np.concatenate([[0], np.arange(first, first + most - 1)])
        draw = np.unique(pool.draw[rows], return_inverse=True)[1]
        chunks.append((Masks(pool.on[rows], draw, True, pool.width, balanced=True), known[rows]))
    return both(pool, known)[1].coefficients, chunks


def first_of(masks: Masks, many: int) -> Masks:
    """The first masks of a design."""
    return Masks(masks.on[:many], masks.draw[:many], True, masks.width, balanced=True)


def table(name: str, count: int, scores: Scores, sizes: list[int], repeats: int) -> list[float]:
    """Print a row for each number of masks; adjusted squared errors by plain ones."""
    truth, drawn = repetitions(count, scores, sizes[-1], repeats)
    gains = []
    sure = np.full(len(drawn), sizes[-1])  # masks after which the top segments stand out
    for many in sizes:
        started = time.process_time()
        found = [both(first_of(masks, many), known[:many]) for masks, known in drawn]
        seconds = (time.process_time() - started) / len(found)
        plain, ours = (
            np.array([pair[which].coefficients - truth for pair in found]) for which in (0, 1)
        )
        held = np.abs(ours) <= CHANCE * np.array([one.standard_errors for _, one in found])
        stable = [is_stable(one, TOP) for _, one in found]
        sure = np.where(stable, np.minimum(sure, many), sure)
        gains.append(float((ours**2).mean() / (plain**2).mean()))
        r2 = np.mean([one.held_out_r2 for _, one in found])
        proxy = np.mean([one.proxy_r2 for _, one in found])
        used = np.mean([one.adjusted for _, one in found])
        row = f"| {name}, {count} | {many} | {r2:.2f} | {proxy:.2f} | {100 * used:.0f} % | "
        row += f"{gains[-1]:.2f} of {(plain**2).mean() ** 0.5:.2g}² | {100 * held.mean():.0f} % |"
        print(row, f"{seconds:.2f} s", flush=True)
    print(f"the top {TOP} stand out after {sure.mean():.0f} masks, of at most {sizes[-1]}")
    return gains


def main() -> None:
    """Print the rows of each picture."""
    parser = parser_of(__doc__)
    add = parser.add_argument
    add("--model", default=f"{SHAPES}.keras", help="a classifier's file, or: vit")
    add("--pixels", default="signed", help="what the model takes (default: signed)")
    add("--pictures", type=Path, nargs="+", default=[Path(f"{SHAPES}.png")], help="photos")
    add("--segmenter", choices=SEGMENTERS, default="slic", help="(default: slic)")
    add("--segments", type=int, default=36, help="about how many slic makes (default: 36)")
    add("--masks", type=int, nargs="+", default=[129, 257, 513, 1025], help="at most 1025")
    add("--repeats", type=int, default=10, help="(default: 10; 3 with --quick)")
    add("--answers", type=Path, help="folder for the answers (default: a temporary one)")
    args = parser.parse_args()
    repeats = 3 if args.quick else args.repeats
    with tempfile.TemporaryDirectory() as temporary:
        args.answers = args.answers or Path(temporary)
        print(HEAD)
        gains: list[float] = []
        for picture in args.pictures:
            ask = vit_scores if args.model == "vit" else keras_scores
            name = f"{Path(args.model).stem}, {picture.stem}"
            gains += table(name, *ask(args, picture), args.masks, repeats)
    last_line("adjusted", spread(gains))


if __name__ == "__main__":
    main()
