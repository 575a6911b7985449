"""Play a training back: recording -> gv-graphs/qa-training-DATE.html, which any browser opens.

python create-page.py RUN
python create-page.py RUN RUN2
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggin.common.cli import CommandParser, run_command
from huggin.common.text import printable
from huggin.graphs.arguments import add_runs


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page and print its path."""
    parser = CommandParser(
        "Write one HTML file that plays a training back, step by step. It opens from the disk in\n"
        "any browser and loads nothing. With several runs, two can be played together.",
        "python create-page.py runs/sample",
    )
    add_runs(parser, "runs to choose from, or to play beside it")
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("gv-graphs"),
        help="folder to write to (default: gv-graphs)",
    )
    args = parser.parse_args(argv)
    from huggin.graphs.runs import read_runs
    from huggin.pages.page import training_page, write_page
    from huggin.qa.texts import some_training_records

    runs = read_runs([args.run, *args.more])
    text = training_page(
        runs, lambda run, places: some_training_records(run.facts.cfg, places), explained_of
    )
    path = write_page(text, args.out, "training")
    print(printable(str(path)))
    return 0


def explained_of(recording: Any) -> list[dict[str, Any]]:
    """The answers of the newest model that lime-answer.py has explained; mostly none."""
    run = recording.run
    if not run.explanations.is_dir():
        return []
    from huggin.lime.words_page import explained_for_page
    from huggin.recording.checkpoints import hash_of_weights, newest_model

    return explained_for_page(run.explanations, hash_of_weights(newest_model(run)))


if __name__ == "__main__":
    run_command(main)
