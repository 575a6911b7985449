"""Compose the PDF of a training run: recording -> gv-graphs/qa-training-DATE.gv.pdf.

python create-gv-training.py RUN
python create-gv-training.py RUN RUN2
"""  # huggin: look 20

from collections.abc import Sequence

from huggin.common.cli import CommandParser, run_command
from huggin.common.streams import warn
from huggin.common.text import printable
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
    from huggin.analysis.nodes import NodeChoice
    from huggin.graphs.runs import read_runs
    from huggin.pages.pdf import made_before, training_document
    from huggin.pages.sheets import render
    from huggin.qa.texts import training_records

    choice = NodeChoice(args.node, args.rank_by, args.sample)
    runs = read_runs([args.run, *args.more])
    there = made_before(args.out, runs) if args.if_needed else None
    if there:
        print(printable(str(there)))
        return 0
    document = training_document(runs, training_records, choice)
    pdf = render(document, args.out, "training")
    for line in document.notes:
        warn(f"{parser.prog}: {line}")
    print(printable(str(pdf)))
    return 0


if __name__ == "__main__":
    run_command(main)
