"""Play a training back: recording -> gv-graphs/qa-training-DATE.html, which any browser opens.

huggin create-page RUN
huggin create-page RUN RUN2
huggin create-page RUN --answer
"""  # huggin: look 10

from collections.abc import Sequence

import huggin
from huggin.common.cli import CommandParser
from huggin.common.progress import loading
from huggin.graphs.arguments import add_options, add_runs


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page and print its path."""
    parser = CommandParser(
        "Write one HTML file that plays a training back, step by step. It opens from the disk in\n"
        "any browser and loads nothing. With several runs, two can be played together.",
        "huggin create-page runs/sample",
    )
    add_runs(parser, "runs to choose from, or to play beside it")
    add_options(parser, "--out", "--if-needed")
    parser.option("--answer", "show the newest answer of get-model-output instead of the training")
    args = parser.parse_args(argv)
    if args.answer and args.beside:
        parser.error("--answer is about one run")
    loading(str(args.run))
    print(huggin.page(**vars(args)).path)
    return 0
