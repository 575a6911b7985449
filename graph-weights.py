"""Draw the head's weights and their change: recording -> PNG.

python graph-weights.py RUN
python graph-weights.py RUN --rank-by share --all-rankings
"""

from huggin.door import open_door
from huggin.graphs.output import choose_node, choose_sample, finish, graph_parser


def main() -> None:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw the head's weights at the first and last step and their change; print the ten first nodes.",
        "graph-weights.py",
    )
    choose_node(parser)
    choose_sample(parser)
    parser.add_argument("--all-rankings", action="store_true", help="print the nodes in all four rankings instead")
    parser.add_argument("--over-time", action="store_true", help="draw the weights of the first nodes by step instead")
    args = parser.parse_args()
    from huggin.graphs.runs import print_tables, read_runs
    from huggin.graphs.weights import draw_weights, draw_weights_over_time, table_of_nodes, table_of_rankings

    runs, choice = read_runs([args.run, *args.more]), (args.node, args.rank_by, args.sample)
    draw = draw_weights_over_time if args.over_time else draw_weights
    table = table_of_rankings if args.all_rankings else table_of_nodes
    finish(draw(*runs, node=args.node, rank_by=args.rank_by, sample=args.sample), args)
    print_tables(runs, [table(run, *choice) for run in runs])


if __name__ == "__main__":
    open_door(main)
