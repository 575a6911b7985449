"""Compose the PDF of one answer: recording -> gv-graphs/qa-output-DATE.gv.pdf.

python create-gv-output.py RUN
"""  # huggin: ask 50

from collections.abc import Sequence
from typing import Any

from huggin.common.cli import CommandParser, run_command
from huggin.common.streams import warn
from huggin.common.text import printable
from huggin.graphs.arguments import add_run, choose_page, load_matplotlib


def main(argv: Sequence[str] | None = None) -> int:
    """Write the DOT file and the PDF, and print the PDF's path."""
    parser = CommandParser(
        "Compose the PDF of the newest answer of get-model-output. It draws its figures\n"
        "from the recording, all of them for the same node.",
        "python create-gv-output.py runs/sample",
    )
    add_run(parser)
    choose_page(parser)
    args = parser.parse_args(argv)
    load_matplotlib()
    from huggin.analysis.nodes import NodeChoice
    from huggin.pages.pdf import output_document
    from huggin.pages.sheets import render
    from huggin.qa.texts import training_records
    from huggin.recording.reader import Recording

    choice = NodeChoice(args.node, args.rank_by, args.sample)
    recording = Recording(args.run)
    document = output_document(recording, training_records, choice)
    if recording.run.explanations.is_dir():
        document.pages += explanation_of_answer(recording)
    pdf = render(document, args.out, "output")
    for line in document.notes:
        warn(f"{parser.prog}: {line}")
    print(printable(str(pdf)))
    return 0


def explanation_of_answer(recording: Any) -> list[Any]:
    """The pages that say which words made the answer; none if lime-answer.py was not run for it."""
    from huggin.lime.words.figures import draw_kept
    from huggin.lime.words.found import newest_kept
    from huggin.pages.sheets import section
    from huggin.recording.answer import asked_of

    kept = newest_kept(recording.run.explanations, *asked_of(recording.run))
    if kept is None:
        return []
    return section("4  Which words made this answer", list(draw_kept(kept).values()))


if __name__ == "__main__":
    run_command(main)
