"""Draw EM and F1 by step, a line per run: RUN/efficacy.json -> PNG.

huggin graph-efficacy runs/sample runs/squad
"""  # huggin: ask 30

from collections.abc import Sequence

from huggin.graphs.arguments import draw, graph_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw EM and F1 with their 95 % intervals by step, a line per run.", "huggin graph-efficacy"
    )
    return draw(parser.prog, "efficacy", **vars(parser.parse_args(argv)))
