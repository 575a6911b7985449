"""Draw EM and F1 by step, a line per run: RUN/efficacy.json -> PNG.

python graph-efficacy.py runs/sample runs/squad
"""

from huggin.door import open_door
from huggin.graphs.output import finish, graph_parser


def main() -> None:
    """Save the figure in the first run's graphs and print its path."""
    parser = graph_parser("Draw EM and F1 with their 95 % intervals by step, a line per run.", "graph-efficacy.py")
    args = parser.parse_args()
    from huggin.graphs.efficacy import draw_efficacy

    finish(draw_efficacy([args.run, *args.more]), args)


if __name__ == "__main__":
    open_door(main)
