"""An answer that is to be explained -> its scenes, and how many masks each gets.

Short texts are cut into words. A long text is first cut into sentences, and then only the
sentences that matter are cut into words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from huggin.common.errors import UserError
from huggin.common.window import Window
from huggin.lime.masks import block_size, usual_samples
from huggin.lime.words.cutting import Place, words_in
from huggin.lime.words.found import TextExplanation
from huggin.lime.words.predictions import SpanTarget, TextModel, TextPredictor
from huggin.lime.words.scene import TextScene, cut, make_text_scene, text_of
from huggin.lime.words.scores import TokenSpan
from huggin.qa.features import plain_question, room_for_question

LONG = 169  # words; with more, a block of the Hadamard design has more than 512 masks
LONGEST = 2000  # words of a context
FEW = 128  # masks of sentences, at least
MANY = 512  # masks of words, at least


@dataclass(frozen=True)
class TextCase:
    """One answer of one model: what every scene of it shares."""

    name: str
    window: Window
    text_model: TextModel
    target: SpanTarget
    answer: TokenSpan  # the model's
    expected: TokenSpan | None  # None if it is not in the window
    hide: str
    kept: frozenset[int]  # tokens that are never hidden

    def scene(self, places: Sequence[Place], kind: str) -> TextScene:
        """The text cut into these places. Raises UserError if fewer than two can be hidden."""
        return make_text_scene(self.name, self.window, places, self.kept, kind, self.hide)

    def predictor(self, scene: TextScene, file: Path) -> TextPredictor:
        """Asks the model about a scene; file: where its answers are kept."""
        return TextPredictor(scene, self.text_model, [self.target], file)

    @property
    def is_long(self) -> bool:
        """Whether there are so many words that sentences come first."""
        return self.scene(cut(self.window, "words"), "words").count > LONG

    def words_of_top_sentences(self, one: TextExplanation) -> tuple[list[Place], list[int]]:
        """The words of the question and of the sentences that matter most; these sentences.

        Sentences are taken by the size of their coefficient while there are at most LONG words. The
        first is always taken; of the others only those that differ from 0 beyond chance.
        """
        sizes = np.abs(one.surrogate.coefficients)
        order = np.argsort(-sizes, kind="stable").tolist()
        clear = {
            *one.surrogate.top(len(order)).tolist(),
            *one.surrogate.against(len(order)).tolist(),
        }
        chosen: list[int] = []
        for number in order:
            if chosen and (number not in clear or len(self._words(one, [*chosen, number])) > LONG):
                continue
            chosen.append(number)
        return self._words(one, chosen), sorted(chosen)

    def _words(self, one: TextExplanation, chosen: Sequence[int]) -> list[Place]:
        sentences = [one.scene.segments[number] for number in chosen]
        return [
            word
            for word in cut(self.window, "words")
            if word.part == "question" or any(map(word.overlaps, sentences))
        ]


def default_samples(kind: str, sampler: str, count: int) -> int:
    """How many masks a scene of `count` segments gets, the full one among them."""
    if sampler != "hadamard":
        return usual_samples(sampler, count)
    if kind == "words":
        return 1 + max(MANY, block_size(count))
    return 1 + max(FEW, 2 * block_size(count))


def refuse_long_context(name: str, context: str) -> None:
    """Raise UserError for a context of more than LONGEST words."""
    count = len(words_in("context", context))
    if count > LONGEST:
        what = f"a context of {count:,} words; at most {LONGEST:,} can be explained"
        raise UserError(f"{name}: {what}; give the part of it that holds the answer")


def refuse_long_question(name: str, question: str, text_model: TextModel) -> None:
    """Raise UserError for a question that leaves no room for context in a window."""
    tokenizer = text_model.tokenizer
    room = room_for_question(tokenizer, text_model.data)
    tokens = len(tokenizer(plain_question(question), add_special_tokens=False)["input_ids"])
    if tokens > room:
        what = f"a question of {tokens} tokens; the windows of this run hold {room}"
        raise UserError(f"{name}: {what}; ask a shorter one")


def sentences_in_words(window: Window, one: TextExplanation, chosen: Sequence[int]) -> str:
    """Which sentences are cut into words, in a line."""
    numbers = ", ".join(str(number) for number in chosen)
    texts = " / ".join(text_of(window, one.scene.segments[number])[:60] for number in chosen)
    count = one.scene.count
    return f"the words of the sentences that matter, {numbers} of 0 to {count - 1}: {texts}"
