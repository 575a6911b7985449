"""Compose the PDF of one answer: recording -> gv-graphs/qa-output-DATE.gv.pdf.

python create-gv-output.py RUN
"""

from collections.abc import Sequence

from huggin.common.cli import CommandParser, run_command
from huggin.common.streams import warn
from huggin.common.text import printable
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
    from huggin.analysis.nodes import NodeChoice
    from huggin.pages.pdf import output_document
    from huggin.pages.sheets import render
    from huggin.recording.reader import Recording

    choice = NodeChoice(args.node, args.rank_by, args.sample)
    document = output_document(Recording(args.run), choice)
    pdf = render(document, args.out, "output")
    for line in document.notes:
        warn(f"create-gv-output.py: {line}")
    print(printable(str(pdf)))
    return 0


if __name__ == "__main__":
    run_command(main)
