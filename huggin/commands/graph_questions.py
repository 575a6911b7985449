"""Draw how the questions did in training, by kind: recording -> PNG.

huggin graph-questions RUN
huggin graph-questions RUN --by title
"""  # huggin: look 70

from collections.abc import Sequence

from huggin.graphs.arguments import draw, graph_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths, and tables."""
    parser = graph_parser(
        "Draw the loss and the share of right answers in the batches of the training, by kind of\n"
        "question: question word, length of the answer, place in the context. Draw what was\n"
        "learned and forgotten between epochs. Print the 20 hardest questions.",
        "huggin graph-questions",
    )
    parser.option("--by COLUMN", "draw kinds of your own instead: the values of this column")
    return draw(parser.prog, "questions", **vars(parser.parse_args(argv)))
