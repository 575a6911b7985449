"""Draw the QA head's weights and their change: recording -> PNG.

python graph-weights.py RUN
python graph-weights.py RUN --rank-by share --all-rankings
"""  # huggin: look 50

from collections.abc import Sequence

from huggin.common.cli import run_command
from huggin.graphs.arguments import draw, graph_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw the weights of the QA head at the first and last step, and their change.\n"
        "Print the first ten nodes of the ranking.",
        "python graph-weights.py",
        *("--node", "--rank-by", "--sample"),
    )
    parser.option(
        "--all-rankings",
        "print the values and places of these nodes in all four rankings instead",
    )
    parser.option("--over-time", "draw the weights of the first nodes by step instead")
    return draw(parser.prog, "weights", **vars(parser.parse_args(argv)))


if __name__ == "__main__":
    run_command(main)
