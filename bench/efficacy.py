"""Questions per second, one at a time against batches; the answers are compared.

python bench/efficacy.py cfg.json --samples 200      (after a training run with that cfg, where you stand)
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from checkpointing import newest_model  # noqa: E402
from huggin.config import read_config  # noqa: E402
from huggin.efficacy import ask, draw_questions  # noqa: E402
from huggin.examination import AHEAD, Examination  # noqa: E402
from huggin.run_folder import RunFolder  # noqa: E402

ROUNDS = 3
SIZES = (1, 4, 16, 64)


def seconds(examination: Examination, indices: list[int], batch_size: int) -> tuple[float, list[str]]:
    """How long the questions take, and their answers."""
    begun = time.perf_counter()
    config, ahead = examination.config, 1 if batch_size == 1 else AHEAD
    asked = ask(examination.model, examination.tokenizer, examination.records, indices, config.data, batch_size, ahead)
    answers = [one.answer.text for one in asked]
    return time.perf_counter() - begun, answers


def main() -> None:
    """Print a line per batch size: questions a second, ratio to one at a time, answers that differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cfg", type=Path)
    parser.add_argument("--samples", type=int, default=200)
    args = parser.parse_args()
    config = read_config(args.cfg, [])
    run = RunFolder(Path(config.training.output_dir))
    examination = Examination.load(config, run, newest_model(run), None)
    indices = draw_questions(len(examination.records), seed=0)[: args.samples]
    rounds = [{size: seconds(examination, indices, size) for size in SIZES} for _ in range(ROUNDS)]
    for size in SIZES:
        ratios = [measured[1][0] / measured[size][0] for measured in rounds]
        rate = statistics.median(len(indices) / measured[size][0] for measured in rounds)
        differ = sum(one != other for one, other in zip(rounds[0][1][1], rounds[0][size][1], strict=True))
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"batch of {size:2d}: {rate:6.1f} questions/s, {spread} times one at a time, {differ} answers differ")


if __name__ == "__main__":
    main()
