"""Draw a node's activation by token, and the logits of the newest answer: recording -> PNG.

python graph-node-logits.py RUN --node 70
"""

from huggin.door import open_door
from huggin.graphs.output import finish, formats, graph_parser


def main() -> None:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw a node's activation by token at the first and last self-attention and the last output, and the start "
        "and end logits, of the newest answer of get-model-output; or of the tracked sample at a step of the training.",
        "graph-node-logits.py",
    )
    parser.add_argument("--node", type=int, help="any node (the one whose weight changed most, in percent)")
    parser.add_argument("--step", type=int, help="the tracked sample at this snapshot of the training instead")
    args = parser.parse_args()
    formats(args)
    from huggin.graphs.node_logits import draw_answer, draw_snapshot
    from huggin.recording import Recording

    recording = Recording(args.run)
    if args.step is None:
        finish(draw_answer(recording, args.node), args)
    else:
        finish(draw_snapshot(recording, args.step, args.node), args)


if __name__ == "__main__":
    open_door(main)
