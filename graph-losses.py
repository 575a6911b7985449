"""Draw the training loss: recording -> PNG.

python graph-losses.py RUN
"""  # huggin: look 30

from collections.abc import Sequence

from huggin.common.cli import run_command
from huggin.graphs.arguments import graph_parser, load_matplotlib


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw the loss by step with an exponential fit, and the learning rate below it.",
        "python graph-losses.py",
    )
    args = parser.parse_args(argv)
    load_matplotlib()
    from huggin.graphs.losses import draw_losses
    from huggin.graphs.runs import read_runs
    from huggin.graphs.saving import finish

    runs = read_runs([args.run, *args.more])
    finish(draw_losses(*runs), args)
    return 0


if __name__ == "__main__":
    run_command(main)
