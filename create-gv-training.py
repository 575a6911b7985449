"""Compose the PDF of a training run: recording -> gv-graphs/qa-training-DATE.gv.pdf.

python create-gv-training.py RUN
python create-gv-training.py RUN RUN2
"""  # huggin: look 20

from collections.abc import Sequence

import huggin
from huggin.common.cli import CommandParser, run_command
from huggin.common.streams import warn
from huggin.graphs.arguments import add_runs, choose_page, load_matplotlib


def main(argv: Sequence[str] | None = None) -> int:
    """Write the DOT file and the PDF, and print the PDF's path."""
    parser = CommandParser(
        "Compose the PDF of a training run, or of several runs side by side. It draws its figures\n"
        "from the recording, all of them for the same runs, node and sample.",
        "python create-gv-training.py runs/sample",
    )
    add_runs(parser, "runs to show beside it")
    choose_page(parser)
    parser.add_argument(
        "--if-needed",
        action="store_true",
        help="keep a PDF of these runs that is newer than their training, and print its path",
    )
    args = parser.parse_args(argv)
    load_matplotlib()
    made = huggin.pdf(
        args.run,
        args.more,
        node=args.node,
        rank_by=args.rank_by,
        sample=args.sample,
        folder=args.out,
        if_needed=args.if_needed,
    )
    for line in made.notes:
        warn(f"{parser.prog}: {line}")
    print(made.path)
    return 0


if __name__ == "__main__":
    run_command(main)
