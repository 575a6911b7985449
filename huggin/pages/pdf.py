"""Recordings -> the pages of a PDF.

The pages draw their figures themselves, from the recording and with one choice of node. So a PDF
never mixes nodes or runs.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from huggin.analysis.lens import layers_in_words
from huggin.analysis.nodes import TOP_RANKED, NodeChoice
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
    LABELS,
    Block,
    Document,
    facts_of_runs,
    heading,
    is_about,
    render,
    section,
    stacked,
    text_block,
)
from huggin.pages.dot import FACTS_BLUE, legend_table, table
from huggin.pages.facts import answer_facts, question_facts, title_line, training_facts
from huggin.pages.made_files import GRAPHS, MadeFile, about_answer, about_training, newest_true
from huggin.pages.page_run import figures_of_answer
from huggin.recording.answer import read_answer
from huggin.recording.reader import Recording
from huggin.recording.results import read_all_rewound

PDFS = "qa-training-*.gv.pdf"
LEGEND = 62  # characters of a module in the legends of several runs
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
    if if_needed and (made := made_before(folder, runs)):
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
    document = Document("; ".join(titles), about_training(runs), _learning(titles, runs, choice))
    with left_out(document.notes, "one question through time"):
        document.blocks += _one_question(document, runs, choice)
    _add_inside(document, runs, choice.sample)
    return document


def made_before(folder: Path, runs: Sequence[Recording]) -> Path | None:
    """The newest PDF of these runs, none if they were trained or rewound since."""
    return newest_true(folder, PDFS, runs, [run.run.rewound for run in runs], is_about)


def output_document(recording: Recording, choice: NodeChoice = TOP_RANKED) -> Document:
    """The run's newest answer from the inside, and the words that made it if they were explained.

    Raises UserError if it has no answer.
    """
    answer = read_answer(recording.run).facts
    said = answer.answered or "(no answer)"
    title = f"{answer.window.question} — {said} ({recording.run.path}, step {answer.step:,})"
    document = Document(title, about_answer(recording), [heading(title, 18)])
    rows = [*answer_facts(recording, answer), ("context", answer.window.context)]
    facts = text_block(table(rows, FACTS_BLUE, (LABELS, TEXTS)))
    figures = draw_answer(recording, choice=choice) | draw_attention(recording)
    document.blocks += section("The answer from the inside", [facts, *figures.values()])
    if words := figures_of_answer(recording):
        document.blocks += section("The words that made it", words)
    return document


def _learning(titles: Sequence[str], runs: Sequence[Recording], choice: NodeChoice) -> list[Block]:
    """The first section: what was trained, and how the head learned."""
    facts = facts_of_runs(runs, [training_facts(run, choice) for run in runs])
    figures = draw_weights(*runs, choice=choice) | draw_losses(*runs)
    figures |= draw_weights_over_time(*runs, choice=choice)
    names = [heading(title, 18 if len(runs) == 1 else 14) for title in titles]
    title = "1  What was trained, and how it learned"
    return [replace(stacked(names), is_heading=True), *section(title, [facts, *figures.values()])]


def _one_question(document: Document, runs: Sequence[Recording], choice: NodeChoice) -> list[Block]:
    """The pages of the tracked sample. Raises UserError if the runs track different questions."""
    sample = choice.sample
    same_sample(runs, sample)
    logits, losses = draw_logits(*runs, sample=sample).values()
    figures = {"logits": logits, **draw_logits_over_time(*runs, sample=sample)}
    with left_out(document.notes, "the shares of the nodes"):
        figures |= draw_shares_over_time(*runs, choice=choice) | draw_shares(*runs, sample=sample)
    facts = facts_of_runs(runs, [question_facts(run, sample) for run in runs])
    contents: list[Block | Figure] = [facts, losses, *figures.values()]
    return section("2  One question through time", contents)


def _add_inside(document: Document, runs: Sequence[Recording], sample: int) -> None:
    """Add "through the layers", "question by question" and the modules; what lacks is noted."""
    older = [run for run in runs if run.facts.schema_version < SECOND_SCHEMA]
    if older and len(older) < len(runs):
        what = f"an older version of the toolkit recorded {older[0].run.path}"
        document.notes.append(f"left out, the layers and the questions: {what}")
    if not older:
        document.blocks += _through_the_layers(document, runs, sample)
        with left_out(document.notes, "the questions"):
            document.blocks += _question_by_question(document, runs)
    first, *others = [run.facts.modules for run in runs]
    if all(other == first for other in others):
        legends = [text_block(legend_table(first))]
    else:  # a table each, headed by the run's name
        legends = [
            text_block(legend_table(run.recording.facts.modules, run.name, run.colour, LEGEND))
            for run in side_by_side(runs)
        ]
    document.blocks += section("The modules of the model", legends)


def _through_the_layers(document: Document, runs: Sequence[Recording], sample: int) -> list[Block]:
    """The lens, the gradients by part, and what rewinding found if it was run."""
    contents: list[Block | Figure] = []
    with left_out(document.notes, "the head on each layer"):
        figures = draw_layers(*runs, sample=sample) | draw_layers_over_time(*runs, sample=sample)
        texts = []
        for recording in runs:
            samples = range(len(recording.facts.samples))
            lines = (layers_in_words(recording, number) for number in samples)
            texts.append([("the answer", "\n".join(lines))])
        contents += [facts_of_runs(runs, texts), *figures.values()]
    with left_out(document.notes, "the gradients"):
        contents += draw_gradients(*runs).values()
    for run in side_by_side(runs):
        with left_out(document.notes, "what rewinding found"):
            if found := read_all_rewound(run.recording.run):
                contents += draw_rewound(run.recording, found[-1], run.name).values()
    return section("3  Through the layers", contents) if contents else []


def _question_by_question(document: Document, runs: Sequence[Recording]) -> list[Block]:
    """Loss and right answers by kind, what was learned and forgotten, the hardest questions."""
    passes = draw_passes(*runs)
    records, kinds = questions_of(runs, document.notes, "left out, the kinds of questions")
    facts = [
        [
            ("learned first", learned_in_words(run.questions, kind)),
            ("and forgotten", passes_in_words(between_passes(run.questions))),
        ]
        for run, kind in zip(runs, kinds[0], strict=True)
    ]
    of_kinds = [figure for kind in kinds for figure in draw_kinds(*runs, kinds=kind).values()]
    contents: list[Block | Figure] = [facts_of_runs(runs, facts), *of_kinds, *passes.values()]
    if len(runs) == 1:
        title = heading("The questions with the highest loss when they were last seen", 10)
        rows = [QUESTION, *hardest(runs[0].questions, records[0])]
        contents.append(stacked([title, text_block(table(rows, FACTS_BLUE, WIDTHS))]))
    return section("4  Question by question", contents)
