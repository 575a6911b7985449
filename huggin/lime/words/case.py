"""A question of a model -> what is explained of its answer, its scenes, how many masks they get.

Short texts are cut into words. A long text is first cut into sentences, and then only the
sentences that matter are cut into words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset

from huggin.asking.questions import ask_all
from huggin.common.errors import BadValue
from huggin.common.window import Window
from huggin.lime.masks import usual_samples
from huggin.lime.predictor import Target
from huggin.lime.words.found import Asked, TextExplanation
from huggin.lime.words.question import Question
from huggin.lime.words.scene import (
    TextModel,
    TextScene,
    TokenSpan,
    answer_text,
    make_text_scene,
    places_in_context,
)
from huggin.lime.words.text import Place, cut, only_place, tokens_of_words
from huggin.qa.features import track_sample, windows
from huggin.qa.labels import answer_characters, answer_spans

LONG = 169  # words; with more, a block of the Hadamard design has more than 512 masks
OVER = " over "


@dataclass(frozen=True)
class TextCase:
    """One answer of one model: what every scene of it shares."""

    asked: Asked
    window: Window
    text_model: TextModel
    target: Target[TokenSpan]
    answer: TokenSpan  # the model's
    expected: TokenSpan | None  # None if it is not in the window
    hide: str
    kept: frozenset[int]  # tokens that are never hidden
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
        found = cut(self.window, kind) if places is None else places
        return make_text_scene(self.window, found, self.kept, kind, self.hide, self.text_model)

    @property
    def is_long(self) -> bool:
        """Whether there are so many words that sentences come first."""
        return self.scene("words").count > LONG

    def words_of_top_sentences(self, one: TextExplanation) -> tuple[list[Place], str]:
        """The words of the question and of the sentences that matter most; a line about these.

        Sentences are taken by the size of their coefficient while there are at most LONG words. The
        first is always taken; of the others only those that differ from 0 beyond chance.
        """
        size = np.abs(one.surrogate.coefficients)
        clear = size > one.surrogate.noise
        chosen: list[int] = []
        for number in np.argsort(-size, kind="stable").tolist():
            more = [*chosen, number]
            if not chosen or (clear[number] and len(self._words(one, more)) <= LONG):
                chosen = more
        chosen.sort()
        texts = " / ".join(one.scene.texts[number][:60] for number in chosen)
        which = f"{', '.join(map(str, chosen))} of 0 to {one.scene.count - 1}"
        return self._words(one, chosen), f"the sentences that matter, {which}: {texts}"

    def _words(self, one: TextExplanation, chosen: Sequence[int]) -> list[Place]:
        """The words of the question and of some sentences."""
        sentences = [one.scene.segments[number] for number in chosen]
        words = cut(self.window, "words")
        mine = (any(map(word.overlaps, sentences)) for word in words)
        return [word for word, own in zip(words, mine) if own or word.part == "question"]


def case_of(
    chosen: Question, text_model: TextModel, explain: str, hide: str, hide_answer: bool
) -> TextCase:
    """Ask the model; what is explained of its answer. explain: as in `span_target`."""
    if hide_answer and hide != "mask":
        advice = "choose mask, or let the answer's words stay"
        problem = f"removes the answer's tokens, so it cannot be scored; {advice}"
        raise BadValue("hide", hide, problem)
    record = chosen.record
    tokenizer = text_model.tokenizer
    data = text_model.data
    records = Dataset.from_list([record])
    (asked,) = ask_all(text_model.model, tokenizer, records, [0], data, text_model.batch)
    window = track_sample(record, chosen.index, tokenizer, data, asked.answer.window)
    answer = (asked.answer.start, asked.answer.end)
    target = span_target(explain, window, answer, record["answers"])
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
    kept = set() if hide_answer else tokens_of_words(window, target.both)
    expected = (window.gold_start, window.gold_end) if window.has_answer else None
    count = len(windows([window.question], [window.context], tokenizer, data)["record"])
    which = f"window {asked.answer.window + 1} of {count}, which gave the answer"
    where = f"{which}: the rest of the context is not explained" if count > 1 else ""
    hidden = (hide, frozenset(kept), where)
    return TextCase(about, window, text_model, target, answer, expected, *hidden)


def default_samples(kind: str, sampler: str, count: int) -> int:
    """How many masks a scene of `count` segments gets: of words many, as there are many."""
    of_words = kind == "words"
    return usual_samples(sampler, count, 512 if of_words else 128, 1 if of_words else 2)


def span_target(
    wanted: str, window: Window, answer: TokenSpan, answers: Mapping[str, Sequence[Any]]
) -> Target[TokenSpan]:
    """`answer`, `gold`, a text of the context, or one of these over another: `answer over gold`.

    window: the one that is explained. answer: the model's. answers: those expected, as in SQuAD.
    Raises BadValue if there is no such span in the window.
    """
    plus, over, minus = wanted.partition(OVER)
    is_contrast = over and wanted not in window.context
    texts = [plus.strip(), minus.strip()] if is_contrast else [wanted]
    spans = [_span_of(text, window, answer, answers) for text in texts]
    if len(set(spans)) < len(texts):
        raise BadValue("explain", wanted, "the two spans must differ")
    return Target(OVER.join(answer_text(window, span) for span in spans), *spans)


def _span_of(
    text: str, window: Window, answer: TokenSpan, answers: Mapping[str, Sequence[Any]]
) -> TokenSpan:
    """The tokens of a span. Raises BadValue if it is not in the window."""
    if text == "answer":
        return answer
    if text == "gold":
        characters = answer_characters(answers)
        if characters is None:
            raise BadValue("explain", text, "this question has no expected answer; give a text")
    else:
        place = only_place(window, text, ["context"], "explain")
        characters = (place.first, place.last)
    (span,) = answer_spans([places_in_context(window)], characters, 0)
    if span is None:
        what = "is not in the part of the context that the model's answer is from"
        raise BadValue("explain", text, f"{what}; give a span of that part")
    return span
