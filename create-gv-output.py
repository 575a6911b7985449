"""Compose the PDF of one answer: RUN/graphs + legend -> gv-graphs/qa-output-DATE.gv.pdf.

python create-gv-output.py RUN
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from huggin.common.cli import CommandParser, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Write the DOT file and the PDF, and print the PDF's path."""
    parser = CommandParser(
        "Compose the PDF of the newest answer, from the inside.",
        "python create-gv-output.py runs/sample",
    )
    parser.add_argument(
        "run", metavar="RUN", type=Path, help="a run's folder: cfg.json's output_dir"
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("gv-graphs"),
        help="where to write (default: gv-graphs)",
    )
    args = parser.parse_args(argv)
    from huggin.pages.dot import missing_fonts, render
    from huggin.pages.pdf import output_graph
    from huggin.recording.reader import Recording

    graph = output_graph(Recording(args.run), args.out)
    if missing := missing_fonts(graph):
        print(f"create-gv-output.py: {missing}", file=sys.stderr)
    print(render(graph, args.out, "output"))
    return 0


if __name__ == "__main__":
    run_command(main)
