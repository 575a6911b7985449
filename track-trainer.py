"""Train, and see where the training spends its time.

python track-trainer.py cfg.json --samples 200
"""  # huggin: train 30

import math
import random
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from huggin.common.cli import CommandParser, called, exit_code_of, run_command
from huggin.common.console import main_of
from huggin.common.files import replacing
from huggin.common.streams import warn
from huggin.database.connection import (
    add_database_option,
    as_cell,
    as_text,
    check_database,
    database_path,
    open_database,
)
from huggin.tracking.report import flame_svg, report, speedscope
from huggin.tracking.tables import record_samples, search_functions
from huggin.tracking.watch import Looks, Sample

RUN_QA = Path(__file__).resolve().with_name("run_qa.py")
SHORTEST = 0.01  # seconds between looks
WORK = ("Trainer.train", "EvaluatingTrainer.evaluate")  # without these nothing is worth keeping
DESCRIPTION = """Train as run_qa.py does, and look at its Python stack at random moments.

The trained weights are the same as without it. Every key of run_qa.py can be given as --key value
after CFG, except seed: --seed is of the looks, so change the training's seed in CFG."""


def main(argv: Sequence[str] | None = None) -> int:
    """Train and print where the time goes, or print what was seen of some functions.

    Returns the exit code of run_qa.py; 1 if a search finds nothing.
    """
    args = read_arguments(argv)
    if args.search is not None:
        with closing(open_database(database_path(args.db), must_exist=True)) as database:
            found = search_functions(database, args.search)
        tables = [f"{as_cell(table)}:\n{as_text(rows)}" for table, rows in found.items()]
        print("\n\n".join(tables) or f"{args.search}: not seen")
        return 0 if found else 1
    return track(args)


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line; `flags` are the keys for run_qa.py. Raises UserError for bad usage."""
    parser = CommandParser(DESCRIPTION, "python track-trainer.py cfg.json --num_train_epochs 3")
    parser.add_argument("cfg", metavar="CFG", nargs="?", type=Path, help="as for run_qa.py")
    parser.option("--interval SECONDS", "seconds between two looks, on average", 0.25)
    samples = "keep N looks, spread over the whole training (default: keep all)"
    parser.option("--samples N", samples, at_least=1)
    seed = "seed of the moments, and of which looks are kept where not all are"
    parser.option("--seed N", seed, 0)
    flame = "also draw a flame graph: .svg, or .json for speedscope"
    parser.option("--flame FILE", flame, type=Path)
    parser.option("--search TEXT", "print what was seen of functions with TEXT in their name")
    add_database_option(parser)
    args, flags = parser.parse_known_args(argv)
    args.flags = flags
    if args.search is not None and args.flags:
        parser.error(f"{' '.join(args.flags)}: not expected beside --search")
    if args.flags and not args.flags[0].startswith("--"):
        parser.error(f"{args.flags[0]}: not expected here; keys of run_qa.py are --key value")
    if (args.cfg is None) == (args.search is None):
        parser.error("give CFG, or --search TEXT")
    if not SHORTEST <= args.interval < math.inf:
        parser.error(f"--interval {args.interval}: give {SHORTEST} seconds or more")
    if args.flame and args.flame.suffix.lower() not in (".svg", ".json"):
        parser.error(f"--flame {args.flame}: give a name that ends in .svg or .json")
    return args


def track(args: Namespace) -> int:
    """Train under observation. What was seen is kept, also if the training is stopped or fails."""
    started = f"{args.cfg} {datetime.now():%Y-%m-%d %H:%M:%S}"
    path = database_path(args.db)
    check_database(path)
    with Looks(args.interval, args.seed) as looks:
        code = exit_code_of(main_of(RUN_QA), [str(args.cfg), *args.flags])
    samples = spread(looks.samples, args.samples, args.seed)
    if not any(frame.function in WORK for sample in samples for frame in sample):
        what = f"{called('track-trainer.py')}: saw no training in {looks.seconds:.1f} s"
        warn(f"{what}; nothing is kept")
        return code
    with closing(open_database(path)) as database:
        record_samples(database, started, args.seed, samples)
    if code:
        kept = f"{len(samples)} samples are kept in {path}"
        warn(f"{called('track-trainer.py')}: run_qa.py ended with exit code {code}; {kept}")
    print(report(samples, looks.seconds))
    if args.flame:
        draw = flame_svg if args.flame.suffix.lower() == ".svg" else speedscope
        with replacing(args.flame) as beside:
            beside.write_text(draw(samples), encoding="utf-8")
        print(f"\n{args.flame}")
    return code


def spread(samples: list[Sample], wanted: int | None, seed: int) -> list[Sample]:
    """So many samples, drawn at random from all, in their order; all if `wanted` is None."""
    most = len(samples) if wanted is None else min(wanted, len(samples))
    chosen = random.Random(seed).sample(range(len(samples)), most)
    return [samples[at] for at in sorted(chosen)]


if __name__ == "__main__":
    run_command(main)
