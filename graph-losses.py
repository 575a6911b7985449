"""Draw the training loss: recording -> PNG.

python graph-losses.py RUN
python graph-losses.py RUN --spikes
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
    parser.option(
        "--spikes",
        "mark the steps whose loss stands out, and print the questions of their batches",
    )
    args = parser.parse_args(argv)
    if args.spikes and args.beside:
        parser.error("--spikes: for a single RUN")
    return draw(parser.prog, "losses", **vars(args))


if __name__ == "__main__":
    run_command(main)
