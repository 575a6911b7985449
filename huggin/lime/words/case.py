"""One answer of a model: what is explained of it, its scenes, and what is found in them.

Short texts are cut into words. A long text is first cut into sentences, and then only the
sentences that matter are cut into words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from huggin.asking.questions import ask_all
from huggin.common.errors import BadValue
from huggin.common.window import Window
from huggin.lime.explanation import Request, known
from huggin.lime.masks import usual_samples
from huggin.lime.predictor import Predictor, Target
from huggin.lime.steps import Report, compared, explain, repeated
from huggin.lime.words.found import Asked, ByStep, Finding, TextExplanation, finding_of
from huggin.lime.words.question import Question
from huggin.lime.words.rivals import integrated_gradients
from huggin.lime.words.scene import (
    TextModel,
    TextScene,
    TokenSpan,
    answer_text,
    make_text_scene,
    span_target,
)
from huggin.lime.words.text import Place, cut, find_spans, tokens_of_words
from huggin.qa.features import track_sample, windows

LONG = 169  # words; with more, a block of the Hadamard design has more than 512 masks
TextPredictor = Predictor[TextScene, TokenSpan]


@dataclass(frozen=True)
class TextCase:
    """One answer of one model, and how it is explained."""

    asked: Asked
    window: Window
    text_model: TextModel
    target: Target[TokenSpan]
    answer: TokenSpan  # the model's
    expected: TokenSpan | None  # None if it is not in the window
    kept: frozenset[int]  # tokens that are never hidden
    request: Request  # samples: 0 for the usual number
    folder: Path  # of the model's answers to masks
    report: Report
    where: str = ""  # which part of the context is explained, if it is not the whole

    def introduction(self) -> list[str]:
        """What is explained, a line each."""
        asked = self.asked
        verdict = {True: ", right", False: ", wrong", None: ""}[asked.right]
        expected = f"; expected: {asked.expected}" if asked.expected and not asked.right else ""
        other = f"  explained: {self.target.name}"
        return [
            f"{asked.name}: {asked.question}",
            f"  {asked.whose} answers: {asked.answer}{verdict}{expected}",
            *([f"  {self.where}"] if self.where else []),
            *([other] if self.target.both != [self.answer] else []),
        ]

    def scene(self, kind: str, places: Sequence[Place] | None = None) -> TextScene:
        """The text cut into places. Raises UserError if fewer than two can be hidden.

        places: by default all words or sentences of the text, by `kind`.
        """
        places = cut(self.window, kind) if places is None else places
        hide = self.request.fill
        return make_text_scene(self.window, places, self.kept, kind, hide, self.text_model)

    def findings(
        self, spans: Sequence[str], repeats: int | None, compare: bool
    ) -> tuple[list[Finding], TextExplanation]:
        """What was found: by sentences first if it is long, then of all that was asked.

        The explanation is that of the last finding, which is repeated with fresh masks, and
        compared with other methods, if that is wanted.
        """
        by = self.request.segmenter
        earlier = []
        if spans:
            scene = self.scene("spans", find_spans(self.window, spans))
        elif by == "auto" and self.scene("words").count > LONG:
            first, _ = self._explained(self.scene("sentences"))
            earlier.append(finding_of(first, self.answer, self.expected, {}))
            places, which = self.words_of_top_sentences(first)
            self.report.tell(f"Next: the words of {which}")
            scene = self.scene("words", places)
        else:
            scene = self.scene("sentences" if by == "sentences" else "words")
        explanation, predictor = self._explained(scene)
        facts: dict[str, Any] = {}
        if not explanation.surrogate.constant:
            if repeats:
                explanation = repeated(predictor, explanation, repeats, self.report.tell)
            alone = {"believe": explanation.verdict(explanation.doubts())}
            facts = self._compared(explanation, predictor) if compare else alone
        return [*earlier, finding_of(explanation, self.answer, self.expected, facts)], explanation

    def _explained(self, scene: TextScene) -> tuple[TextExplanation, TextPredictor]:
        """A scene is explained, which is told."""
        predictor = self._predictor(scene)
        usual = default_samples(scene.kind, self.request.sampler, scene.count)
        samples = self.request.samples or usual
        request = replace(self.request, samples=samples, segmenter=scene.kind)
        (explanation,) = explain(predictor, [self.target], request, self.report.detail)
        self.report.tell(*explanation.in_words())
        self.report.detail(*explanation.details())
        return explanation, predictor

    def words_of_top_sentences(self, explanation: TextExplanation) -> tuple[list[Place], str]:
        """The words of the question and of the sentences that matter most; a line about these.

        Sentences are taken by the size of their coefficient while there are at most LONG words. The
        first is always taken; of the others only those that differ from 0 beyond chance.
        """
        size = np.abs(explanation.surrogate.coefficients)
        clear = size > explanation.surrogate.noise
        chosen: list[int] = []
        for number in np.argsort(-size, kind="stable").tolist():
            longer = [*chosen, number]
            if not chosen or (clear[number] and len(self._words(explanation, longer)) <= LONG):
                chosen = longer
        chosen.sort()
        texts = " / ".join(explanation.scene.texts[number][:60] for number in chosen)
        which = f"{', '.join(map(str, chosen))} of 0 to {explanation.scene.count - 1}"
        return self._words(explanation, chosen), f"the sentences that matter, {which}: {texts}"

    def _words(self, explanation: TextExplanation, chosen: Sequence[int]) -> list[Place]:
        """The words of the question and of some sentences."""
        sentences = [explanation.scene.segments[number] for number in chosen]
        words = cut(self.window, "words")
        matching = (any(map(word.overlaps, sentences)) for word in words)
        return [word for word, is_in in zip(words, matching) if is_in or word.part == "question"]

    def _predictor(self, scene: TextScene, step: str = "") -> TextPredictor:
        file = self.folder / f"predictions-{scene.kind}{step}.npz"
        return Predictor(scene, [self.target], file)

    def _compared(self, lime: TextExplanation, predictor: TextPredictor) -> dict[str, Any]:
        """LIME beside leave-one-out and integrated gradients."""
        gradients = integrated_gradients(lime.scene, lime.target, lime.request.scale)
        agreement = compared(predictor, lime, {"integrated gradients": gradients.values})
        self.report.detail("", *agreement.table(), gradients.in_words())
        facts = {name: getattr(gradients, name) for name in ("change", "missing", "steps")}
        verdict = agreement.verdict(lime.doubts())
        return {"agreement": agreement, "integrated": facts, "believe": verdict}

    def by_step(self, last: TextExplanation, models: Iterable[TextModel]) -> ByStep:
        """The same scene explained by the model of each step."""
        window, request = last.scene.window, last.request
        rows = []
        tops = []
        for text_model in models:
            step = text_model.step
            predictor = self._predictor(replace(last.scene, text_model=text_model), f"-{step}")
            (explanation,) = explain(predictor, [last.target], request)
            first, end = predictor.predictions(explanation.masks.on[:1]).best[0].tolist()
            answer = answer_text(window, (first, end))
            surrogate = explanation.surrogate
            errors = [known(error) for error in surrogate.standard_errors]
            answered = (float(explanation.scores[0]), answer, (first, end) == last.target.plus)
            fit = (known(surrogate.held_out_r2), surrogate.coefficients.tolist(), errors)
            rows.append((step, *answered, *fit))
            tops.append(set(explanation.top.tolist()))
            score = f"{request.scale} {explanation.scores[0]:.4g}"
            self.report.detail(f"step {step}: {score}, answers: {answer}")
        by_step = ByStep(*map(list, zip(*rows)))
        self.report.tell(by_step.in_words(tops, request.top))
        return by_step


def case_of(
    chosen: Question,
    text_model: TextModel,
    wanted: str,
    hide_answer: bool,
    request: Request,
    folder: Path,
    report: Report,
) -> TextCase:
    """Ask the model; what is explained of its answer. wanted: as in `span_target`."""
    if hide_answer and request.fill != "mask":
        advice = "choose mask, or let the answer's words stay"
        problem = f"removes the answer's tokens, so it cannot be scored; {advice}"
        raise BadValue("hide", request.fill, problem)
    record = chosen.record
    tokenizer = text_model.tokenizer
    data = text_model.data
    records = Dataset.from_list([record])
    (asked,) = ask_all(text_model.model, tokenizer, records, [0], data, text_model.batch)
    window = track_sample(record, chosen.index, tokenizer, data, asked.answer.window)
    answer = (asked.answer.start, asked.answer.end)
    target = span_target(wanted, window, answer, record["answers"])
    about = Asked(
        name=chosen.name,
        question=record["question"],
        context=record["context"],
        answer=asked.answer.text or "(no answer)",
        expected=next(iter(record["answers"]["text"]), ""),
        right=None if record["id"] == "own" else asked.right,
        model=text_model.name,
        step=text_model.step,
        model_hash=text_model.fingerprint,
        run=text_model.run,
    )
    never_hidden = set() if hide_answer else tokens_of_words(window, target.both)
    expected = (window.gold_start, window.gold_end) if window.has_answer else None
    count = len(windows([window.question], [window.context], tokenizer, data)["record"])
    which = f"window {asked.answer.window + 1} of {count}, which gave the answer"
    where = f"{which}: the rest of the context is not explained" if count > 1 else ""
    how = (frozenset(never_hidden), request, folder, report, where)
    return TextCase(about, window, text_model, target, answer, expected, *how)


def default_samples(kind: str, sampler: str, count: int) -> int:
    """How many masks a scene of `count` segments gets: of words many, as there are many."""
    of_words = kind == "words"
    return usual_samples(sampler, count, 512 if of_words else 128, 1 if of_words else 2)
