"""Draw the QA head's weights and their change: recording -> PNG.

python graph-weights.py RUN
python graph-weights.py RUN --rank-by share --all-rankings
"""  # huggin: look 50

from collections.abc import Sequence

from huggin.common.cli import run_command
from huggin.graphs.arguments import choose_node, choose_sample, graph_parser, load_matplotlib


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw the weights of the QA head at the first and last step, and their change.\n"
        "Print the first ten nodes of the ranking.",
        "python graph-weights.py",
    )
    choose_node(parser)
    choose_sample(parser)
    parser.add_argument(
        "--all-rankings",
        action="store_true",
        help="print the values and places of these nodes in all four rankings instead",
    )
    parser.add_argument(
        "--over-time",
        action="store_true",
        help="draw the weights of the first nodes by step instead",
    )
    args = parser.parse_args(argv)
    load_matplotlib()
    from huggin.analysis.node_tables import table_of_nodes, table_of_rankings
    from huggin.analysis.nodes import NodeChoice
    from huggin.graphs.runs import print_tables, read_runs
    from huggin.graphs.saving import finish
    from huggin.graphs.weights import draw_weights, draw_weights_over_time

    runs = read_runs([args.run, *args.more])
    for run in runs:
        run.tracked(args.sample)  # raises if there is no such sample
    choice = NodeChoice(args.node, args.rank_by, args.sample)
    draw = draw_weights_over_time if args.over_time else draw_weights
    table_of = table_of_rankings if args.all_rankings else table_of_nodes
    finish(draw(*runs, choice=choice), args)
    print_tables(runs, [table_of(run, choice) for run in runs])
    return 0


if __name__ == "__main__":
    run_command(main)
