"""Draw EM and F1 by step, a line per run: RUN/efficacy.json -> PNG.

huggin graph-efficacy runs/sample runs/squad
"""  # huggin: ask 30

from collections.abc import Sequence

from huggin.graphs.arguments import graph_parser, load_matplotlib


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths."""
    parser = graph_parser(
        "Draw EM and F1 with their 95 % intervals by step, a line per run.", "huggin graph-efficacy"
    )
    args = parser.parse_args(argv)
    load_matplotlib()
    from huggin.graphs.efficacy import draw_efficacy
    from huggin.graphs.runs import refuse_too_many
    from huggin.graphs.saving import finish

    runs = [args.run, *args.more]
    refuse_too_many(runs)
    finish(draw_efficacy(runs), args)
    return 0
