"""Print the database of the efficacy test, or add a row to it.

    python db_utils.py --list

Each change is one transaction: all of it is in the database, or nothing.
"""  # huggin: files 20

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from huggin.common.cli import CommandParser, called, run_command
from huggin.common.errors import UserError
from huggin.database.connection import (
    add_database_option,
    as_text,
    database_path,
    open_database,
    writing,
)
from huggin.database.queries import add_efficacy, add_indices, is_number, rows_of

MOST = 10**12  # of a number; sums of many are still whole numbers in SQLite
DESCRIPTION = """Print the tables of the efficacy test, or add to them:

  model_efficacy MODEL_TYPE_STATE CORRECT_NUM SAMPLE_NUM
      adds to the row of this model-type-state, or makes one
  sample_indices MODEL_EFFICACY_ID SEQ_NUM SEQ_IDS
      makes a new row; SEQ_IDS are indices with commas between them"""


def main(argv: Sequence[str] | None = None) -> int:
    """Print both tables, or add a row and print its id."""
    parser = CommandParser(DESCRIPTION, "python db_utils.py --list")
    row_help = "a table and its values: add a row and print its id"
    parser.add_argument("row", nargs="*", metavar="TABLE VALUE", help=row_help)
    list_help = "print model_efficacy and sample_indices"
    parser.add_argument("--list", action="store_true", help=list_help)
    add_database_option(parser)
    args = parser.parse_intermixed_args(argv)
    if args.list == bool(args.row):
        parser.error("give --list, or a table and its values")
    path = database_path(args.db)
    if args.row:
        print(add_row(path, args.row))
        return 0
    with closing(open_database(path, must_exist=True)) as connection:
        tables = [rows_of(connection, name) for name in ("model_efficacy", "sample_indices")]
    print("\n\n".join(map(as_text, tables)))
    return 0


def add_row(path: Path, words: list[str]) -> int:
    """Add the row that a command line gives; returns its id. Raises UserError for a bad row."""
    match words:
        case ["model_efficacy", state, correct_num, sample_num]:
            correct = number_of("CORRECT_NUM", correct_num)
            asked = number_of("SAMPLE_NUM", sample_num)
            if not state:
                raise UserError("MODEL_TYPE_STATE is empty; give a model-type-state")
            if correct > asked:
                advice = "give no more correct answers than were asked"
                raise UserError(f"{correct} of {asked}: {advice}")
            with closing(open_database(path)) as connection, writing(connection):
                return add_efficacy(connection, state, correct, asked)
        case ["sample_indices", efficacy, seq_num, seq_ids]:
            items = seq_ids.replace(" ", "").split(",")
            for item in filter(None, items):
                number_of("SEQ_IDS", item)
            row = number_of("MODEL_EFFICACY_ID", efficacy)
            asked = number_of("SEQ_NUM", seq_num)
            if len(items) != asked:
                advice = "give an index for each question that was asked"
                raise UserError(f"SEQ_IDS {seq_ids!r}: {len(items)} of {asked}: {advice}")
            with closing(open_database(path, must_exist=True)) as connection, writing(connection):
                return add_indices(connection, row, asked, seq_ids)
    name = called("db_utils.py")
    raise UserError(f"{' '.join(words)}: no table, or not three values; see {name} --help")


def number_of(name: str, text: str) -> int:
    """The number in a text. Raises UserError if there is something else, or more than MOST."""
    if not is_number(text) or int(text) > MOST:
        raise UserError(f"{name} {text!r}: give a whole number, {MOST:,} at most")
    return int(text)


if __name__ == "__main__":
    run_command(main)
