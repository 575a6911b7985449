"""What does a classifier say once what it relied on is hidden? Explain, hide, and ask again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from huggin.lime.classifiers.classifier import first_answers
from huggin.lime.classifiers.labels import Labels
from huggin.lime.explanation import Explanation, Request
from huggin.lime.pictures.scene import Scene
from huggin.lime.predictor import Predictor
from huggin.lime.steps import Say, explain

SHOWN = 3  # answers in a summary


@dataclass(frozen=True)
class Round:
    """A picture, why it is called what it is called, and what it is called without that."""

    number: int  # 1 for the first
    explanation: Explanation[Scene, int]
    before: np.ndarray  # (classes,) probabilities of the picture
    after: np.ndarray  # (classes,) with its top segments hidden
    hidden: np.ndarray  # (height, width, 3) the picture with its top segments hidden

    @property
    def first(self) -> int:
        """The class that the picture is called."""
        return int(first_answers(self.before, 1)[0])

    @property
    def second(self) -> int:
        """The class that it is called once its top segments are hidden."""
        return int(first_answers(self.after, 1)[0])


def deceive(
    scene: Scene, request: Request, rounds: int, out: Path, say: Say = lambda _: None
) -> Iterator[Round]:
    """Explain the picture, hide its top segments, and continue with what is left.

    There are at most `rounds` rounds; the last one is the first that leaves the answer as it was.
    The segments keep their numbers. out: a folder in which each round keeps its answers.
    """
    predict = scene.classifier.predict
    for number in range(1, rounds + 1):
        before = predict(scene.picture)
        target = scene.first_answer()
        predictor = Predictor(scene, [target], out / f"round-{number}" / "predictions.npz")
        [explanation] = explain(predictor, [target], request, say)
        left = replace(scene, picture=scene.hide(explanation.top))
        after = predict(left.picture)
        found = Round(number, explanation, before, after, left.picture)
        yield found
        if found.second == found.first:
            return
        scene = left


def summary(one: Round) -> str:
    """A round in words: what was hidden, the answers before and after, and the new one's place."""
    labels = one.explanation.scene.classifier.labels
    lines = [f"\nRound {one.number}: {_hidden_in_words(one)}"]
    lines += _answers("before", labels, one.before)
    lines += _answers("after", labels, one.after)
    name = labels.names[one.second]
    if one.first == one.second:
        return "\n".join([*lines, f"  the answer stays the same: {name}"])
    place = int((one.before > one.before[one.second]).sum()) + 1
    was = f"it was number {place} before, with {one.before[one.second]:.4g}"
    return "\n".join([*lines, f"  the answer is {name} now; {was}"])


def _hidden_in_words(one: Round) -> str:
    top = one.explanation.top
    first = one.explanation.scene.classifier.labels.names[one.first]
    if one.explanation.surrogate.constant:
        return one.explanation.nothing_to_explain()
    if not len(top):
        return f"nothing is hidden, as no segment speaks for {first} beyond chance"
    segments = ", ".join(map(str, top))
    return f"hidden: the segments that speak for {first} ({segments})"


def _answers(when: str, labels: Labels, probabilities: np.ndarray) -> list[str]:
    """A line per answer, the most probable first."""
    best = first_answers(probabilities, SHOWN)
    return [
        f"  {when if place == 0 else '':6}  {probabilities[index]:.4f}  {labels.names[index]}"
        f" (class {index})"
        for place, index in enumerate(best)
    ]
