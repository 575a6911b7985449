"""Draw the training loss: recording -> PNG.

python graph-losses.py RUN
"""

from huggin.door import open_door
from huggin.graphs.output import finish, graph_parser


def main() -> None:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw the loss by step with an exponential fit, the learning rate beneath.", "graph-losses.py"
    )
    args = parser.parse_args()
    from huggin.graphs.losses import draw_losses
    from huggin.graphs.runs import read_runs

    finish(draw_losses(*read_runs([args.run, *args.more])), args)


if __name__ == "__main__":
    open_door(main)
