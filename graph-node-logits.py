"""Draw a node's activation by token, and the logits of the newest answer: recording -> PNG.

python graph-node-logits.py RUN --node 70
python graph-node-logits.py RUN --share
"""  # huggin: ask 40

from collections.abc import Sequence

from huggin.common.cli import run_command
from huggin.graphs.arguments import choose_node, choose_sample, graph_parser, load_matplotlib


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw the activation of a node by token at the first and last self-attention and at the\n"
        "last output, the start and end logits, and the attention of the answer's tokens, of the\n"
        "newest answer of get-model-output.\n"
        "With --step or --sample, draw a tracked sample at a step of the training instead.",
        "python graph-node-logits.py",
    )
    choose_node(parser)
    choose_sample(parser, default=None)
    parser.add_argument(
        "--step",
        type=int,
        metavar="K",
        help="draw the tracked sample after K steps instead; K is a node snapshot",
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="draw the share of each node in the tracked sample's logits instead",
    )
    parser.add_argument(
        "--token",
        metavar="T",
        help="with --share: the token, by its text or its place (default: the true answer's)",
    )
    args = parser.parse_args(argv)
    if args.token is not None and not args.share:
        parser.error("--token goes with --share")
    load_matplotlib()
    from huggin.analysis.nodes import NodeChoice
    from huggin.graphs.attention import draw_attention
    from huggin.graphs.node_logits import draw_answer, draw_snapshot
    from huggin.graphs.runs import read_runs
    from huggin.graphs.saving import finish
    from huggin.graphs.shares import draw_shares, draw_shares_over_time

    runs = read_runs([args.run, *args.more])
    sample = args.sample or 0
    choice = NodeChoice(args.node, args.rank_by, sample)
    if args.share:
        finish(draw_shares(*runs, token=args.token, step=args.step, sample=sample), args)
        finish(draw_shares_over_time(*runs, choice=choice), args)
    elif args.step is None and args.sample is None:
        finish(draw_answer(*runs, choice=choice), args)
        if len(runs) == 1:
            finish(draw_attention(runs[0]), args)
    else:
        finish(draw_snapshot(*runs, step=args.step, choice=choice), args)
    return 0


if __name__ == "__main__":
    run_command(main)
