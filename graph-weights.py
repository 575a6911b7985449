"""Draw the head's weights and their change: recording -> PNG.

python graph-weights.py RUN
"""

from huggin.door import open_door
from huggin.graphs.output import finish, formats, graph_parser


def main() -> None:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw the head's weights at the first and last step and their change; print the ten nodes that changed most.",
        "graph-weights.py",
    )
    parser.add_argument("--node", type=int, help="the tracked node (the one whose weight changed most, in percent)")
    args = parser.parse_args()
    formats(args)
    from huggin.graphs.weights import draw_weights, table_of_nodes
    from huggin.recording import Recording

    recording = Recording(args.run)
    finish(draw_weights(recording, args.node), args)
    print(table_of_nodes(recording, args.node))


if __name__ == "__main__":
    open_door(main)
