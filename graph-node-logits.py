"""Draw a node's activation by token, and the logits of the newest answer: recording -> PNG.

python graph-node-logits.py RUN --node 70
python graph-node-logits.py RUN --share
"""  # huggin: ask 40

from collections.abc import Sequence

from huggin.common.cli import run_command
from huggin.graphs.arguments import draw, graph_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw the activation of a node by token at the first and last self-attention and at the\n"
        "last output, the start and end logits, and the attention of the answer's tokens, of the\n"
        "newest answer of get-model-output.\n"
        "With --step or --sample, draw a tracked sample at a step of the training instead.",
        "python graph-node-logits.py",
        *("--node", "--rank-by", "--sample"),
    )
    parser.set_defaults(sample=None)
    step = "draw the tracked sample after K steps instead; K is a node snapshot"
    parser.option("--step K", step, type=int)
    parser.option("--share", "draw the share of each node in the tracked sample's logits instead")
    token = "with --share: the token, by its text or its place (default: the true answer's)"
    parser.option("--token T", token)
    args = parser.parse_args(argv)
    if args.token is not None and not args.share:
        parser.error("--token goes with --share")
    return draw(parser.prog, "node-logits", **vars(args))


if __name__ == "__main__":
    run_command(main)
