"""Make the sample's stories: a seed -> stories.json and unseen-stories.json, in SQuAD's layout.

python sample/make_stories.py

A story is three sentences, "Freya took the drum to Ribe.", each of another person, thing and city.
A question names one of the persons and asks for the thing, or for the city. Every name, thing and
city is as frequent as any other, and no unseen story is among those to train on. So nothing can be
learned by heart: a model has to find the question's name in the story, and to read on from there.
"""

import json
import random
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NAMES = ("Alma", "Bjarne", "Emil", "Freya", "Ida", "Noah", "Sara", "Viggo")
THINGS = ("clock", "drum", "kite", "ladder", "lamp", "melon", "rope", "violin")
CITIES = ("Bergen", "Kiruna", "Lund", "Odense", "Oslo", "Ribe", "Turku", "Vaasa")
VERBS = ("took", "brought", "carried")
QUESTIONS = ("What did {name} have?", "Where did {name} go?")
FACTS = 3  # in a story
STORIES = 4800  # to train on, with a question of each kind
UNSEEN = 100
SEED = 1

Fact = tuple[str, str, str]  # name, thing and city


def draw_stories(count: int, rng: random.Random) -> list[tuple[Fact, ...]]:
    """Stories, no two of the same facts."""
    stories: dict[tuple[Fact, ...], None] = {}
    while len(stories) < count:
        words = (rng.sample(choices, FACTS) for choices in (NAMES, THINGS, CITIES))
        stories[tuple(zip(*words, strict=True))] = None
    return list(stories)


def paragraph(number: int, story: tuple[Fact, ...], rng: random.Random) -> dict[str, Any]:
    """The story as a context, and a question of each kind about one of its persons."""
    sentences = [
        f"{name} {rng.choice(VERBS)} the {thing} to {city}." for name, thing, city in story
    ]
    context = " ".join(sentences)
    questions = []
    for kind, question in enumerate(QUESTIONS):
        name, *answers = rng.choice(story)
        answer = {"text": answers[kind], "answer_start": context.index(answers[kind])}
        names = {"id": f"{number}-{kind + 1}", "question": question.format(name=name)}
        questions.append({**names, "answers": [answer]})
    return {"context": context, "qas": questions}


def main(folder: Path = HERE) -> None:
    """Write both files, a story a line."""
    rng = random.Random(SEED)
    stories = draw_stories(UNSEEN + STORIES, rng)
    made = [paragraph(number, story, rng) for number, story in enumerate(stories, start=1)]
    for name, part in (("unseen-stories.json", made[:UNSEEN]), ("stories.json", made[UNSEEN:])):
        lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in part)
        text = '{"data":[{"title":"Stories","paragraphs":[\n' + lines + "\n]}]}\n"
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
