"""The database of answers: what was asked and how it was answered <-> rows of SQLite. As a command: rows in and out.

    python db_utils.py --list

Each change is one transaction: whatever happens, the whole of it is in the database, or nothing.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from huggin.common.cli import CommandParser, run_command
from huggin.common.errors import UserError
from huggin.database.connection import (
    add_database_option,
    as_text,
    database_path,
    open_database,
    writing,
)
from huggin.database.queries import add_efficacy, add_indices, is_number, rows_of


def _number(name: str, text: str) -> int:
    if not is_number(text):
        raise UserError(f"{name} {text!r}: give a whole number")
    return int(text)


def _addition(words: list[str]) -> Callable[[sqlite3.Connection], int]:
    """What a command line asks to add, checked; it returns the row's id."""
    match words:
        case ["model_efficacy", state, correct_num, sample_num]:
            correct, asked = _number("CORRECT_NUM", correct_num), _number("SAMPLE_NUM", sample_num)
            if not state or correct > asked:
                raise UserError(
                    f"{state!r} {correct} {asked}: give a model-type-state, and no more right than asked"
                )
            return partial(add_efficacy, model_type_state=state, correct=correct, asked=asked)
        case ["sample_indices", efficacy, seq_num, seq_ids]:
            for item in filter(None, seq_ids.replace(" ", "").split(",")):
                _number("SEQ_IDS", item)
            row, asked = _number("MODEL_EFFICACY_ID", efficacy), _number("SEQ_NUM", seq_num)
            return partial(add_indices, efficacy=row, asked=asked, seq_ids=seq_ids)
    raise UserError(f"{' '.join(words)}: no table, or not three values; see db_utils.py --help")


def _both_tables(path: Path) -> str:
    with closing(open_database(path, must_exist=True)) as connection:
        return "\n\n".join(
            as_text(rows_of(connection, name)) for name in ("model_efficacy", "sample_indices")
        )


def _add_row(path: Path, words: list[str]) -> int:
    add = _addition(words)
    with (
        closing(open_database(path, must_exist=words[0] != "model_efficacy")) as connection,
        writing(connection),
    ):
        return add(connection)


def main(argv: Sequence[str] | None = None) -> int:
    """Print both tables, or add a row and print its id."""
    parser = CommandParser(
        "Print the tables of the efficacy test, or add to them:\n"
        "  model_efficacy MODEL_TYPE_STATE CORRECT_NUM SAMPLE_NUM    added to the state's row, or a new one\n"
        "  sample_indices MODEL_EFFICACY_ID SEQ_NUM SEQ_IDS          a new row; SEQ_IDS: indices with commas between",
        "python db_utils.py --list",
    )
    parser.add_argument(
        "row", nargs="*", metavar="TABLE VALUE", help="a table and its values; prints the row's id"
    )
    parser.add_argument(
        "--list", action="store_true", help="print model_efficacy and sample_indices"
    )
    add_database_option(parser)
    args = parser.parse_intermixed_args(argv)
    if args.list == bool(args.row):
        raise UserError("give --list, or a table and its values; see db_utils.py --help")
    path = database_path(args.db)
    print(_both_tables(path) if args.list else _add_row(path, args.row))
    return 0


if __name__ == "__main__":
    run_command(main)
