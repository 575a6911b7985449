"""Compose the PDF of one answer: recording -> gv-graphs/qa-output-DATE.gv.pdf.

python create-gv-output.py RUN
"""  # huggin: ask 50

from collections.abc import Sequence

from huggin.common.cli import CommandParser, run_command
from huggin.graphs.arguments import add_options, add_run, compose


def main(argv: Sequence[str] | None = None) -> int:
    """Write the DOT file and the PDF, and print the PDF's path."""
    parser = CommandParser(
        "Compose the PDF of the newest answer of get-model-output. It draws its figures\n"
        "from the recording, all of them for the same node.",
        "python create-gv-output.py runs/sample",
    )
    add_run(parser)
    add_options(parser, "--node", "--rank-by", "--sample", "--out")
    return compose(parser.prog, answer=True, **vars(parser.parse_args(argv)))


if __name__ == "__main__":
    run_command(main)
