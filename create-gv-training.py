"""Compose the PDF of a training run: recording -> gv-graphs/qa-training-DATE.gv.pdf.

python create-gv-training.py RUN
python create-gv-training.py RUN RUN2
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from huggin.common.cli import CommandParser, run_command
from huggin.common.text import printable
from huggin.graphs.arguments import add_runs, choose_node, choose_sample, load_matplotlib


def main(argv: Sequence[str] | None = None) -> int:
    """Write the DOT file and the PDF, and print the PDF's path."""
    parser = CommandParser(
        "Compose the PDF of a training run, or of several runs side by side. It draws its figures\n"
        "from the recording, all of them for the same runs, node and sample.",
        "python create-gv-training.py runs/sample",
    )
    add_runs(parser, "runs to show beside it")
    choose_node(parser)
    choose_sample(parser)
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("gv-graphs"),
        help="folder to write to (default: gv-graphs)",
    )
    args = parser.parse_args(argv)
    load_matplotlib()
    from huggin.analysis.nodes import NodeChoice
    from huggin.graphs.runs import read_runs
    from huggin.pages.pdf import training_document
    from huggin.pages.sheets import render
    from huggin.qa.texts import training_records

    choice = NodeChoice(args.node, args.rank_by, args.sample)
    document = training_document(read_runs([args.run, *args.more]), training_records, choice)
    pdf = render(document, args.out, "training")
    for line in document.notes:
        print(f"create-gv-training.py: {printable(line)}", file=sys.stderr)
    print(printable(str(pdf)))
    return 0


if __name__ == "__main__":
    run_command(main)
