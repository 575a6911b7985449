"""Train, and see where the training spends its time.

python track-trainer.py cfg.json --samples 200
"""  # huggin: train 30

import math
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from huggin.common.cli import CommandParser, called, run_command
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
from huggin.qa.arguments import is_true, keys_as_given
from huggin.recording.checkpoints import step_of
from huggin.recording.run_folder import RunFolder
from huggin.tracking.report import flame_svg, report
from huggin.tracking.tables import record_samples, search_functions
from huggin.tracking.watch import (
    OUTSIDE,
    Looks,
    Sample,
    read_samples,
    training_function,
    watch,
)

HERE = Path(__file__).resolve().parent
SHORTEST = 0.01  # seconds between looks; one look takes about 1 ms
DESCRIPTION = """Train as run_qa.py does, and look at its Python stack at random moments.

The training is not stopped or changed. Every key of run_qa.py can be given as --key value after
CFG, except seed: --seed is of the looks, so change the training's seed in CFG."""


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
    parser.option("--seed N", "seed for choosing which looks are kept, where not all are", 0)
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
    """Train under observation. What was seen is kept, however the training ends."""
    started = f"{args.cfg} {datetime.now():%Y-%m-%d %H:%M:%S}"
    path = database_path(args.db)
    looks = Looks(args.interval, args.samples, args.seed)
    line = [sys.executable, str(HERE / "run_qa.py"), str(args.cfg), *args.flags]
    keys = keys_as_given(args.cfg, args.flags)
    run = RunFolder(Path(str(keys.get("output_dir", ""))).expanduser())
    anew = is_true(keys.get("overwrite_output_dir"))
    trained_before = None if anew else step_of(run.path)
    check_database(path)
    with tempfile.TemporaryDirectory() as folder:
        seen = Path(folder) / "seen.json"
        ending = watch(line, looks, seen)
        if ending.code == 0 and trained_before and step_of(run.path) == trained_before:
            what = f"{run.path}: already trained, {trained_before} steps"
            advice = "there is nothing to profile; --overwrite_output_dir true starts anew"
            warn(f"{called('track-trainer.py')}: {what}; {advice}")
            return 0
        samples = looks.kept(read_samples(seen))
        if ending.code and not any(training_function(sample) != OUTSIDE for sample in samples):
            samples = []  # only of loading libraries: the training has not begun
        if samples:
            with closing(open_database(path)) as database:
                record_samples(database, started, args.seed, samples)
        kept = f"{len(samples)} samples are kept" + (f" in {path}" if samples else "")
        if ending.code:
            after = f"after {ending.seconds:.1f} s with exit code {ending.code}"
            warn(f"{called('track-trainer.py')}: run_qa.py ended early, {after}; {kept}")
        if ending.trouble:
            warn(f"{called('track-trainer.py')}: py-spy ended early: {ending.trouble}; {kept}")
        print(report(samples, ending))
        if args.flame and samples:
            write_flame(args.flame, samples, seen)
    return ending.code


def write_flame(flame: Path, samples: list[Sample], seen: Path) -> None:
    """Write the flame graph, and print where it is."""
    as_svg = flame.suffix.lower() == ".svg"
    text = flame_svg(samples) if as_svg else seen.read_text(encoding="utf-8")
    with replacing(flame) as beside:
        beside.write_text(text, encoding="utf-8")
    print(f"\n{flame}")


if __name__ == "__main__":
    run_command(main)
