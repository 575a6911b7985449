"""Draw a node's activation by token, and the logits of the newest answer: recording -> PNG.

python graph-node-logits.py RUN --node 70
python graph-node-logits.py RUN --share
"""

from huggin.door import open_door
from huggin.graphs.output import choose_node, choose_sample, finish, graph_parser


def main() -> None:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw a node's activation by token at the first and last self-attention and the last output, and the start "
        "and end logits, of the newest answer of get-model-output; or of the tracked sample at a step of the training.",
        "graph-node-logits.py",
    )
    choose_node(parser, default=None)
    choose_sample(parser, default=None)
    parser.add_argument("--step", type=int, help="the tracked sample at this snapshot of the training instead")
    parser.add_argument("--share", action="store_true", help="each node's share in the tracked sample's logits instead")
    parser.add_argument(
        "--token", metavar="T", help="with --share: of this token, its text or its place (the gold answer)"
    )
    args = parser.parse_args()
    if args.token is not None and not args.share:
        parser.error("--token goes with --share")
    from huggin.graphs.node_logits import draw_answer, draw_snapshot
    from huggin.graphs.runs import read_runs
    from huggin.graphs.shares import draw_shares, draw_shares_over_time

    runs, sample = read_runs([args.run, *args.more]), args.sample or 0
    node = {"node": args.node, "sample": sample} | ({"rank_by": args.rank_by} if args.rank_by else {})
    if args.share:
        finish(draw_shares(*runs, token=args.token, step=args.step, sample=sample), args)
        finish(draw_shares_over_time(*runs, **node), args)
    elif args.step is None and args.sample is None:
        finish(draw_answer(*runs, **node), args)
    else:
        finish(draw_snapshot(*runs, step=args.step, **node), args)


if __name__ == "__main__":
    open_door(main)
