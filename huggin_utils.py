"""Print what a run recorded, as JSON, CSV or TensorBoard events; list the runs of a folder.

    python huggin_utils.py RUN
    python huggin_utils.py RUN --csv steps
    python huggin_utils.py FOLDER

In the older toolkit this file held the hooks and the recorder. They are now in
`huggin/model/hooks.py` (where a model is watched) and `huggin/recording/recorder.py` (what is
kept of it); `from huggin.recording import Recorder` is their front door, see docs/python.md.
"""  # huggin: files 10

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from huggin.common.cli import CommandParser, run_command
from huggin.common.errors import UserError

RUNS = "runs"
TABLES = ("steps", "probes", "nodes", "lens", "layers", "questions", "ledger")


def main(argv: Sequence[str] | None = None) -> int:
    """Print a summary or a table, or write events and print their path."""
    parser = CommandParser(
        "Print what a run recorded: a summary as JSON, or a table. Of a folder that holds runs,\n"
        "print a table of the runs: how far each one is trained, its last loss, EM and F1.",
        "python huggin_utils.py runs/sample",
    )
    what = "a run's folder (cfg.json's output_dir), or a folder of runs"
    parser.add_argument("run", metavar="RUN", type=Path, help=what)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--csv",
        metavar="TABLE",
        nargs="?",
        const=RUNS,
        choices=(*TABLES, RUNS),
        help=f"print all rows of a table as CSV: {', '.join(TABLES)}; without TABLE, the runs of a "
        "folder",
    )
    instead.add_argument(
        "--tensorboard",
        metavar="DIR",
        type=Path,
        help="write scalars, histograms and figures there, for TensorBoard",
    )
    args = parser.parse_args(argv)
    from huggin.recording.exports import find_runs

    runs = find_runs(args.run) if args.run.is_dir() else []
    if runs:
        print_runs(runs, args.run, args.csv, args.tensorboard)
        return 0
    if args.csv == RUNS:
        way_out = f"name a table: {', '.join(TABLES)}" if args.run.is_dir() else "name a folder"
        parser.error(f"{args.run}: no folder of runs; {way_out}")
    print_run(args.run, args.csv, args.tensorboard)
    return 0


def print_runs(runs: Sequence[Path], folder: Path, table: str | None, events: Path | None) -> None:
    """Print a table of the runs in a folder. Raises UserError for options that are for one run."""
    from huggin.recording.exports import as_csv, as_lines, list_runs

    if events or table not in (None, RUNS):
        raise UserError(f"{folder}: a folder of runs; name one of them, such as {runs[0]}")
    listed = list_runs(runs)
    print(as_csv(listed).rstrip() if table else "\n".join(as_lines(listed, folder)))


def print_run(run: Path, table: str | None, events: Path | None) -> None:
    """Print a summary or a table of one run, or write its events and print their path."""
    from huggin.recording.exports import recording_summary
    from huggin.recording.reader import Recording

    if table:
        from huggin.recording.exports import write_csv

        write_csv(Recording(run), table, sys.stdout.buffer)
    elif events:
        from huggin.recording.tensorboard import write_events

        print(write_events(Recording(run), events))
    else:
        print(json.dumps(recording_summary(run), indent=2))


if __name__ == "__main__":
    run_command(main)
