"""Look up questions of a run's data: cfg.json -> text.

python squad-interface.py 7
"""  # huggin: data 10

import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from huggin.common.cli import CommandParser, run_command
from huggin.common.errors import UserError
from huggin.common.progress import loading
from huggin.common.streams import warn
from huggin.database.connection import add_database_option, database_path, open_database
from huggin.database.queries import duplicates

HERE = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None) -> int:
    """Show one record, those that a search finds, or the indices that were asked more than once."""
    args = read_arguments(argv)
    if args.duplicates:
        with closing(open_database(database_path(args.db), must_exist=True)) as database:
            repeated = duplicates(database)
        lines = [f"{state}: {', '.join(map(str, indices))}" for state, indices in repeated.items()]
        print("\n".join(lines) or "no index was drawn in more than one call")
        return 0
    from huggin.qa.given import read_given

    keys = read_given(args.cfg or HERE / "cfg.json", [])
    loading("the questions")
    from huggin.asking.lookup import Lookup

    lookup = Lookup.load(keys, args.split)
    if args.search:
        print(lookup.search(args.search))
    elif args.index is None and sys.stdin.isatty():
        converse(lookup)
    else:
        print(lookup.describe(lookup.index_of(args.index)))
    return 0


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line. Raises UserError for options that exclude each other."""
    parser = CommandParser(
        "Show a question of the data: by its index, by words, or a random one.\n"
        "Without INDEX and --search it asks for an index if it runs on a terminal.",
        "python squad-interface.py --search 'learning rate'",
    )
    parser.add_argument(
        "index", nargs="?", metavar="INDEX", help="a question's index in the data, or: random"
    )
    parser.option("--search WORDS", "show the questions that contain all of these words")
    parser.option(
        "--duplicates", "show the indices that occur in more than one call of test-qa-efficacy.py"
    )
    cfg = "the cfg that names the data (default: cfg.json beside this script)"
    parser.option("--cfg CFG", cfg, type=Path)
    parser.add_split()
    add_database_option(parser)
    args = parser.parse_args(argv)
    if sum(wish is not None for wish in (args.index, args.search, args.duplicates or None)) > 1:
        raise UserError("give one of INDEX, --search and --duplicates")
    if args.search is not None and not args.search.strip():
        raise UserError("--search: give one word or more")
    return args


def converse(lookup: Any) -> None:
    """Ask for an index until none is given. lookup: a huggin.asking.lookup.Lookup."""
    prompt = f"index (0 to {lookup.last}), random, or nothing to end: "
    with suppress(EOFError):
        while word := input(prompt).strip():
            try:
                print(lookup.describe(lookup.index_of(word)))
            except UserError as error:
                warn(str(error))


if __name__ == "__main__":
    run_command(main)
