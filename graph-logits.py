"""Draw a tracked sample's logits and losses: recording -> PNG.

python graph-logits.py RUN
"""

from huggin.door import open_door
from huggin.graphs.output import finish, formats, graph_parser


def main() -> None:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw a tracked sample's start and end logits by token, and its losses by step.", "graph-logits.py"
    )
    args = parser.parse_args()
    formats(args)
    from huggin.graphs.logits import draw_logits
    from huggin.recording import Recording

    recording = Recording(args.run)
    finish(draw_logits(recording), args)


if __name__ == "__main__":
    open_door(main)
