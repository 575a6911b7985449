"""LIME over words: ours beside the lime package. Time, accuracy, agreement from seed to seed.

    python bench/lime_words.py RUN INDEX
    python bench/lime_words.py RUN INDEX --masks 513 --reference 20000 --seeds 5

Both explain the same answer of the same model by the same words, hidden by [MASK], with as many
masks. The lime package draws another kind of masks, so its coefficients have another truth: each is
compared with its own explanation by --reference masks. Errors are divided by the spread of that
truth over the words. Time is that of the processor, because other programs may run beside it.
"""

import json
import sys
import tempfile
from argparse import Namespace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

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
    spread,
)
from huggin.lime.words.scene import TextModel, make_text_scene  # noqa: E402
from huggin.lime.words.text import cut, place_of_token, tokens_of_words  # noqa: E402
from huggin.model.loading import load_trained, match_tokenizer  # noqa: E402
from huggin.qa.config import arguments_of  # noqa: E402
from huggin.qa.features import track_sample  # noqa: E402
from huggin.qa.questions import default_split, load_questions  # noqa: E402
from huggin.recording.reader import Recording  # noqa: E402

WAYS = ("ours", "lime package")
TOP = 5


def case_of(run: Path, index: int) -> dict[str, Any]:
    """The expected answer of a question of a run, and its words: what both processes need."""
    _, data = arguments_of(Recording(run).facts.cfg)
    record = load_questions(data, default_split(data))[index]
    tokenizer, model, _ = load_trained(run)
    match_tokenizer(tokenizer, model, data.max_seq_length)
    window = track_sample(record, 0, tokenizer, data)
    span = (window.gold_start, window.gold_end)
    kept = tokens_of_words(window, [span])
    text_model = TextModel("", model, tokenizer, data, "")
    words = cut(window, "words")
    scene = make_text_scene("", window, words, kept, "words", "mask", text_model)
    places = [place_of_token(window, token) for token in span]
    counts = np.bincount(scene.segment_of[scene.segment_of >= 0]).tolist()
    return {
        "record": record,
        "span": span,
        "characters": (places[0].first, places[1].last),
        "words": [
            (place.part, place.first, place.last, tokens)
            for place, tokens in zip(scene.segments, counts, strict=True)
        ],
        "max_seq_length": data.max_seq_length,
        "doc_stride": data.doc_stride,
    }


def measure(args: Namespace, processes: dict[str, Asked], words: int) -> None:
    """Print time, error and agreement of both."""
    found: dict[str, list[np.ndarray]] = {way: [] for way in processes}

    def seconds(way: str) -> float:
        answer = processes[way].ask(masks=args.masks, seed=len(found[way]) + 1)
        found[way].append(np.array(answer["found"]))
        return answer["cpu"]

    for way in processes:
        processes[way].ask(masks=32, seed=0)  # each warms up
    ways = {way: partial(seconds, way) for way in processes}
    measured = alternate(ways, args.seeds, seconds=10**6)
    label = f"{words} words, {args.masks} masks"
    for way, times in measured.items():
        row(f"{label}: {way}, processor time", spread(times), "s")
    time = ratios(measured, *WAYS)
    row(f"{label}: ours by lime package, time", time, most=1.0)
    errors = {}
    for way, several in found.items():
        truth = np.array(processes[way].ask(masks=args.reference, seed=10_000)["found"])
        off = [np.sqrt(np.mean((one - truth) ** 2)) / truth.std() for one in several]
        errors[way] = off
        row(f"{label}: {way}, error by the spread of {args.reference:,} masks", spread(off))
    row(f"{label}: ours by lime package, error", ratios(errors, *WAYS), most=1.0)
    for way, several in found.items():
        row(f"{label}: {way}, from seed to seed", agreement(several))
    last_line("lime_words", time)


def agreement(several: list[np.ndarray]) -> str:
    """Rank correlation and shared top words, means over pairs of seeds."""
    pairs = list(combinations(several, 2))
    rho = np.mean([spearmanr(*pair).statistic for pair in pairs])
    top = np.mean([len(highest(one) & highest(other)) / TOP for one, other in pairs])
    return f"rank correlation {rho:.3f}, top-{TOP} shared {top:.2f}"


def highest(values: np.ndarray) -> set[int]:
    """The TOP words with the largest coefficients."""
    return set(np.argsort(-values)[:TOP].tolist())


def main() -> None:
    """Print a row for each way and measure."""
    parser = parser_of(__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
    parser.add_argument("index", type=int, metavar="INDEX", help="of a question of its data")
    parser.add_argument("--masks", type=int, default=513, help="of an explanation (default: 513)")
    reference = "masks that count as the truth (default: 20000; 4000 with --quick)"
    parser.add_argument("--reference", type=int, help=reference)
    parser.add_argument("--seeds", type=int, default=5, help="explanations each (default: 5)")
    args = parser.parse_args()
    args.reference = args.reference or (4000 if args.quick else 20_000)
    python = {"ours": sys.executable, "lime package": rivals_python()}
    with tempfile.TemporaryDirectory() as name:
        case = Path(name) / "case.json"
        facts = case_of(args.run, args.index)
        case.write_text(json.dumps(facts))
        model = args.run.resolve()
        with (
            Asked(python["ours"], "texts.py", "ours", case, model) as ours,
            Asked(python["lime package"], "texts.py", "lime package", case, model) as package,
        ):
            measure(args, {"ours": ours, "lime package": package}, len(facts["words"]))


if __name__ == "__main__":
    main()
