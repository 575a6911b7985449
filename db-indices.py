"""Print the runs of the efficacy test with the indices that were asked: database -> text.

python db-indices.py --list
"""

from contextlib import closing

from db_utils import rows_of, runs_of
from huggin.database import add_database_option, as_text, database_path, open_database
from huggin.door import DoorParser, UserError, open_door


def main() -> None:
    """Print sample_indices, or its rows of one model-type-state."""
    parser = DoorParser("Print the runs of the efficacy test with their indices.", "python db-indices.py --list")
    parser.add_argument("state", nargs="?", metavar="MODEL_TYPE_STATE", help="print this one's runs")
    parser.add_argument("--list", action="store_true", help="print all of sample_indices")
    add_database_option(parser)
    args = parser.parse_args()
    if args.list == bool(args.state):
        raise UserError("give --list, or a model-type-state; see db-indices.py --help")
    with closing(open_database(database_path(args.db), must_exist=True)) as connection:
        table = rows_of(connection, "sample_indices") if args.list else runs_of(connection, args.state)
    if args.state and not table[1]:
        raise UserError(f"{args.state}: no runs; python db_utils.py --list shows the model-type-states")
    print(as_text(table))


if __name__ == "__main__":
    open_door(main)
