"""Explain an answer of a trained model: which words of question and context made it?

    found = huggin.explain_answer("runs/sample", 3)
    print(found.in_words())

The methods are compared, and the training is followed, if that is asked for.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from huggin.analysis.nodes import nodes_for_half
from huggin.common.errors import BadValue, UserError
from huggin.graphs.kinds import as_html
from huggin.graphs.saving import save_figures
from huggin.lime.choices import WIDTH
from huggin.lime.explained import Request, doubts, verdict_on
from huggin.lime.fonts import missing_in
from huggin.lime.quality import differing
from huggin.lime.results import make_writable
from huggin.lime.steps import Say, explain, repeated
from huggin.lime.words.case import (
    Question,
    TextCase,
    case_of,
    default_samples,
    refuse_long_context,
)
from huggin.lime.words.compared import (
    LIME,
    compare,
    integrated_gradients,
    leave_one_out,
    node_shares,
)
from huggin.lime.words.figures import draw_kept, remove_others
from huggin.lime.words.found import ByStep, Finding, Kept, TextExplanation, finding_of, write_kept
from huggin.lime.words.predictions import TextModel, TextPredictor, answer_text
from huggin.lime.words.scene import Place, cut, find_spans
from huggin.model.device import choose_device
from huggin.model.fast_linear import speed_up
from huggin.model.loading import load_trained, match_tokenizer
from huggin.qa.config import arguments_of
from huggin.qa.questions import default_split, load_questions
from huggin.qa.records import is_text, wrong_with
from huggin.recording.answer import read_answer
from huggin.recording.checkpoints import hash_of_weights, is_complete, newest_model
from huggin.recording.reader import Recording


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
        return asdict(self.kept)

    def figures(self) -> dict[str, Figure]:
        """The text in colours, the top segments, and what else was asked for."""
        return draw_kept(self.kept)

    def save(self, show: bool = False) -> None:
        """Save the figures beside explanation.json and print their paths."""
        figures = self.figures()
        remove_others(self.folder, figures)
        save_figures(figures, self.folder, show)
        if line := missing_in([self.kept.asked.question, self.kept.asked.context]):
            print(line)

    def _repr_html_(self) -> str:
        return as_html(self.figures().values(), self.in_words())


def explain_answer(
    run: str | Path,
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
    say: Say = lambda _: None,
) -> ExplainedAnswer:
    """Explain which words made a run's model give its answer: `huggin lime-answer`.

    index: a question of `split`, `train` or `validation`; without, that of the newest kept answer.
    question, context: texts of your own instead. by: `auto`, `words` or `sentences`; spans: parts
    of the texts that are segments instead. hide: `mask`, `delete` or `pad`. explain: `answer`,
    `gold`, a text of the context, or one ` over ` another. score: `logit` or `probability`.
    sampler, samples, adjust, seed, kernel_width, top: as in `huggin.lime.explained.Request`.
    stability: how often it is repeated with fresh masks. compare: with other methods.
    checkpoints: whether every checkpoint is explained, too. out: the folder of explanation.json;
    without, RUN/explanations/INDEX. say: told each line as soon as it is known.

    >>> import huggin
    >>> found = huggin.explain_answer("runs/sample", 1, samples=65, compare=False)
    >>> [segment.text for segment in found.kept.findings[0].segments[:4]]
    ['When', 'do', 'they', 'return?']

    Raises UserError if question, model or arguments cannot be used.
    """
    recording = Recording(Path(run))
    chosen = _chosen(recording, index, split, question, context)
    folder = Path(out) if out else recording.run.explanations / chosen.folder
    make_writable(folder)
    text_model, step = _load(recording, newest_model(recording.run), device)
    case = case_of(chosen, text_model, step, explain, hide, hide_answer)
    request = Request(sampler, samples or 0, seed, score, top, by, hide, kernel_width, adjust)
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        say(line)

    story = Story(case, request, folder, tell, stability, compare)
    kept = story.told(spans, _models_by_step(recording, device, step) if checkpoints else None)
    write_kept(folder, kept)
    return ExplainedAnswer(kept, folder, lines)


def _chosen(
    recording: Recording,
    index: int | None,
    split: str | None,
    question: str | None,
    context: str | None,
) -> Question:
    """The user's own question, or one of the run's data. Raises UserError if it cannot be asked."""
    if question is None and context is None:
        chosen = _of_run(recording, index, split)
    elif question is None or context is None:
        raise UserError("question and context: give both")
    else:
        chosen = _own(question, context)
    if problem := wrong_with(chosen.record, allow_no_answer=True):
        raise UserError(f"{chosen.name}: {problem}; give a text with words in it")
    refuse_long_context(chosen.name, chosen.record["context"])
    return chosen


def _own(question: str, context: str) -> Question:
    texts = {"question": question, "context": context}
    for name, text in texts.items():
        if not is_text(text):
            raise BadValue(name, "", "not UTF-8 text; check the terminal's encoding")
    digest = hashlib.sha256("\0".join(texts.values()).encode()).hexdigest()[:8]
    record: dict[str, Any] = {"id": "own", **texts, "answers": {"text": [], "answer_start": []}}
    return Question("own question", f"own-{digest}", 0, record)


def _of_run(recording: Recording, index: int | None, split: str | None) -> Question:
    """A question of the run's data; without an index, that of the newest kept answer, else 0."""
    cfg = recording.facts.cfg
    data = arguments_of(cfg)[1]
    usual = default_split(data)
    split = split or usual
    records = load_questions(data, split, cfg.get("cache_dir"))
    if index is None:
        index = _index_of_newest_answer(recording, records)
    if index >= len(records):
        known = f"{split} has the questions 0 to {len(records) - 1}"
        raise UserError(f"INDEX {index}: no such question; {known}")
    folder = str(index) if split == usual else f"{split}-{index}"
    return Question(f"question {index}", folder, index, records[index])


def _index_of_newest_answer(recording: Recording, records: Sequence[dict[str, Any]]) -> int:
    """The question of the newest kept answer; 0 if there is none, or the data has another one."""
    if not recording.run.segments("answers"):
        return 0
    window = read_answer(recording.run).facts.window
    there = window.index < len(records)
    return window.index if there and records[window.index]["question"] == window.question else 0


def _load(recording: Recording, folder: Path, device: str | None) -> tuple[TextModel, int]:
    """The model in a folder of the run, and its step. Raises UserError if it cannot be used."""
    facts = recording.facts
    data = arguments_of(facts.cfg)[1]
    place = choose_device(device, bool(facts.cfg.get("use_cpu")))
    tokenizer, model, step = load_trained(folder, place)
    match_tokenizer(tokenizer, model, data.max_seq_length)
    name = facts.model_type_state(step)
    return TextModel(name, speed_up(model), tokenizer, data, hash_of_weights(folder)), step


def _models_by_step(
    recording: Recording, device: str | None, last: int
) -> Iterator[tuple[int, TextModel]]:
    """Step and model of each whole checkpoint before the last step, one at a time."""
    for step, folder in recording.run.checkpoints():
        if step < last and is_complete(folder):
            yield step, _load(recording, folder, device)[0]


@dataclass(frozen=True)
class Stage:
    """The text cut in one way and explained."""

    one: TextExplanation
    finding: Finding


@dataclass(frozen=True)
class Story:
    """How an answer is explained: by sentences first if it is long, then in full."""

    case: TextCase
    request: Request  # samples: 0 for the usual number
    folder: Path  # of the model's answers to masks
    say: Say
    repeats: int | None = None  # with fresh masks
    compare: bool = True  # with other methods

    def told(
        self, spans: Sequence[str], earlier: Iterable[tuple[int, TextModel]] | None = None
    ) -> Kept:
        """Everything that is kept; earlier: the models before, by step, if they are explained."""
        case = self.case
        for line in case.introduction():
            self.say(line)
        stages = self.stages(spans)
        last = stages[-1]
        nodes = self._nodes(last) if self.compare else None
        by_step = None
        if earlier is not None:
            self.say("\nThe same question at every checkpoint:")
            by_step = self.by_step(last, chain(earlier, [(case.asked.step, case.text_model)]))
        if last.finding.believe:
            self.say(f"\n{last.finding.believe}")
        return Kept(case.asked, [stage.finding for stage in stages], by_step, nodes)

    def stages(self, spans: Sequence[str]) -> list[Stage]:
        """Every stage of the explanation, the last one with all that was asked for."""
        case = self.case
        by = self.request.segmenter
        if spans:
            return [self._stage("spans", find_spans(case.window, spans))]
        if by == "auto" and case.is_long:
            first = self._stage("sentences", cut(case.window, "sentences"), last=False)
            places, chosen = case.words_of_top_sentences(first.one)
            self.say(f"\nNext: {case.sentences_in_words(first.one, chosen)}")
            return [first, self._stage("words", places)]
        kind = "sentences" if by == "sentences" else "words"
        return [self._stage(kind, cut(case.window, kind))]

    def _stage(self, kind: str, places: Sequence[Place], last: bool = True) -> Stage:
        """One scene explained. last: with stability, and compared with the other methods."""
        case = self.case
        scene = case.scene(places, kind)
        file = self.folder / f"predictions-{kind}.npz"
        predictor = TextPredictor(scene, case.text_model, [case.target], file)
        usual = default_samples(kind, self.request.sampler, scene.count)
        samples = self.request.samples or usual
        request = replace(self.request, samples=samples, segmenter=kind)
        (one,) = explain(predictor, [case.target], request, self.say)
        finding = finding_of(one, case.answer, case.expected)
        for line in ("", *finding.in_words(one)):
            self.say(line)
        if last and not one.surrogate.constant:
            finding = replace(finding, **self._examined(finding, one, predictor))
        return Stage(one, finding)

    def _examined(
        self, finding: Finding, one: TextExplanation, predictor: TextPredictor
    ) -> dict[str, Any]:
        """Stability if asked for, the other methods unless they are not wanted, the verdict."""
        found: dict[str, Any] = {}
        if self.repeats:
            found["stability"] = repeated(predictor, one, self.repeats, self.say)
        against = [*differing(found.get("stability")), *finding.doubts()]
        if not self.compare:
            return found | {"believe": verdict_on(one, against)}
        return found | self._compared(one, predictor, [*doubts(one), *against])

    def _compared(
        self, one: TextExplanation, predictor: TextPredictor, against: Sequence[str]
    ) -> dict[str, Any]:
        """LIME beside leave-one-out and integrated gradients; prints the table."""
        case = self.case
        scale = one.request.scale
        gradients = integrated_gradients(one.scene, case.text_model, case.target, scale)
        values = {
            LIME: one.surrogate.coefficients,
            "leave-one-out": leave_one_out(predictor, case.target, scale),
            "integrated gradients": gradients.values,
        }

        def scores(on: np.ndarray) -> np.ndarray:
            return predictor.scores(on, case.target, scale)

        compared = compare(values, scores, one.request.top, one.request.seed)
        for line in ("", *compared.table(), gradients.in_words()):
            self.say(line)
        facts = {name: getattr(gradients, name) for name in ("change", "missing", "steps")}
        believe = compared.verdict(against)
        return {"agreement": compared, "integrated": facts, "believe": believe}

    def _nodes(self, stage: Stage) -> dict[str, Any]:
        """The shares of the last layer's nodes in the answer's lead; prints the first ones."""
        case = self.case
        found = node_shares(stage.one.scene, case.text_model, case.target)
        rival = answer_text(case.window, found.rival)
        half = nodes_for_half(found.shares)
        self.say(found.in_words(rival, half))
        return {
            "rival": rival,
            "lead": found.lead,
            "nodes_for_half": half,
            "shares": found.shares.tolist(),
        }

    def by_step(self, stage: Stage, models: Iterable[tuple[int, TextModel]]) -> ByStep:
        """The same scene explained by the model of each step; prints a line for each."""
        case = self.case
        scene = stage.one.scene
        request = stage.one.request
        found = ByStep([], [], [], [], [], [], [])
        for step, text_model in models:
            file = self.folder / f"predictions-{scene.kind}-{step}.npz"
            predictor = TextPredictor(scene, text_model, [case.target], file)
            (one,) = explain(predictor, [case.target], request)
            full = predictor.predictions(np.ones((1, scene.count), bool))
            first, last = full.answer[0].tolist()
            answer = answer_text(case.window, (first, last))
            found.add(step, one, answer, (first, last) == case.target.plus)
            self.say(f"step {step}: {request.scale} {one.scores[0]:.4g}, answers: {answer}")
        self.say(found.in_words(stage.finding.top_segments, request))
        return found
