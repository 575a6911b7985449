"""Compose the PDF of a training run: recording -> gv-graphs/qa-training-DATE.gv.pdf.

python create-gv-training.py RUN
python create-gv-training.py RUN RUN2
"""  # huggin: look 20

from collections.abc import Sequence

from huggin.common.cli import CommandParser, run_command
from huggin.graphs.arguments import add_options, add_runs, compose


def main(argv: Sequence[str] | None = None) -> int:
    """Write the DOT file and the PDF, and print the PDF's path."""
    parser = CommandParser(
        "Compose the PDF of a training run, or of several runs side by side. It draws its figures\n"
        "from the recording, all of them for the same runs, node and sample.",
        "python create-gv-training.py runs/sample",
    )
    add_runs(parser, "runs to show beside it")
    add_options(parser, "--node", "--rank-by", "--sample", "--out", "--if-needed")
    return compose(parser.prog, **vars(parser.parse_args(argv)))


if __name__ == "__main__":
    run_command(main)
