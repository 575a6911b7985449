"""Compose the PDF of one answer: recording -> gv-graphs/qa-output-DATE.gv.pdf.

python create-gv-output.py RUN
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from huggin.common.cli import CommandParser, run_command
from huggin.common.text import printable
from huggin.graphs.arguments import choose_node, choose_sample, load_matplotlib


def main(argv: Sequence[str] | None = None) -> int:
    """Write the DOT file and the PDF, and print the PDF's path."""
    parser = CommandParser(
        "Compose the PDF of the newest answer of get-model-output. It draws its figures\n"
        "from the recording, all of them for the same node.",
        "python create-gv-output.py runs/sample",
    )
    run = "a run's folder: output_dir in cfg.json"
    parser.add_argument("run", metavar="RUN", type=Path, help=run)
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
    from huggin.pages.pdf import output_document
    from huggin.pages.sheets import render
    from huggin.qa.texts import training_records
    from huggin.recording.reader import Recording

    choice = NodeChoice(args.node, args.rank_by, args.sample)
    document = output_document(Recording(args.run), training_records, choice)
    pdf = render(document, args.out, "output")
    for line in document.notes:
        print(f"create-gv-output.py: {printable(line)}", file=sys.stderr)
    print(printable(str(pdf)))
    return 0


if __name__ == "__main__":
    run_command(main)
