"""Train and look at the Trainer by surprise: cfg.json -> stack_trace.db, and where the time goes.

python track-trainer.py cfg.json --samples 200
"""

import math
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from huggin.common.cli import CommandParser, run_command
from huggin.database.connection import add_database_option, as_text, database_path, open_database

HERE = Path(__file__).resolve().parent
SHORTEST = 0.01  # seconds; a look takes some ms


def main(argv: Sequence[str] | None = None) -> int:
    """Run `run_qa.py CFG`, keep samples of its stack, print what they say; the exit code is run_qa.py's."""
    args = read_arguments(argv)
    if args.search is not None:
        return print_found(args.search, args.db)
    return track(args)


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line."""
    parser = CommandParser(
        "Run `run_qa.py CFG` and look at its Python stack at random moments, without stopping or changing it.",
        "python track-trainer.py cfg.json --samples 200 --flame flame.svg",
    )
    parser.add_argument(
        "cfg", metavar="CFG", nargs="?", type=Path, help="what to train, as for run_qa.py"
    )
    parser.add_argument(
        "--interval",
        type=float,
        metavar="SECONDS",
        default=0.25,
        help="between looks, on average (0.25)",
    )
    parser.add_argument(
        "--samples", type=int, metavar="N", help="look no more after N samples (until the end)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the looks that are kept, where not all are (0)"
    )
    parser.add_argument(
        "--flame", type=Path, metavar="FILE", help="a flame graph, too: .svg, or speedscope's .json"
    )
    parser.add_argument(
        "--search", metavar="TEXT", help="print what was seen of functions with TEXT in their name"
    )
    add_database_option(parser)
    args = parser.parse_args(argv)
    if (args.cfg is None) == (args.search is None):
        parser.error("give CFG, or --search TEXT")
    if not SHORTEST <= args.interval < math.inf:
        parser.error(f"--interval {args.interval}: give {SHORTEST} seconds or more")
    if args.samples is not None and args.samples < 1:
        parser.error(f"--samples {args.samples}: give 1 or more")
    if args.flame and args.flame.suffix.lower() not in (".svg", ".json"):
        parser.error(f"--flame {args.flame}: give a name that ends in .svg or .json")
    return args


def print_found(text: str, db: Path | None) -> int:
    """Print the rows of each table whose function has `text` in its name; 1 where there are none."""
    from huggin.tracking.tables import search_functions

    with closing(open_database(database_path(db), must_exist=True)) as database:
        found = search_functions(database, text)
    print(
        "\n\n".join(f"{table}:\n{as_text(rows)}" for table, rows in found.items())
        or f"{text}: not seen"
    )
    return 0 if found else 1


def track(args: Namespace) -> int:
    """Train under observation; what was seen is kept, however the training ends."""
    from huggin.tracking.samples import Looks, read_samples, watch
    from huggin.tracking.tables import record_samples

    run, path = f"{args.cfg} {datetime.now():%Y-%m-%d %H:%M:%S}", database_path(args.db)
    looks = Looks(args.interval, args.samples, args.seed)
    with closing(open_database(path)) as database, tempfile.TemporaryDirectory() as folder:
        seen = Path(folder) / "seen.json"
        ending = watch([sys.executable, str(HERE / "run_qa.py"), str(args.cfg)], looks, seen)
        samples = looks.kept(read_samples(seen))
        record_samples(database, run, args.seed, samples)
        kept = f"{len(samples)} samples are kept in {path}"
        if ending.code:
            early = (
                f"run_qa.py ended early, after {ending.seconds:.1f} s with exit code {ending.code}"
            )
            print(f"track-trainer.py: {early}; {kept}", file=sys.stderr)
        if ending.trouble:
            print(
                f"track-trainer.py: py-spy ended early: {ending.trouble}; {kept}", file=sys.stderr
            )
        print_report(samples, ending, args.flame, seen)
    return ending.code


def print_report(samples: "list[Sample]", ending: "Ending", flame: Path | None, seen: Path) -> None:  # noqa: F821
    """Where the time goes, on stdout; the flame graph in its file."""
    from huggin.common.files import replacing
    from huggin.tracking.report import flame_svg, report

    print(report(samples, ending))
    if flame and samples:
        with replacing(flame) as beside:
            text = (
                flame_svg(samples)
                if flame.suffix.lower() == ".svg"
                else seen.read_text(encoding="utf-8")
            )
            beside.write_text(text, encoding="utf-8")
        print(f"\n{flame}")


if __name__ == "__main__":
    run_command(main)
