"""Texts are cut, laid out and named as readers of their language expect."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from huggin.common.errors import BadValue, UserError
from huggin.common.window import Window
from huggin.lime import drawing
from huggin.lime.explanation import Request
from huggin.lime.steps import Report
from huggin.lime.words.case import LONG, TextCase, default_samples
from huggin.lime.words.figures import laid_out, visual_order
from huggin.lime.words.found import Asked, Piece
from huggin.lime.words.scene import make_text_scene, span_target
from huggin.lime.words.text import cut, find_spans, is_right_to_left, sentences_in, words_in
from huggin.qa.arguments import DataArguments
from huggin.qa.features import track_sample
from tests.conftest import record
from tests.lime.words.planted_text import DATA, FIRST, SECOND, target_of, text_model_of, window_of

ASKED = Asked("planted", "z ?", "a", "a", "", None, "planted", 30, "a")


def texts(places, text: str) -> list[str]:
    return [text[place.first : place.last] for place in places]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Odin's ravens – both, fly.", ["Odin's", "ravens –", "both,", "fly."]),
        ("“Who?” he asked", ["“Who?”", "he", "asked"]),
        ("- a", ["- a"]),
        ("它们飞。好！ok", ["它", "们", "飞。", "好！", "ok"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("", []),
    ],
)
def test_words(text, words):
    assert texts(words_in("context", text), text) == words


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "Dr. Smith of the U.S. Army came. He left!",
            ["Dr. Smith of the U.S. Army came.", "He left!"],
        ),
        ("It has 3. 5 is more. ok. Yes", ["It has 3. 5 is more. ok.", "Yes"]),
        ("它们飞。好！", ["它们飞。", "好！"]),
        ("من هو؟ هو أودين", ["من هو؟", "هو أودين"]),
        ("no end", ["no end"]),
    ],
)
def test_sentences(text, sentences):
    assert texts(sentences_in("context", text), text) == sentences


def pieces(*words: str) -> list[Piece]:
    return [Piece("context", word, True, None, False, False) for word in words]


def test_lines_are_wrapped_and_keep_their_order():
    placed = laid_out(pieces("aa", "bbb", "c"), len, room=6, blank=1)
    assert [(one.line, one.left, one.right) for one in placed] == [(0, 0, 2), (0, 3, 6), (1, 0, 1)]


def test_a_text_from_right_to_left_begins_on_the_right():
    line = pieces("من", "هو", "New", "York", "أودين")
    assert is_right_to_left("من هو")
    placed = laid_out(line, len, room=30, blank=1)
    assert [one.piece.text for one in placed] == ["أودين", "New", "York", "هو", "من"]
    assert placed[-1].right == 30
    assert visual_order(pieces("a", "من", "هو", "b"), False) == [0, 2, 1, 3]


def test_characters_without_blanks_touch():
    line = [Piece("context", word, False, None, False, False) for word in "它们飞"]
    placed = laid_out(line, len, room=30, blank=1)
    assert [one.left for one in placed] == [0, 1, 2]


def test_a_font_that_came_after_matplotlibs_list_is_used(monkeypatch):
    """Matplotlib keeps its list of fonts; a font that is installed later was never found."""
    manager = drawing.font_manager.fontManager
    own = [entry for entry in manager.ttflist if entry.name == drawing.OWN]

    def add(file: str) -> None:
        manager.ttflist.append(SimpleNamespace(name="Ravens", fname=file, weight=400))

    monkeypatch.setattr(manager, "ttflist", own)
    monkeypatch.setattr(manager, "addfont", add)
    monkeypatch.setattr(drawing.font_manager, "findSystemFonts", lambda: ["/ravens.ttf"])
    monkeypatch.setattr(
        drawing, "_letters", lambda file: {"猫"} if file == "/ravens.ttf" else set()
    )
    drawing._add_new_fonts.cache_clear()
    assert drawing.families_for("猫") == ([drawing.OWN, "Ravens"], "")
    drawing._add_new_fonts.cache_clear()


# What --explain and --spans name


@pytest.fixture(scope="module")
def ravens(tokenizer):
    return track_sample(record(0, "Who owns the ravens?", "Odin"), 0, tokenizer, DATA)


def test_targets(ravens):
    gold = (ravens.gold_start, ravens.gold_end)
    answers = record(0, "?", "Odin")["answers"]
    answer = (9, 10)
    assert span_target("answer", ravens, answer, answers).plus == answer
    assert span_target("gold", ravens, answer, answers).plus == gold
    assert span_target("Odin", ravens, answer, answers).plus == gold
    both = span_target("gold over answer", ravens, answer, answers)
    assert (both.plus, both.minus) == (gold, answer)
    assert both.name.startswith("Odin over ")
    one = span_target("fly over the world", ravens, answer, answers)  # ` over ` of the context
    assert (one.name, one.minus) == ("fly over the world", None)
    for wrong in ("Loki", "the", "gold over gold", ""):
        with pytest.raises(BadValue, match="explain"):
            span_target(wrong, ravens, answer, answers)
    with pytest.raises(BadValue, match="no expected answer"):
        span_target("gold", ravens, answer, {"text": [], "answer_start": []})


def test_spans_of_the_user(ravens):
    places = find_spans(ravens, ["owns the ravens?", "Muninn"])
    scene = make_text_scene(ravens, places, set(), "spans", "mask", None)
    assert scene.texts == ["owns the ravens?", "Muninn"]
    hidden = ~scene.seen(np.array([[False, True]]))[0]
    assert "owns" not in scene.texts and hidden.sum() >= 3
    for wrong in (["Loki"], ["the"], ["Muninn are", "are the"]):
        with pytest.raises(BadValue, match="spans"):
            find_spans(ravens, wrong)


def test_a_token_of_many_characters_is_one_segment():
    """As an uncased tokenizer reads Thai: what stands between blanks is one token."""
    own = Window(
        index=0,
        question="王芳住",
        context="李明住北 王芳住上海",
        answer="",
        tokens=["a", "b", "c"],
        parts=["question", "context", "context"],
        gold_start=2,
        gold_end=2,
        offsets=[(0, 3), (0, 4), (5, 10)],
    )
    scene = make_text_scene(own, cut(own, "words"), {2}, "words", "mask", None)
    assert scene.texts == [own.question, "李明住北"]
    assert scene.segment_of.tolist() == [0, 1, -1]


def test_too_little_text(ravens):
    with pytest.raises(UserError, match="1 segments can be hidden, two are needed"):
        make_text_scene(ravens, find_spans(ravens, ["Muninn"]), set(), "spans", "mask", None)


# Long texts: sentences first


def test_a_long_text_is_explained_by_sentences_and_then_by_the_words_of_some(tokenizer, tmp_path):
    """Of 12 sentences two hold the pair of words that makes the answer."""
    sentences = [" ".join("acefghijlnop") + " a e c f!" for _ in range(12)]
    sentences[3] = sentences[3].replace("a c", f"{FIRST} c")
    sentences[9] = sentences[9].replace("a c", f"{SECOND} c")
    sentences[6] = "d a. m a!"
    context = " ".join(
        sentence.replace(sentence[0], sentence[0].upper(), 1) for sentence in sentences
    )
    data = DataArguments(max_seq_length=512, doc_stride=16)
    window = track_sample(record(1, "z ?", "a", context), 1, tokenizer, data)
    text_model = text_model_of(tokenizer, pair=True)
    lines: list[str] = []
    case = case_of(window, text_model, set(), tmp_path, lines)
    (first, second), _ = case.findings((), None, False)
    assert [first.kind, second.kind] == ["sentences", "words"]
    assert first.samples == 129
    best = [first.segments[number].text for number in first.top_segments]
    assert {text[0].lower() for text in best} >= {FIRST, SECOND}
    found = [second.segments[number].text.lower() for number in second.top_segments]
    assert {FIRST, SECOND} <= set(found)
    assert len(second.segments) <= LONG
    assert any(line.startswith("Next: the words of the sentences that matter") for line in lines)


def case_of(window, text_model, kept, folder, lines: list[str], samples: int = 0) -> TextCase:
    request = Request("hadamard", samples, 0, "logit", 5, "auto", "mask")
    target = target_of(window)
    asked = (ASKED, window, text_model, target, target.plus, None)
    return TextCase(*asked, frozenset(kept), request, folder, Report(lines.append, verbose=False))


def test_how_many_masks():
    counts = [default_samples("words", "hadamard", count) for count in (30, 84, 169, 170)]
    assert counts == [513, 513, 513, 1025]
    assert default_samples("sentences", "hadamard", 15) == 129
    assert default_samples("words", "leave-one-out", 30) == 31


def test_the_training_is_followed(tokenizer, tmp_path):
    """A model that learns the word at step 20: from there on its top word is the last one's."""
    window = window_of(tokenizer)
    early = text_model_of(tokenizer, pair=True)
    late = text_model_of(tokenizer, pair=False)
    early.model.qa_outputs.weight.data[:] = 0
    lines: list[str] = []
    case = case_of(window, late, {5, 14}, tmp_path, lines, samples=129)
    _, last = case.findings((), None, False)
    models = [replace(early, step=10), replace(late, step=20), replace(late, step=30)]
    found = case.by_step(last, models)
    assert found.steps == [10, 20, 30]
    assert found.scores[0] < found.scores[1] == found.scores[2]
    assert lines[-1].startswith("from step 20 on, at least 1 of the 1 top segments")
