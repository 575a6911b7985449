"""Whether given answers begin and end where the other answers do."""

import pytest

from huggin.analysis.edges import FEWEST, edge_evidence
from huggin.analysis.suspects import rank_suspects

NAMES = ("Odin", "Freya", "Loki", "Thor", "Sif", "Balder", "Tyr", "Idun", "Bragi", "Hel")
CITIES = ("Ribe", "Uppsala", "Birka", "Kaupang", "Hedeby", "Lund", "Roskilde", "Lejre")
WRONG = {7: "went to Birka", 21: "to Kaupang"}  # an edge is one or two words too far out


def records(count=FEWEST):
    """In a context each, of which the answer is a city; two of them are given with more words."""
    made = []
    for number in range(count):
        name, city = NAMES[number % 10], CITIES[number % 8]
        context = f"On day {number} old {name} went to {city} by boat. It was cold there."
        answer = WRONG.get(number, city)
        if number in WRONG:
            context = context.replace(city, answer.split()[-1])
        answers = {"text": [answer], "answer_start": [context.index(answer)]}
        question = f"Where did {name} go on day {number}?"
        made.append(
            {"id": str(number), "question": question, "context": context} | {"answers": answers}
        )
    return made


def test_answers_with_a_wrong_edge_are_found_and_better_ones_are_named():
    found = edge_evidence(records())
    assert set(found.moved.argsort()[-2:].tolist()) == set(WRONG)
    assert set(found.unusual.argsort()[-2:].tolist()) == set(WRONG)
    assert [found.better[number] for number in WRONG] == ["Birka", "Kaupang"]
    others = [number for number in range(FEWEST) if number not in WRONG]
    assert (found.moved[others] < 0).all()
    ranked, _ = rank_suspects(records())
    assert {suspect.index for suspect in ranked[:2]} == set(WRONG)
    assert '"Kaupang" would look more like the other answers' in ranked[0].reason + ranked[1].reason


def test_every_given_answer_is_an_example():
    """So a question with a right and a wrong edge has nothing against it."""
    several = records()
    context = several[7]["context"]
    several[7]["answers"]["text"].append("Birka")
    several[7]["answers"]["answer_start"].append(context.index("Birka"))
    found = edge_evidence(several)
    assert found.moved[7] < 0 < found.moved[21]
    assert found.better[7] != "Birka"


@pytest.mark.parametrize("count", [0, 1, FEWEST - 1])
def test_few_answers_tell_nothing(count):
    found = edge_evidence(records(count))
    assert (found.moved.tolist(), found.unusual.tolist()) == ([0] * count, [0] * count)


def test_questions_without_an_answer_have_no_evidence_against_them():
    none = [record | {"answers": {"text": [], "answer_start": []}} for record in records(5)]
    found = edge_evidence([*none, *records()])
    assert found.moved[:5].tolist() == found.unusual[:5].tolist() == [0] * 5


def test_chinese_characters_are_words_of_their_own():
    made = []
    for number in range(FEWEST):
        city = "北京上海广州成都"[number % 4 * 2 :][:2]
        answer = f"去了{city}" if number == 9 else city
        context = f"第{number}天老王去了{city}，那里很冷。"
        answers = {"text": [answer], "answer_start": [context.index(answer)]}
        made.append({"id": str(number), "question": "老王去了哪里？", "context": context})
        made[-1]["answers"] = answers
    found = edge_evidence(made)
    assert (found.moved.argmax(), found.better[9]) == (9, "上海")


def test_a_context_without_words_is_no_error():
    wordless = {**records()[0], "context": "… !", "answers": {"text": ["!"], "answer_start": [2]}}
    found = edge_evidence([wordless, *records()])
    assert (found.moved[0], found.better[0]) == (0, "")
