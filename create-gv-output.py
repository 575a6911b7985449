"""Compose the PDF of one answer: recording -> gv-graphs/qa-output-DATE.gv.pdf.

python create-gv-output.py RUN
"""  # huggin: ask 50

from collections.abc import Sequence

import huggin
from huggin.common.cli import CommandParser, run_command
from huggin.common.streams import warn
from huggin.graphs.arguments import add_run, choose_page, load_matplotlib


def main(argv: Sequence[str] | None = None) -> int:
    """Write the DOT file and the PDF, and print the PDF's path."""
    parser = CommandParser(
        "Compose the PDF of the newest answer of get-model-output. It draws its figures\n"
        "from the recording, all of them for the same node.",
        "python create-gv-output.py runs/sample",
    )
    add_run(parser)
    choose_page(parser)
    args = parser.parse_args(argv)
    load_matplotlib()
    made = huggin.pdf(
        args.run,
        answer=True,
        node=args.node,
        rank_by=args.rank_by,
        sample=args.sample,
        folder=args.out,
    )
    for line in made.notes:
        warn(f"{parser.prog}: {line}")
    print(made.path)
    return 0


if __name__ == "__main__":
    run_command(main)
