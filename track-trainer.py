"""Train and look at the Trainer by surprise: cfg.json -> stack_trace.db, and where the time goes.

python track-trainer.py cfg.json --samples 200
"""

import itertools
import math
import sys
from argparse import Namespace
from contextlib import closing
from datetime import datetime
from pathlib import Path

from huggin.database import add_database_option, as_text, database_path, open_database
from huggin.door import DoorParser, open_door

HERE = Path(__file__).resolve().parent
SHORTEST = 0.05  # seconds; a look takes nearly as long


def main() -> int:
    """Run `run_qa.py CFG`, keep samples of its stack, print what they say; the exit code is run_qa.py's."""
    args = read_arguments()
    if args.search is not None:
        return print_found(args.search, args.db)
    return track(args)


def read_arguments() -> Namespace:
    """The command line."""
    parser = DoorParser(
        "Run `run_qa.py CFG` and look at its Python stack at random moments, without stopping or changing it.",
        "python track-trainer.py cfg.json --samples 200 --flame flame.svg",
    )
    parser.add_argument("cfg", metavar="CFG", nargs="?", type=Path, help="what to train, as for run_qa.py")
    parser.add_argument(
        "--interval", type=float, metavar="SECONDS", default=0.6, help="between looks, on average (0.6)"
    )
    parser.add_argument("--samples", type=int, metavar="N", help="look no more after N samples (until the end)")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments (0)")
    parser.add_argument("--flame", type=Path, metavar="FILE", help="draw a flame graph, too: FILE.svg")
    parser.add_argument("--search", metavar="TEXT", help="print what was seen of functions with TEXT in their name")
    add_database_option(parser)
    args = parser.parse_args()
    if (args.cfg is None) == (args.search is None):
        parser.error("give CFG, or --search TEXT")
    if not SHORTEST <= args.interval < math.inf:
        parser.error(f"--interval {args.interval}: give {SHORTEST} seconds or more")
    if args.samples is not None and args.samples < 1:
        parser.error(f"--samples {args.samples}: give 1 or more")
    if args.flame and args.flame.suffix.lower() != ".svg":
        parser.error(f"--flame {args.flame}: give a name that ends in .svg")
    return args


def print_found(text: str, db: Path | None) -> int:
    """Print the rows of each table whose function has `text` in its name; 1 where there are none."""
    from huggin.stack_tables import search_functions

    with closing(open_database(database_path(db), must_exist=True)) as database:
        found = search_functions(database, text)
    print("\n\n".join(f"{table}:\n{as_text(rows)}" for table, rows in found.items()) or f"{text}: not seen")
    return 0 if found else 1


def track(args: Namespace) -> int:
    """Train under observation; what was seen is kept, however the training ends."""
    from huggin.stack_samples import Sample, look, moments, watch
    from huggin.stack_tables import record_sample

    run, path = f"{args.cfg} {datetime.now():%Y-%m-%d %H:%M:%S}", database_path(args.db)
    samples: list[Sample] = []
    with closing(open_database(path)) as database:

        def keep(sample: Sample) -> None:
            record_sample(database, run, args.seed, sample)
            samples.append(sample)

        due = itertools.takewhile(lambda _: len(samples) != args.samples, moments(args.interval, args.seed))
        ending = watch([sys.executable, str(HERE / "run_qa.py"), str(args.cfg)], due, keep, look)
    if ending.code:
        early = f"run_qa.py ended early, after {ending.seconds:.1f} s with exit code {ending.code}"
        print(f"track-trainer.py: {early}; {len(samples)} samples are kept in {path}", file=sys.stderr)
    print_report(samples, ending, args.flame)
    return ending.code


def print_report(samples: "list[Sample]", ending: "Ending", flame: Path | None) -> None:  # noqa: F821
    """Where the time goes, on stdout; the flame graph in its file."""
    from huggin.files import replacing
    from huggin.stack_report import flame_svg, report

    print(report(samples, ending))
    if flame and samples:
        with replacing(flame) as beside:
            beside.write_text(flame_svg(samples), encoding="utf-8")
        print(f"\n{flame}")


if __name__ == "__main__":
    open_door(main)
