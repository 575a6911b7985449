"""Print the runs of the efficacy test with the indices that were asked: database -> text.

python db-indices.py --list
"""

from collections.abc import Sequence
from contextlib import closing

from huggin.common.cli import CommandParser, run_command
from huggin.common.errors import UserError
from huggin.database.connection import add_database_option, as_text, database_path, open_database
from huggin.database.queries import rows_of, runs_of


def main(argv: Sequence[str] | None = None) -> int:
    """Print sample_indices, or its rows of one model-type-state."""
    parser = CommandParser(
        "Print the runs of the efficacy test with their indices.", "python db-indices.py --list"
    )
    parser.add_argument(
        "state", nargs="?", metavar="MODEL_TYPE_STATE", help="print this one's runs"
    )
    parser.add_argument("--list", action="store_true", help="print all of sample_indices")
    add_database_option(parser)
    args = parser.parse_args(argv)
    if args.list == bool(args.state):
        raise UserError("give --list, or a model-type-state; see db-indices.py --help")
    with closing(open_database(database_path(args.db), must_exist=True)) as connection:
        table = (
            rows_of(connection, "sample_indices") if args.list else runs_of(connection, args.state)
        )
    if args.state and not table[1]:
        raise UserError(
            f"{args.state}: no runs; python db_utils.py --list shows the model-type-states"
        )
    print(as_text(table))
    return 0


if __name__ == "__main__":
    run_command(main)
