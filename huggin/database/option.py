"""The option --db: which file is the database."""

import os
from argparse import ArgumentParser
from pathlib import Path


def add_database_option(parser: ArgumentParser) -> None:
    """Give a command the option --db; `database_path` reads it."""
    parser.add_argument(
        "--db",
        type=Path,
        metavar="FILE",
        help="the database (default: $HUGGIN_DB if it is set, else stack_trace.db)",
    )


def database_path(option: Path | None) -> Path:
    """The file that --db names, else the environment variable HUGGIN_DB, else stack_trace.db."""
    return option or Path(os.environ.get("HUGGIN_DB") or "stack_trace.db")
