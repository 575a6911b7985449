"""Compose the PDF of an answer from the inside: RUN/graphs + legend -> gv-graphs/qa-output-DATE.gv.pdf.

python create-gv-output.py RUN
"""

import sys
from pathlib import Path

from huggin.door import DoorParser, open_door


def main() -> None:
    """Write the DOT and the PDF, and print the PDF's path."""
    parser = DoorParser(
        "Compose the PDF of the newest answer, from the inside.", "python create-gv-output.py runs/sample"
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="a run's folder: cfg.json's output_dir")
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("gv-graphs"), help="where to write (gv-graphs)")
    args = parser.parse_args()
    from huggin.graphviz_pdf import missing_fonts, output_graph, render
    from huggin.recording import Recording

    graph = output_graph(Recording(args.run), args.out)
    if missing := missing_fonts(graph):
        print(f"create-gv-output.py: {missing}", file=sys.stderr)
    print(render(graph, args.out, "output"))


if __name__ == "__main__":
    open_door(main)
