"""Draw the QA head on every layer's output, gradients and ledger by part: recording -> PNG.

huggin graph-layers RUN
huggin graph-layers RUN --sample 1 --step 0
"""  # huggin: look 60

from collections.abc import Sequence

from huggin.graphs.arguments import draw, graph_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths, and three tables."""
    parser = graph_parser(
        "Draw what the QA head makes of each layer's output for a tracked sample, by token and\n"
        "by step, the norm of the gradient by part of the model, and the ledger: which part\n"
        "changed the sample's loss, and when. Print when the head on each layer was first right.",
        "huggin graph-layers",
        "--sample",
    )
    step = "draw the layers at this probe alone (default: first, middle and last probe)"
    parser.option("--step K", step, type=int)
    part = (
        "a part whose gradient is drawn as a line, such as 'layer 2'; several times for\n"
        "several (default: the ends, and the first, middle and last layer)"
    )
    parser.option("--part NAME", part, dest="parts", action="append")
    return draw(parser.prog, "layers", **vars(parser.parse_args(argv)))
