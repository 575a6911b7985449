"""Explain an answer of a trained model: which words of question and context made it?

    found = huggin.explain_answer("runs/sample", 3)
    print(found.in_words())

The methods are compared, and the training is followed, if that is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from huggin.asking.answering import TrainedModel
from huggin.common.files import write_json
from huggin.graphs.saving import as_html, save_figures
from huggin.lime.choices import WIDTH
from huggin.lime.drawing import missing_in
from huggin.lime.explanation import Request
from huggin.lime.results import make_writable
from huggin.lime.steps import Report, Say
from huggin.lime.words.case import case_of
from huggin.lime.words.figures import NAMES, draw_kept
from huggin.lime.words.found import FILE, Kept
from huggin.lime.words.question import Question, chosen_question
from huggin.lime.words.rivals import node_shares
from huggin.lime.words.scene import TextModel
from huggin.model.device import choose_device
from huggin.model.fast_linear import speed_up
from huggin.qa.given import arguments_of
from huggin.recording.checkpoints import hash_of_weights, is_complete, newest_model


@dataclass(frozen=True)
class ExplainedAnswer:
    """An explained answer: what is kept of it, and what was said while it was explained."""

    kept: Kept
    folder: Path
    lines: list[str]

    def in_words(self) -> str:
        """LIME's steps, what they found, and how far to trust it."""
        return "\n".join(self.lines)

    def as_json(self) -> dict[str, Any]:
        """Every number, as in explanation.json."""
        return self.kept.as_json()

    def figures(self) -> dict[str, Figure]:
        """The text in colours, the top segments, and what else was asked for."""
        return draw_kept(self.kept)

    def save(self, show: bool = False, verbose: bool = False) -> None:
        """Save the figures beside explanation.json.

        Prints where the texts in colours are; the paths of all others, too, if `verbose`.
        """
        figures = self.figures()
        for name in NAMES.difference(figures):  # those of an earlier explanation
            (self.folder / f"{name}.png").unlink(missing_ok=True)
        texts = [finding.kind for finding in self.kept.findings]
        save_figures(figures, self.folder, show, told=None if verbose else texts)
        if line := missing_in([self.kept.asked.question, self.kept.asked.context]):
            print(line)

    def _repr_html_(self) -> str:
        return as_html(self.figures().values(), self.in_words())


def explain_answer(
    run: str | Path | Question,
    index: int | None = None,
    *,
    question: str | None = None,
    context: str | None = None,
    split: str | None = None,
    by: str = "auto",
    spans: Sequence[str] = (),
    hide: str = "mask",
    hide_answer: bool = False,
    explain: str = "answer",
    score: str = "logit",
    sampler: str = "hadamard",
    samples: int | None = None,
    adjust: bool = True,
    seed: int = 0,
    kernel_width: float = WIDTH,
    top: int = 5,
    stability: int | None = None,
    compare: bool = True,
    checkpoints: bool = False,
    device: str | None = None,
    out: str | Path | None = None,
    verbose: bool = False,
    say: Say = lambda _: None,
) -> ExplainedAnswer:
    """Explain which words made a run's model give its answer: `huggin lime-answer`.

    run: its folder, or what `chosen_question` gives.
    index: a question of `split`, `train` or `validation`; without, that of the newest kept answer.
    question, context: texts of your own instead. by: `auto`, `words` or `sentences`; spans: parts
    of the texts that are segments instead. hide: `mask`, `delete` or `pad`. explain: `answer`,
    `gold`, a text of the context, or one ` over ` another. score: `logit` or `probability`.
    sampler, samples, adjust, seed, kernel_width, top: as in `huggin.lime.explanation.Request`.
    stability: how often it is repeated with fresh masks. compare: with other methods.
    checkpoints: whether every checkpoint is explained, too. out: the folder of explanation.json;
    without, RUN/explanations/INDEX. verbose: tell the four steps and the tables, too. say: told
    each line as soon as it is known.

    >>> import huggin
    >>> explained = huggin.explain_answer("runs/sample", 1, samples=65, compare=False)
    >>> [segment.text for segment in explained.kept.findings[0].segments[:4]]
    ['When', 'do', 'they', 'return?']

    Raises UserError if question, model or arguments cannot be used.
    """
    chosen = run
    if not isinstance(chosen, Question):
        chosen = chosen_question(chosen, index, split, question, context)
    recorded = chosen.recording.run
    text_model = _load(chosen, newest_model(recorded), device)
    folder = Path(out) if out else recorded.explanations / chosen.folder
    make_writable(folder)
    request = Request(sampler, samples or 0, seed, score, top, by, hide, kernel_width, adjust)
    report = Report(say, verbose)
    case = case_of(chosen, text_model, explain, hide_answer, request, folder, report)
    report.tell(*case.introduction())
    findings, last = case.findings(spans, stability, compare)
    nodes = node_shares(last.scene, last.target) if compare else None
    if nodes:
        report.detail(nodes.in_words())
    by_step = None
    if checkpoints:
        places = [place for at, place in recorded.checkpoints() if at < text_model.step]
        earlier = (_load(chosen, place, device) for place in places if is_complete(place))
        by_step = case.by_step(last, chain(earlier, [text_model]))
    if findings[-1].believe:
        report.tell(findings[-1].believe)
    kept = Kept(case.asked, findings, by_step, nodes.as_json() if nodes else None)
    write_json(folder / FILE, kept.as_json())
    return ExplainedAnswer(kept, folder, report.lines)


def _load(chosen: Question, folder: Path, device: str | None) -> TextModel:
    """The model in a folder of the run.

    Raises UserError if it cannot be used, or the chosen question cannot be asked.
    """
    run, facts = chosen.recording.run, chosen.recording.facts
    place = choose_device(device, bool(facts.cfg.get("use_cpu")))
    trained = TrainedModel.in_folder(run, folder, arguments_of(facts.cfg)[1], place)
    trained.refuse_unfit(chosen.record["question"], chosen.record["context"])
    return TextModel(
        name=facts.model_type_state(trained.step),
        model=speed_up(trained.model),
        tokenizer=trained.tokenizer,
        data=trained.data,
        fingerprint=hash_of_weights(folder),
        run=str(run.path),
        step=trained.step,
    )
