"""Draw how the questions did in training, by kind: recording -> PNG.

huggin graph-questions RUN
huggin graph-questions RUN --by title
"""  # huggin: look 70

from collections.abc import Sequence

from huggin.common.streams import warn
from huggin.graphs.arguments import graph_parser, load_matplotlib


def main(argv: Sequence[str] | None = None) -> int:
    """Save the figures in RUN/graphs and print their paths, and tables."""
    parser = graph_parser(
        "Draw the loss and the share of right answers in the batches of the training, by kind of\n"
        "question: question word, length of the answer, place in the context. Draw what was\n"
        "learned and forgotten between epochs. Print the 20 hardest questions.",
        "huggin graph-questions",
    )
    parser.add_argument(
        "--by", metavar="COLUMN", help="draw kinds of your own instead: the values of this column"
    )
    args = parser.parse_args(argv)
    load_matplotlib()
    from huggin.analysis.question_lists import table_of_hardest
    from huggin.analysis.questions import (
        QuestionTexts,
        all_in_one,
        between_passes,
        groupings,
        passes_in_words,
        same_kinds,
        table_of_kinds,
        texts_of,
    )
    from huggin.common.errors import BadValue, UserError
    from huggin.graphs.questions import draw_kinds, draw_passes
    from huggin.graphs.runs import print_tables, read_runs
    from huggin.graphs.saving import finish
    from huggin.qa.texts import training_records

    runs = read_runs([args.run, *args.more])
    found = [run.questions for run in runs]
    texts: list[QuestionTexts | None] = [None] * len(runs)
    try:
        texts = [texts_of(run, training_records(run.facts.cfg, args.by)) for run in runs]
    except BadValue:
        raise
    except (UserError, OSError) as error:
        if args.by is not None:
            raise
        warn(f"huggin graph-questions: no texts, so no kinds are drawn: {error}")
    kinds = [
        groupings(text, args.by) if text else [all_in_one(each)]
        for each, text in zip(found, texts, strict=True)
    ]
    for group in same_kinds(kinds):
        finish(draw_kinds(*runs, kinds=group), args)
        tables = [table_of_kinds(each, one) for each, one in zip(found, group, strict=True)]
        print_tables(runs, tables)
    finish(draw_passes(*runs), args)
    print_tables(runs, [passes_in_words(between_passes(each)) for each in found])
    print_tables(runs, [table_of_hardest(*each) for each in zip(found, texts, strict=True)])
    return 0
