"""Recordings -> the pages of a PDF.

The pages draw their figures themselves, from the recording and with one choice of node. So a PDF
never mixes nodes or runs.
"""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from huggin.analysis.lens import layers_in_words
from huggin.analysis.nodes import TOP_RANKED, NodeChoice
from huggin.analysis.parts import sums_until
from huggin.analysis.questions import between_passes, hardest, learned_in_words, passes_in_words
from huggin.graphs.attention import draw_attention
from huggin.graphs.kinds import left_out, questions_of
from huggin.graphs.logits import (
    draw_layers,
    draw_layers_over_time,
    draw_logits,
    draw_logits_over_time,
)
from huggin.graphs.losses import draw_losses
from huggin.graphs.nodes import draw_answer, draw_shares, draw_shares_over_time
from huggin.graphs.parts import draw_gradients, draw_rewound
from huggin.graphs.questions import draw_kinds, draw_passes
from huggin.graphs.runs import read_runs, same_sample, side_by_side
from huggin.graphs.weights import draw_weights, draw_weights_over_time
from huggin.pages.blocks import (
    GAP,
    HEIGHT,
    LABELS,
    SCALE,
    WIDTH,
    Block,
    Document,
    beside,
    boxed,
    facts_of_runs,
    figure_block,
    heading,
    in_rows,
    is_about,
    render,
    section,
    stacked,
    text_block,
)
from huggin.pages.dot import FACTS_BLUE, legend_table, table
from huggin.pages.explained import figures_of_answer
from huggin.pages.facts import answer_facts, question_facts, title_line, training_facts
from huggin.pages.made_files import (
    GRAPHS,
    MadeFile,
    about_answer,
    about_training,
    newest_true,
    steps_of,
)
from huggin.recording.answer import read_answer
from huggin.recording.reader import Recording
from huggin.recording.results import read_rewound

LEGEND = 62  # characters of a module in the legend beside the figures
LEGEND_POINTS = 440  # width of that legend
LEGEND_HEIGHT = 600  # points; a longer legend has a page of its own
TEXTS = 70  # characters of the texts of facts
SECOND_SCHEMA = 2  # recordings of the first one have no layers and questions
QUESTION = ("question", "loss", "right/seen", "text", "answer")
WIDTHS = (10, 8, 12, 90, 40)  # characters of these columns


def pdf(
    run: str | Path,
    beside: Sequence[str | Path] = (),
    *,
    answer: bool = False,
    node: int | None = None,
    rank_by: str | None = None,
    sample: int = 0,
    folder: str | Path = GRAPHS,
    if_needed: bool = False,
) -> MadeFile:
    """Compose the PDF of a training: what `huggin create-gv-training` does.

    beside: runs to show beside it. answer: compose the PDF of the run's newest answer instead, as
    `huggin create-gv-output` does. node, rank_by, sample: what the figures are drawn for.
    if_needed: keep a PDF of these runs that is newer than their training.

    >>> import huggin
    >>> made = huggin.pdf("runs/sample", node=3)
    >>> made.path.name.endswith(".gv.pdf")
    True

    Raises UserError if a run cannot be read, has no answer, or lacks the sample or node.
    """
    choice = NodeChoice(node, rank_by, sample)
    runs = read_runs([Path(each) for each in (run, *beside)])
    folder = Path(folder)
    made = made_before(folder, runs) if if_needed else None
    if made:
        return MadeFile(made)
    document = output_document(runs[0], choice) if answer else training_document(runs, choice)
    path = render(document, folder, "output" if answer else "training")
    return MadeFile(path, document.notes)


def training_document(runs: Sequence[Recording], choice: NodeChoice = TOP_RANKED) -> Document:
    """What was trained, how it learned, one question through time and through the layers, and all
    questions, of one or several runs.

    What cannot be drawn of all runs, such as different tracked questions, is left out and noted.
    Raises UserError for a sample or node that is not there.
    """
    titles = [title_line(run) for run in runs]
    document = Document("; ".join(titles), about_training(runs))
    learning = _learning(runs, choice)
    if len(runs) == 1:
        document.pages += _first_pages(runs[0], choice, learning)
    else:
        facts = facts_of_runs(runs, [training_facts(run, choice) for run in runs])
        names = [heading(title) for title in titles]
        blocks = [*names, heading("1  What was trained"), facts, beside(_legends(runs))]
        document.pages.append(stacked(blocks))
        document.pages += section("2  How they learned", learning)
    with left_out(document.notes, "one question through time"):
        document.pages += _one_question(document, runs, choice)
    _add_inside(document, runs, choice.sample)
    return document


def made_before(folder: Path, runs: Sequence[Recording]) -> Path | None:
    """The newest PDF of these runs' training in the folder.

    None if they were trained or rewound since.
    """
    sources = [*steps_of(runs), *(run.run.rewound for run in runs)]
    subject = about_training(runs)
    return newest_true(folder, "qa-training-*.gv.pdf", sources, lambda pdf: is_about(pdf, subject))


def output_document(recording: Recording, choice: NodeChoice = TOP_RANKED) -> Document:
    """The run, its newest answer from the inside, the layers and the questions of its training.

    Raises UserError if it has no answer.
    """
    answer = read_answer(recording.run).facts
    document = Document(title_line(recording), about_answer(recording))
    document.pages += _first_pages(recording, choice, _learning([recording], choice))
    facts = text_block(table(answer_facts(answer), FACTS_BLUE, (LABELS, TEXTS)))
    context = text_block(table([("context", answer.window.context)], FACTS_BLUE, (LABELS, 100)))
    figures = [
        *draw_answer(recording, choice=choice).values(),
        *draw_attention(recording).values(),
    ]
    document.pages += section("3  One answer from the inside", figures, [beside([facts, context])])
    _add_inside(document, [recording], choice.sample)
    if words := figures_of_answer(recording):
        document.pages += section("4  Which words made this answer", words)
    return document


def _learning(runs: Sequence[Recording], choice: NodeChoice) -> list[Figure]:
    """The figures of how the head learned."""
    return [
        *draw_weights(*runs, choice=choice).values(),
        *draw_losses(*runs).values(),
        *draw_weights_over_time(*runs, choice=choice).values(),
    ]


def _first_pages(
    recording: Recording, choice: NodeChoice, learning: Sequence[Figure]
) -> list[Block]:
    """What was trained on the left, how it learned in a box on the right.

    A legend that is too long for this page gets one of its own.
    """
    modules = recording.facts.modules
    facts = table(training_facts(recording, choice), FACTS_BLUE, (LABELS, TEXTS))
    legend = text_block(legend_table(modules, width=LEGEND))
    fits = legend.height <= LEGEND_HEIGHT
    left = [heading("1  What was trained"), text_block(facts), *([legend] if fits else [])]
    width = (WIDTH - LEGEND_POINTS - 4 * GAP) / 2
    blocks = [figure_block(figure, width, HEIGHT / 2, SCALE) for figure in learning]
    box = boxed(stacked(in_rows(blocks, 2 * width + GAP)))
    right = [heading("2  How it learned"), box]
    columns = beside([stacked(left), stacked(right)])
    page = stacked([heading(title_line(recording), 18), columns])
    if fits:
        return [page]
    return [page, stacked([heading("The modules of the model"), legend])]


def _legends(runs: Sequence[Recording]) -> list[Block]:
    """The legend; of runs whose models differ one each, headed by the run's name."""
    first, *others = [run.facts.modules for run in runs]
    if all(other == first for other in others):
        return [text_block(legend_table(first))]
    return [
        text_block(legend_table(run.recording.facts.modules, run.name, run.colour, LEGEND))
        for run in side_by_side(runs)
    ]


def _one_question(document: Document, runs: Sequence[Recording], choice: NodeChoice) -> list[Block]:
    """The pages of the tracked sample. Raises UserError if the runs track different questions."""
    sample = choice.sample
    same_sample(runs, sample)
    logits, losses = draw_logits(*runs, sample=sample).values()
    figures = {"logits": logits, **draw_logits_over_time(*runs, sample=sample)}
    with left_out(document.notes, "the shares of the nodes"):
        shares = draw_shares_over_time(*runs, choice=choice)
        figures |= shares | draw_shares(*runs, sample=sample)
    texts = [question_facts(run, sample) for run in runs]
    above = in_rows([facts_of_runs(runs, texts), figure_block(losses, WIDTH, HEIGHT, SCALE)], WIDTH)
    return section("3  One question through time", list(figures.values()), above)


def _add_inside(document: Document, runs: Sequence[Recording], sample: int) -> None:
    """Add the sections "through the layers" and "question by question"; what lacks is noted."""
    older = [run for run in runs if run.facts.schema_version < SECOND_SCHEMA]
    if older and len(older) < len(runs):
        what = f"an older version of the toolkit recorded {older[0].run.path}"
        document.notes.append(f"left out, the layers and the questions: {what}")
    if older:
        return
    document.pages += _through_the_layers(document, runs, sample)
    with left_out(document.notes, "the questions"):
        document.pages += _question_by_question(document, runs)


def _through_the_layers(document: Document, runs: Sequence[Recording], sample: int) -> list[Block]:
    """The lens, the gradients by part, and what rewinding found if it was run."""
    figures: dict[str, Figure] = {}
    above = []
    with left_out(document.notes, "the head on each layer"):
        figures |= draw_layers(*runs, sample=sample) | draw_layers_over_time(*runs, sample=sample)
        above = [facts_of_runs(runs, [[("the answer", _where_it_appears(run))] for run in runs])]
    with left_out(document.notes, "the gradients"):
        figures |= draw_gradients(*runs)
    for run in side_by_side(runs):
        with left_out(document.notes, "what rewinding found"):
            if found := read_rewound(run.recording.run):
                ledger = sums_until(run.recording, found.step)
                (figures[f"rewind {run.name}"],) = draw_rewound(found, ledger, run.name).values()
    return section("4  Through the layers", list(figures.values()), above) if figures else []


def _where_it_appears(run: Recording) -> str:
    """On which layer and at which step the head was right, for each tracked sample."""
    samples = range(len(run.facts.samples))
    return "\n".join(layers_in_words(run, number) for number in samples)


def _question_by_question(document: Document, runs: Sequence[Recording]) -> list[Block]:
    """Loss and right answers by kind, what was learned and forgotten, the hardest questions."""
    passes = draw_passes(*runs)
    what = "left out, the kinds of questions"
    records, kinds = questions_of(runs, document.notes, what)
    figures = [figure for group in kinds for figure in draw_kinds(*runs, kinds=group).values()]
    facts = [
        [
            ("learned first", learned_in_words(run.questions, kind)),
            ("and forgotten", passes_in_words(between_passes(run.questions))),
        ]
        for run, kind in zip(runs, kinds[0], strict=True)
    ]
    below = []
    if len(runs) == 1:
        title = heading("The questions with the highest loss when they were last seen", 10)
        rows = [QUESTION, *hardest(runs[0].questions, records[0])]
        below = [stacked([title, text_block(table(rows, FACTS_BLUE, WIDTHS))])]
    above = [facts_of_runs(runs, facts)]
    return section("5  Question by question", [*figures, *passes.values()], above, below)
