"""Print which questions each run of the efficacy test asked.

python db-indices.py --list
"""  # huggin: files 30

from collections.abc import Sequence
from contextlib import closing

from huggin.common.cli import CommandParser, run_command
from huggin.common.errors import UserError
from huggin.database.connection import (
    add_database_option,
    as_text,
    database_path,
    open_database,
)
from huggin.database.queries import rows_of, runs_of


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table sample_indices, or its rows of one model-type-state."""
    description = "Print the runs of the efficacy test, with the indices of their questions."
    parser = CommandParser(description, "python db-indices.py --list")
    state_help = "print the runs of this model-type-state"
    parser.add_argument("state", nargs="?", metavar="MODEL_TYPE_STATE", help=state_help)
    parser.add_argument("--list", action="store_true", help="print all runs")
    add_database_option(parser)
    args = parser.parse_args(argv)
    if args.list == bool(args.state):
        parser.error("give --list, or a model-type-state")
    with closing(open_database(database_path(args.db), must_exist=True)) as connection:
        table = (
            runs_of(connection, args.state) if args.state else rows_of(connection, "sample_indices")
        )
    if args.state and not table[1]:
        advice = "python db_utils.py --list shows the model-type-states"
        raise UserError(f"{args.state}: no runs; {advice}")
    print(as_text(table))
    return 0


if __name__ == "__main__":
    run_command(main)
