"""The sections of a PDF on the layers and on the questions: figures, and facts in words."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from huggin.analysis.lens import layers_in_words
from huggin.analysis.parts import sums_until
from huggin.analysis.questions import (
    Grouping,
    Record,
    between_passes,
    hardest,
    learned_in_words,
    passes_in_words,
)
from huggin.common.errors import UserError
from huggin.graphs.kinds import drawn_or_noted, questions_of
from huggin.graphs.logits import draw_layers, draw_layers_over_time
from huggin.graphs.parts import draw_gradients, draw_rewound
from huggin.graphs.questions import draw_kinds, draw_passes
from huggin.graphs.runs import side_by_side
from huggin.pages.blocks import (
    Block,
    Document,
    facts_of_runs,
    heading,
    section,
    stacked,
    text_block,
)
from huggin.pages.dot import FACTS_BLUE, table
from huggin.pages.facts import Row
from huggin.recording.reader import Recording
from huggin.recording.results import read_rewound

SECOND_SCHEMA = 2  # recordings of the first one have none of these tables
HARDEST = (10, 8, 12, 90, 40)  # characters of the columns of the hardest questions


def add_inside(document: Document, runs: Sequence[Recording], sample: int, number: int = 4) -> None:
    """Add the sections "through the layers" and "question by question".

    number: of the first of them. What cannot be drawn is left out and noted.
    """
    older = [run for run in runs if run.facts.schema_version < SECOND_SCHEMA]
    if older and len(older) < len(runs):
        what = f"an older version of the toolkit recorded {older[0].run.path}"
        document.notes.append(f"left out, the layers and the questions: {what}")
    if older:
        return
    document.pages += _through_the_layers(document, runs, sample, number)
    document.pages += _question_by_question(document, runs, number + 1)


def _through_the_layers(
    document: Document, runs: Sequence[Recording], sample: int, number: int
) -> list[Block]:
    """The lens, the gradients by part, and what rewinding found if it was run."""
    notes = document.notes
    lens = drawn_or_noted(notes, lambda: _lens(runs, sample), "the head on each layer")
    gradients = drawn_or_noted(notes, lambda: draw_gradients(*runs), "the gradients")
    figures = [*lens.values(), *gradients.values(), *_rewound(document, runs)]
    if not figures:
        return []
    texts = [[("the answer", _where_it_appears(run))] for run in runs if lens]
    above = [facts_of_runs(runs, texts)] if lens else []
    return section(f"{number}  Through the layers", figures, above)


def _lens(runs: Sequence[Recording], sample: int) -> dict[str, Figure]:
    return draw_layers(*runs, sample=sample) | draw_layers_over_time(*runs, sample=sample)


def _where_it_appears(run: Recording) -> str:
    """On which layer and at which step the head was right, for each tracked sample."""
    samples = range(len(run.facts.samples))
    return "\n".join(layers_in_words(run, number) for number in samples)


def _rewound(document: Document, runs: Sequence[Recording]) -> list[Figure]:
    """A figure for each run that was rewound."""
    figures: list[Figure] = []
    for run in side_by_side(runs):
        try:
            found = read_rewound(run.recording.run)
        except UserError as error:
            document.notes.append(f"left out, what rewinding found: {error}")
            continue
        if found:
            ledger = sums_until(run.recording, found.step)
            figures += draw_rewound(found, ledger, run.name).values()
    return figures


def _question_by_question(
    document: Document, runs: Sequence[Recording], number: int
) -> list[Block]:
    """Loss and right answers by kind, what was learned and forgotten, the hardest questions."""
    notes = document.notes
    try:
        passes = draw_passes(*runs)
    except UserError as error:
        notes.append(f"left out, the questions: {error}")
        return []
    records, kinds = questions_of(runs, notes, "left out, the kinds of questions")
    figures: list[Figure] = []
    for group in kinds:
        figures += draw_kinds(*runs, kinds=group).values()
    figures += passes.values()
    facts = [_learned(run, kind) for run, kind in zip(runs, kinds[0], strict=True)]
    above = [facts_of_runs(runs, facts)]
    below = [_hardest(runs[0], records[0])] if len(runs) == 1 else []
    return section(f"{number}  Question by question", figures, above, below)


def _learned(run: Recording, kinds: Grouping) -> list[Row]:
    return [
        ("learned first", learned_in_words(run.questions, kinds)),
        ("and forgotten", passes_in_words(between_passes(run.questions))),
    ]


def _hardest(run: Recording, records: Sequence[Record] | None) -> Block:
    """The questions with the highest loss at the end, with their texts if they are known."""
    heads = ("question", "loss", "right/seen", "text", "answer")
    title = heading("The questions with the highest loss when they were last seen", 10)
    rows = [heads, *hardest(run.questions, records)]
    return stacked([title, text_block(table(rows, FACTS_BLUE, HARDEST))])
