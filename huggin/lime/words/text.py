"""A question with a window of its context -> the places that can be hidden in it.

A place is a word, a sentence, or a span of the user's, in scripts with and without blanks.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from huggin.common.errors import BadValue
from huggin.common.text import short
from huggin.common.window import Window
from huggin.qa.labels import plain_question

PARTS = ("question", "context")
LONG = 40  # characters of a segment that is named
# Letters of scripts that are written without blanks: Thai, Lao, Burmese, Khmer, kana, Han
NO_BLANKS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
WIDE_MARKS = "\u3001-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"  # such as 。
CHUNK = re.compile(rf"[{NO_BLANKS}{WIDE_MARKS}]|[^\s{NO_BLANKS}{WIDE_MARKS}]+")
FULL_STOP = re.compile(
    r"[.!?…؟۔।]+[\"'”’»)\]]*(?=\s)"  # where blanks follow
    r"|[。！？]+[”’」』）]*"
)
INITIAL = re.compile(r"(?:^|[\s(.])\w\.$")  # as in `J. Smith` and `U.S. Army`
TITLES = ("mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "no.", "vs.", "e.g.", "i.e.", "cf.")


@dataclass(frozen=True)
class Place:
    """A part of the question or of the context."""

    part: str  # "question" or "context"
    first: int  # character
    last: int  # the character behind it

    def overlaps(self, other: "Place") -> bool:
        """Whether the two share a character."""
        return self.part == other.part and self.first < other.last and other.first < self.last


def words_in(part: str, text: str) -> list[Place]:
    """The words of a text in their order.

    A word is what stands between blanks, with its punctuation. In scripts that are written without
    blanks, such as Chinese, it is one character with its marks.
    """
    words: list[Place] = []
    for chunk in CHUNK.finditer(text):
        first = words.pop().first if words and _is_only_marks(chunk[0]) else chunk.start()
        words.append(Place(part, first, chunk.end()))
    if len(words) > 1 and _is_only_marks(text[words[0].first : words[0].last]):
        words[:2] = [Place(part, words[0].first, words[1].last)]
    return words


def _is_only_marks(text: str) -> bool:
    """Whether a text has no letter or digit: punctuation, or a mark that belongs to a letter."""
    return all(unicodedata.category(character)[0] not in "LN" for character in text)


def sentences_in(part: str, text: str) -> list[Place]:
    """The sentences of a text in their order, without the blanks between them.

    A full stop does not end a sentence behind a single letter or a title (`Dr.`), nor before a
    small letter or a digit.
    """
    ends = [match.end() for match in FULL_STOP.finditer(text) if _ends_sentence(text, match)]
    places = []
    for first, last in zip([0, *ends], [*ends, len(text)]):
        sentence = text[first:last].strip()
        start = text.find(sentence, first)
        if sentence:
            places.append(Place(part, start, start + len(sentence)))
    return places


def _ends_sentence(text: str, stop: re.Match[str]) -> bool:
    """Whether a sentence ends behind a full stop."""
    before = text[: stop.end()]
    behind = text[stop.end() :].lstrip()
    if not behind or behind[0].islower():
        return False
    if stop[0] != ".":
        return True
    short_one = INITIAL.search(before[-3:]) or before.split()[-1].lower() in TITLES
    return not (behind[0].isdigit() or short_one)


def is_right_to_left(text: str) -> bool:
    """Whether the first letter that has a direction runs from right to left."""
    directions = (unicodedata.bidirectional(character) for character in text)
    return next((code for code in directions if code in ("L", "R", "AL")), "L") != "L"


def isolated(text: str, length: int) -> str:
    """A text on one line, cut to a length, whose direction does not reorder the words around it.

    A text from right to left stands between the characters FSI and PDI of Unicode, which have no
    width.
    """
    cut = short(text, length)
    return f"\u2068{cut}\u2069" if is_right_to_left(cut) else cut


def text_of(window: Window, place: Place) -> str:
    """The characters of a place."""
    return whole_of(window, place.part)[place.first : place.last]


def whole_of(window: Window, part: str) -> str:
    """The text of the question or of the context."""
    return plain_question(window.question) if part == "question" else window.context


def cut(window: Window, kind: str) -> list[Place]:
    """The words or the sentences of question and context, in their order."""
    cutting = words_in if kind == "words" else sentences_in
    return [place for part in PARTS for place in cutting(part, whole_of(window, part))]


def only_place(window: Window, text: str, parts: Sequence[str], name: str) -> Place:
    """Where a text is. Raises BadValue of the parameter `name` if it is not there just once."""
    places = [
        Place(part, at, at + len(text))
        for part in parts
        for at in range(len(whole_of(window, part)))
        if text and whole_of(window, part).startswith(text, at)
    ]
    if len(places) != 1:
        many = f"is there {len(places)} times; give more of the words around it"
        problem = many if places else f"is not in the {' or the '.join(parts)}; give a part of it"
        raise BadValue(name, repr(short(text)), problem)
    return places[0]


def find_spans(window: Window, texts: Sequence[str]) -> list[Place]:
    """The places of the user's own spans. Raises BadValue for one that is not there just once."""
    places: list[Place] = []
    for text in texts:
        place = only_place(window, text, PARTS, "spans")
        if any(map(place.overlaps, places)):
            raise BadValue("spans", repr(text), "overlaps another span; give spans that do not")
        places.append(place)
    return places


def place_of_token(window: Window, token: int) -> Place:
    """The characters of a token; none for a special one."""
    first, last = window.offsets[token]
    return Place(window.parts[token], first, last)


def tokens_of_words(window: Window, spans: Collection[tuple[int, int]]) -> set[int]:
    """The tokens of all words that a span of tokens (first, last) touches."""
    places = [place_of_token(window, token) for token in range(len(window.tokens))]
    answer = [place for first, last in spans for place in places[first : last + 1]]
    words = [word for word in cut(window, "words") if any(map(word.overlaps, answer))]
    return {token for token, place in enumerate(places) if any(map(place.overlaps, words))}


def label(number: int, texts: Sequence[str], part: str, length: int) -> str:
    """What a segment is called: its text, cut to a length.

    Behind it stand its number if the text occurs more than once, and whether it is a part of the
    question. texts: of all segments.
    """
    text = texts[number]
    which = "" if texts.count(text) == 1 else f" ({number})"
    question = " [question]" if part == "question" else ""
    return isolated(text, length) + which + question
