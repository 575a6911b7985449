"""Play a training back: recording -> gv-graphs/qa-training-DATE.html, which any browser opens.

huggin create-page RUN
huggin create-page RUN RUN2
huggin create-page RUN --answer
"""  # huggin: look 10

from collections.abc import Sequence
from typing import Any

from huggin.common.cli import CommandParser
from huggin.common.text import printable
from huggin.graphs.arguments import add_runs, choose_folder


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page and print its path."""
    parser = CommandParser(
        "Write one HTML file that plays a training back, step by step. It opens from the disk in\n"
        "any browser and loads nothing. With several runs, two can be played together.",
        "huggin create-page runs/sample",
    )
    add_runs(parser, "runs to choose from, or to play beside it")
    choose_folder(parser)
    parser.add_argument(
        "--if-needed",
        action="store_true",
        help="keep a page of these runs that is newer than their training, and print its path",
    )
    parser.add_argument(
        "--answer",
        action="store_true",
        help="show the newest answer of get-model-output instead of the training",
    )
    args = parser.parse_args(argv)
    if args.answer and args.more:
        parser.error("--answer is about one run")
    from huggin.graphs.runs import read_runs
    from huggin.pages.page import answer_page, made_before, training_page, write_page
    from huggin.qa.texts import some_training_records

    runs = read_runs([args.run, *args.more])
    if args.answer:
        text = answer_page(runs[0], words_of_answer(runs[0]))
        print(printable(str(write_page(text, args.out, "output"))))
        return 0
    there = made_before(args.out, runs) if args.if_needed else None
    if there:
        print(printable(str(there)))
        return 0
    text = training_page(
        runs, lambda run, places: some_training_records(run.facts.cfg, places), explained_of
    )
    path = write_page(text, args.out, "training")
    print(printable(str(path)))
    return 0


def words_of_answer(recording: Any) -> dict[str, Any] | None:
    """Which words made the newest answer; None if lime-answer.py was not run for it."""
    run = recording.run
    if not run.explanations.is_dir():
        return None
    from huggin.lime.words.found import newest_kept
    from huggin.pages.page_answer import page_of_words
    from huggin.recording.answer import asked_of

    kept = newest_kept(run.explanations, *asked_of(run))
    if kept is None:
        return None
    finding = kept.findings[-1]  # of a long text: its words, after its sentences
    segments = sorted(finding.segments, key=lambda segment: segment.rank)
    rows = [(one.text, one.coefficient, finding.is_clear(one)) for one in segments]
    return page_of_words(rows, finding.believe, finding.scale)


def explained_of(recording: Any) -> list[dict[str, Any]]:
    """The answers of the newest model that lime-answer.py has explained; mostly none."""
    run = recording.run
    if not run.explanations.is_dir():
        return []
    from huggin.lime.words.page import explained_for_page
    from huggin.recording.checkpoints import hash_of_weights, newest_model

    return explained_for_page(run.explanations, hash_of_weights(newest_model(run)))
