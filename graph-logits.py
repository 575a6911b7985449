"""Draw a tracked sample's logits and losses: recording -> PNG.

python graph-logits.py RUN
python graph-logits.py RUN --over-time
"""  # huggin: look 40

from collections.abc import Sequence

from huggin.common.cli import run_command
from huggin.graphs.arguments import choose_sample, graph_parser, load_matplotlib


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw a tracked sample's start and end logits by token, and its losses by step.\n"
        "If there are several tracked samples, print when each was learned.",
        "python graph-logits.py",
    )
    choose_sample(parser)
    parser.add_argument(
        "--over-time",
        action="store_true",
        help="draw heat maps, token by step, instead; print the steps at which the answer changed",
    )
    args = parser.parse_args(argv)
    load_matplotlib()
    from huggin.analysis.learning import flips_in_words, table_of_samples
    from huggin.graphs.logits import draw_logits
    from huggin.graphs.logits_over_time import draw_logits_over_time
    from huggin.graphs.runs import print_tables, read_runs
    from huggin.graphs.saving import finish

    runs = read_runs([args.run, *args.more])
    draw = draw_logits_over_time if args.over_time else draw_logits
    finish(draw(*runs, sample=args.sample), args)
    if args.over_time:
        print_tables(runs, [flips_in_words(run, args.sample) for run in runs])
    if args.over_time or any(len(run.facts.samples) > 1 for run in runs):
        print_tables(runs, [table_of_samples(run) for run in runs])
    return 0


if __name__ == "__main__":
    run_command(main)
