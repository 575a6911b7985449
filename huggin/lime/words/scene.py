"""A question with a window of its context -> the scene that LIME works on: segments of the text.

    scene = make_text_scene("question 7", window, words, kept, "words", "mask")

A segment is a word, a sentence, or a span of the user's. It is hidden by hiding its tokens.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from huggin.common.errors import BadValue, UserError
from huggin.common.window import Window
from huggin.lime.words.cutting import Place, isolated, sentences_in, words_in
from huggin.qa.features import plain_question

NEVER = -1  # the segment of tokens that are never hidden
PARTS = ("question", "context")
LONG = 40  # characters of a segment that is named


@dataclass(frozen=True)
class TextScene:
    """A question and a window of its context, cut into segments."""

    name: str  # of the question
    window: Window
    kind: str  # of the segments: words, sentences or spans
    hide: str  # how a segment is hidden: mask, delete or pad
    segments: list[Place]
    segment_of: np.ndarray  # (tokens,) int64 the segment of each token; NEVER for some

    @property
    def count(self) -> int:
        """How many segments there are."""
        return len(self.segments)

    def name_of(self, segment: int) -> str:
        """What a segment is called: its text, shortened."""
        return isolated(self.texts[segment], LONG)

    @property
    def texts(self) -> list[str]:
        """The text of each segment."""
        return [text_of(self.window, place) for place in self.segments]

    def seen(self, on: np.ndarray) -> np.ndarray:
        """Which tokens masks (masks, segments) bool leave visible: (masks, tokens) bool."""
        always = np.ones((len(on), 1), bool)  # at the place NEVER, the last
        return np.concatenate([on, always], axis=1)[:, self.segment_of]


def text_of(window: Window, place: Place) -> str:
    """The characters of a place."""
    text = plain_question(window.question) if place.part == "question" else window.context
    return text[place.first : place.last]


def cut(window: Window, kind: str) -> list[Place]:
    """The words or the sentences of question and context, in their order."""
    cutting = words_in if kind == "words" else sentences_in
    question = plain_question(window.question)
    return [*cutting("question", question), *cutting("context", window.context)]


def find_spans(window: Window, texts: Sequence[str]) -> list[Place]:
    """The places of the user's own spans. Raises BadValue for one that is not there just once."""
    found: list[Place] = []
    for text in texts:
        places = [place for part in PARTS for place in _places_of(window, part, text)]
        if len(places) != 1:
            many = f"is there {len(places)} times; give more of the words around it"
            problem = many if places else "is neither in the question nor in the context"
            raise BadValue("spans", repr(text), problem)
        if any(place.overlaps(places[0]) for place in found):
            raise BadValue("spans", repr(text), "overlaps another span; give spans that do not")
        found += places
    return found


def _places_of(window: Window, part: str, text: str) -> list[Place]:
    whole = plain_question(window.question) if part == "question" else window.context
    starts = [at for at in range(len(whole)) if text and whole.startswith(text, at)]
    return [Place(part, start, start + len(text)) for start in starts]


def place_of_token(window: Window, token: int) -> Place:
    """The characters of a token; none for a special one."""
    first, last = window.offsets[token]
    return Place(window.parts[token], first, last)


def tokens_of_words(window: Window, spans: Collection[tuple[int, int]]) -> set[int]:
    """The tokens of all words that a span of tokens (first, last) touches."""
    answer = [
        place_of_token(window, token) for first, last in spans for token in _range(first, last)
    ]
    words = [word for word in cut(window, "words") if any(map(word.overlaps, answer))]
    tokens = range(len(window.tokens))
    return {token for token in tokens if any(map(place_of_token(window, token).overlaps, words))}


def _range(first: int, last: int) -> range:
    return range(first, last + 1)


def make_text_scene(
    name: str,
    window: Window,
    places: Sequence[Place],
    kept: Collection[int],
    kind: str,
    hide: str,
) -> TextScene:
    """Turn places into segments.

    kept: tokens that are never hidden. Places without a token that can be hidden are left out. A
    place that shares all its tokens with the one before, as in scripts without blanks, joins it.
    Raises UserError if fewer than two segments are left.
    """
    owners = [_owner(window, token, places) for token in range(len(window.tokens))]
    hidden = {owner for token, owner in enumerate(owners) if token not in kept}
    shared = {place for place in range(len(places)) if _is_shared(window, place, places, owners)}
    numbers: dict[int, int] = {}
    segments: list[Place] = []
    for number, place in enumerate(places):
        if number in hidden:
            numbers[number] = len(segments)
            segments.append(place)
        elif number in shared and segments and segments[-1].part == place.part:
            segments[-1] = Place(place.part, segments[-1].first, place.last)
    if len(segments) < 2:
        what = f"{len(segments)} segments can be hidden, two are needed"
        raise UserError(f"{name}: {what}; give a longer context, or hide the answer's words, too")
    segment_of = [
        NEVER if token in kept else numbers.get(owner, NEVER) for token, owner in enumerate(owners)
    ]
    return TextScene(name, window, kind, hide, segments, np.array(segment_of))


def _owner(window: Window, token: int, places: Sequence[Place]) -> int:
    """The number of the first place that a token overlaps, or NEVER."""
    own = place_of_token(window, token)
    return next((number for number, place in enumerate(places) if place.overlaps(own)), NEVER)


def _is_shared(window: Window, number: int, places: Sequence[Place], owners: list[int]) -> bool:
    """Whether a place has no token of its own, but one of the place before reaches into it."""
    before = [token for token, owner in enumerate(owners) if owner == number - 1]
    reaches = any(places[number].overlaps(place_of_token(window, token)) for token in before)
    return number not in owners and reaches
