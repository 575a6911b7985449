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

import huggin
from huggin.common.cli import CommandParser, run_command
from huggin.common.errors import UserError
from huggin.common.progress import progress

RUNS = "runs"
TABLES = ("steps", "probes", "nodes", "lens", "layers", "questions", "ledger", "pointers")


def main(argv: Sequence[str] | None = None) -> int:
    """Print a summary or a table, or write events and print their path."""
    parser = argument_parser()
    args = parser.parse_args(argv)
    from huggin.recording import exports

    runs = exports.find_runs(args.run) if args.run.is_dir() else []
    if runs and (args.tensorboard or args.csv not in (None, RUNS)):
        raise UserError(f"{args.run}: a folder of runs; name one of them, such as {runs[0]}")
    if runs:
        listed = [exports.listed(run) for run in progress(runs, label="reading", unit="runs")]
        lines = exports.as_lines(listed, args.run)
        print(exports.as_csv(listed).rstrip() if args.csv else "\n".join(lines))
    elif args.csv == RUNS:
        way_out = f"name a table: {', '.join(TABLES)}" if args.run.is_dir() else "name a folder"
        parser.error(f"{args.run}: no folder of runs; {way_out}")
    elif args.csv:
        exports.write_csv(huggin.Recording(args.run), args.csv, sys.stdout.buffer)
    elif args.tensorboard:
        from huggin.recording.tensorboard import write_events

        print(write_events(huggin.Recording(args.run), args.tensorboard))
    else:
        print(json.dumps(exports.recording_summary(args.run), indent=2))
    return 0


def argument_parser() -> CommandParser:
    """What can be given on the command line."""
    parser = CommandParser(
        "Print what a run recorded: a summary as JSON, or a table. Of a folder that holds runs,\n"
        "print a table of the runs: how far each one is trained, its last loss, EM and F1.",
        "python huggin_utils.py runs/sample",
    )
    what = "a run's folder (cfg.json's output_dir), or a folder of runs"
    parser.add_argument("run", metavar="RUN", type=Path, help=what)
    instead = parser.add_mutually_exclusive_group()
    known = f"{', '.join(TABLES)}; without TABLE, the runs of a folder"
    csv = f"print all rows of a table as CSV: {known}"
    choices = (*TABLES, RUNS)
    parser.option("--csv TABLE", csv, group=instead, nargs="?", const=RUNS, choices=choices)
    events = "write scalars, histograms and figures there, for TensorBoard"
    parser.option("--tensorboard DIR", events, group=instead, type=Path)
    return parser


if __name__ == "__main__":
    run_command(main)
