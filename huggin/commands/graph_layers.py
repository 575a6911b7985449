"""Draw the QA head on every layer's output, gradients and ledger by part: recording -> PNG.

huggin graph-layers RUN
huggin graph-layers RUN --sample 1 --step 0
"""  # huggin: look 60

from collections.abc import Callable, Sequence
from typing import Any

from huggin.common.errors import BadValue, UserError
from huggin.common.streams import warn
from huggin.graphs.arguments import choose_sample, graph_parser, load_matplotlib


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths, and three tables."""
    parser = graph_parser(
        "Draw what the QA head makes of each layer's output for a tracked sample, by token and\n"
        "by step, the norm of the gradient by part of the model, and the ledger: which part\n"
        "changed the sample's loss, and when. Print when the head on each layer was first right.",
        "huggin graph-layers",
    )
    choose_sample(parser)
    parser.add_argument(
        "--step",
        type=int,
        metavar="K",
        help="draw the layers at this probe alone (default: first, middle and last probe)",
    )
    parser.add_argument(
        "--part",
        action="append",
        metavar="NAME",
        help="a part whose gradient is drawn as a line, such as 'layer 2'; several times for\n"
        "several (default: the ends, and the first, middle and last layer)",
    )
    args = parser.parse_args(argv)
    load_matplotlib()
    from huggin.analysis.gradients import table_of_parts
    from huggin.analysis.ledger import sums_of, words_and_table
    from huggin.analysis.lens import table_of_layers
    from huggin.graphs.gradients import draw_gradients
    from huggin.graphs.layers import draw_layers
    from huggin.graphs.layers_over_time import draw_layers_over_time
    from huggin.graphs.ledger import draw_ledger
    from huggin.graphs.runs import print_tables, read_runs
    from huggin.graphs.saving import finish

    runs = read_runs([args.run, *args.more])
    missing: list[str] = []
    layers = drawn(lambda: draw_layers(*runs, sample=args.sample, step=args.step), missing)
    if layers:
        layers |= draw_layers_over_time(*runs, sample=args.sample)
    gradients = drawn(lambda: draw_gradients(*runs, parts=args.part), missing)
    ledger = drawn(lambda: draw_ledger(*runs, sample=args.sample), missing)
    if not layers and not gradients and not ledger:
        raise UserError(missing[0])
    if layers:
        finish(layers, args)
        print_tables(runs, [table_of_layers(run, args.sample) for run in runs])
    if gradients:
        finish(gradients, args)
        print_tables(runs, [table_of_parts(run.layers) for run in runs])
    if ledger:
        finish(ledger, args)
        sums = [sums_of(run.ledger(args.sample)) for run in runs]
        print_tables(runs, [words_and_table(found) for found in sums])
    for line in missing:
        warn(f"huggin graph-layers: {line}")
    return 0


def drawn(draw: Callable[[], dict[str, Any]], missing: list[str]) -> dict[str, Any]:
    """Figures; if the recording lacks their table there are none, and `missing` says why.

    Raises BadValue for an argument that cannot be used, before anything is saved.
    """
    try:
        return draw()
    except BadValue:
        raise
    except UserError as error:
        missing.append(str(error))
        return {}
