"""Print what a run recorded: a summary as JSON, a table as CSV, or events for TensorBoard.

    python huggin_utils.py RUN
    python huggin_utils.py RUN --csv steps

In the older toolkit this file held the hooks and the recorder. They are now in
`huggin/model/hooks.py` (where a model is watched) and `huggin/recording/recorder.py` (what is
kept of it); `from huggin.recording import Recorder` is their front door, see docs/python.md.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from huggin.common.cli import CommandParser, run_command

TABLES = ("steps", "probes", "nodes", "lens", "layers", "questions")


def main(argv: Sequence[str] | None = None) -> int:
    """Print a summary or a table, or write events and print their path."""
    parser = CommandParser(
        "Print what a run recorded: a summary as JSON, or a table.",
        "python huggin_utils.py runs/sample",
    )
    parser.add_argument("run", metavar="RUN", help="a run's folder: cfg.json's output_dir")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--csv",
        metavar="TABLE",
        choices=TABLES,
        help=f"print all rows of a table as CSV: {', '.join(TABLES)}",
    )
    instead.add_argument(
        "--tensorboard",
        metavar="DIR",
        type=Path,
        help="write scalars, histograms and figures there, for TensorBoard",
    )
    args = parser.parse_args(argv)
    from huggin.recording.reader import Recording
    from huggin.recording.summary import recording_summary

    if args.csv:
        from huggin.recording.csv import write_csv

        write_csv(Recording(args.run), args.csv, sys.stdout.buffer)
    elif args.tensorboard:
        from huggin.recording.tensorboard import write_events

        print(write_events(Recording(args.run), args.tensorboard))
    else:
        print(json.dumps(recording_summary(args.run), indent=2))
    return 0


if __name__ == "__main__":
    run_command(main)
