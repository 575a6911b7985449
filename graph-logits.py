"""Draw a tracked sample's logits and losses: recording -> PNG.

python graph-logits.py RUN
python graph-logits.py RUN --over-time
"""

from huggin.door import open_door
from huggin.graphs.output import choose_sample, finish, graph_parser


def main() -> None:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw a tracked sample's start and end logits by token, and its losses by step; of several tracked samples "
        "print when each was learned.",
        "graph-logits.py",
    )
    choose_sample(parser)
    parser.add_argument(
        "--over-time", action="store_true", help="heat maps, token by step, instead, and when it flipped"
    )
    args = parser.parse_args()
    from huggin.graphs.logits import draw_logits
    from huggin.graphs.over_time import draw_logits_over_time
    from huggin.graphs.runs import print_tables, read_runs
    from huggin.learning import flips_in_words, table_of_samples

    runs = read_runs([args.run, *args.more])
    finish((draw_logits_over_time if args.over_time else draw_logits)(*runs, sample=args.sample), args)
    if args.over_time:
        print_tables(runs, [flips_in_words(run, args.sample) for run in runs])
    if args.over_time or any(len(run.facts["samples"]) > 1 for run in runs):
        print_tables(runs, [table_of_samples(run) for run in runs])


if __name__ == "__main__":
    open_door(main)
