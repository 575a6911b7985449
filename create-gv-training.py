"""Compose the PDF of a training run: RUN/graphs + legend -> gv-graphs/qa-training-DATE.gv.pdf.

python create-gv-training.py RUN
python create-gv-training.py RUN RUN2
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from huggin.common.cli import CommandParser, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Write the DOT file and the PDF, and print the PDF's path."""
    parser = CommandParser(
        "Compose the PDF of a training run from its figures.",
        "python create-gv-training.py runs/sample",
    )
    parser.add_argument(
        "run", metavar="RUN", type=Path, help="a run's folder: cfg.json's output_dir"
    )
    parser.add_argument("more", metavar="RUN", nargs="*", type=Path, help="runs to show beside it")
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("gv-graphs"),
        help="where to write (default: gv-graphs)",
    )
    args = parser.parse_args(argv)
    from huggin.graphs.runs import read_runs
    from huggin.pages.dot import missing_fonts, render
    from huggin.pages.pdf import training_graph

    graph = training_graph(read_runs([args.run, *args.more]), args.out)
    if missing := missing_fonts(graph):
        print(f"create-gv-training.py: {missing}", file=sys.stderr)
    print(render(graph, args.out, "training"))
    return 0


if __name__ == "__main__":
    run_command(main)
