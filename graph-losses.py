"""Draw the training loss: recording -> PNG.

python graph-losses.py RUN
python graph-losses.py RUN --spikes
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
    parser.add_argument(
        "--spikes",
        action="store_true",
        help="mark the steps whose loss stands out, and print the questions of their batches",
    )
    args = parser.parse_args(argv)
    if args.spikes and args.more:
        parser.error("--spikes: for a single RUN")
    load_matplotlib()
    from huggin.analysis.spikes import find_spikes, spikes_in_words
    from huggin.common.errors import UserError
    from huggin.common.streams import warn
    from huggin.common.text import printable
    from huggin.graphs.losses import draw_losses
    from huggin.graphs.runs import read_runs
    from huggin.graphs.saving import finish
    from huggin.qa.texts import training_records

    runs = read_runs([args.run, *args.more])
    if not args.spikes:
        finish(draw_losses(*runs), args)
        return 0
    try:
        records = training_records(runs[0].facts.cfg)
    except (UserError, OSError) as error:
        warn(f"graph-losses.py: no texts: {error}")
        records = []
    lengths = [len(record["context"]) + len(record["question"]) for record in records]
    spikes = find_spikes(runs[0], lengths or None)
    finish(draw_losses(*runs, spikes=spikes), args)
    print(printable(spikes_in_words(spikes, records)))
    return 0


if __name__ == "__main__":
    run_command(main)
