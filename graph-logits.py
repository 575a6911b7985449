"""Draw a tracked sample's logits and losses: recording -> PNG.

python graph-logits.py RUN
python graph-logits.py RUN --over-time
"""  # huggin: look 40

from collections.abc import Sequence

from huggin.common.cli import run_command
from huggin.graphs.arguments import draw, graph_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw a tracked sample's start and end logits by token, and its losses by step.\n"
        "If there are several tracked samples, print when each was learned.",
        "python graph-logits.py",
        "--sample",
    )
    parser.option(
        "--over-time",
        "draw heat maps, token by step, instead; print the steps at which the answer changed",
    )
    return draw(parser.prog, "logits", **vars(parser.parse_args(argv)))


if __name__ == "__main__":
    run_command(main)
