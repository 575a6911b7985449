"""What does a classifier say once what it relied on is hidden? Explain, hide, and ask again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from huggin.lime.classifiers.classifier import first_answers
from huggin.lime.explanation import Explanation, Request
from huggin.lime.pictures.scene import Scene
from huggin.lime.predictor import Predictor
from huggin.lime.steps import Say, explain

SHOWN = 3  # answers in a summary


@dataclass(frozen=True)
class Round:
    """Why a picture is called what it is called, and what is left without that."""

    number: int  # 1 for the first
    explanation: Explanation[Scene, int]
    left: Scene  # with its top segments hidden

    @property
    def before(self) -> np.ndarray:
        """The probabilities (classes,) of the picture."""
        return self.explanation.scene.answers

    @property
    def after(self) -> np.ndarray:
        """The probabilities (classes,) of what is left."""
        return self.left.answers

    def summary(self) -> str:
        """What was hidden, the answers before and after, and the new one's place before."""
        names = self.left.classifier.labels.names
        first = int(first_answers(self.before, 1)[0])
        second = int(first_answers(self.after, 1)[0])
        lines = [f"\nRound {self.number}: {self._hidden_in_words(names[first])}"]
        for when, answers in (("before", self.before), ("after", self.after)):
            for place, index in enumerate(first_answers(answers, SHOWN)):
                name = f"{names[index]} (class {index})"
                lines.append(f"  {'' if place else when:6}  {answers[index]:.4f}  {name}")
        if first == second:
            return "\n".join([*lines, f"  the answer stays the same: {names[first]}"])
        place = int((self.before > self.before[second]).sum()) + 1
        was = f"it was number {place} before, with {self.before[second]:.4g}"
        return "\n".join([*lines, f"  the answer is {names[second]} now; {was}"])

    def _hidden_in_words(self, first: str) -> str:
        if self.explanation.surrogate.constant:
            return self.explanation.nothing_to_explain()
        segments = ", ".join(map(str, self.explanation.top))
        if not segments:
            return f"nothing is hidden, as no segment speaks for {first} beyond chance"
        return f"hidden: the segments that speak for {first} ({segments})"


def deceive(
    scene: Scene, request: Request, rounds: int, out: Path, say: Say = lambda _: None
) -> Iterator[Round]:
    """Explain the picture, hide its top segments, and continue with what is left.

    There are at most `rounds` rounds; the last one is the first that leaves the answer as it was.
    The segments keep their numbers. out: a folder in which each round keeps its answers.
    """
    for number in range(1, rounds + 1):
        target = scene.first_answer()
        predictor = Predictor(scene, [target], out / f"round-{number}" / "predictions.npz")
        [explanation] = explain(predictor, [target], request, say)
        left = replace(scene, picture=scene.hide(explanation.top))
        yield Round(number, explanation, left)
        if left.first_answer() == target:
            return
        scene = left
