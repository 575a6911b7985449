"""Draw the training loss: recording -> PNG.

python graph-losses.py RUN
"""  # huggin: look 30

from collections.abc import Sequence

from huggin.common.cli import run_command
from huggin.graphs.arguments import draw, graph_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw the loss by step with an exponential fit, and the learning rate below it.",
        "python graph-losses.py",
    )
    return draw("losses", parser, parser.parse_args(argv))


if __name__ == "__main__":
    run_command(main)
