"""What does a classifier say once what it relied on is hidden? Picture -> rounds of explaining and hiding -> words."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from huggin.lime.explanation import Explanation
from huggin.lime.labels import Labels
from huggin.lime.scene import Scene

Explain = Callable[[Scene, int], Explanation]  # a picture and its round -> why its first answer


@dataclass(frozen=True)
class Round:
    """A picture, why it is called what it is called, and what it is called without that."""

    number: int  # 1 for the first
    explanation: Explanation
    before: np.ndarray  # (classes,) probabilities of the picture
    after: np.ndarray  # (classes,) with its top segments hidden
    hidden: np.ndarray  # (height, width, 3) that picture

    @property
    def first(self) -> int:
        """The class that the picture is called."""
        return int(self.before.argmax())

    @property
    def second(self) -> int:
        """The class that it is called once its top segments are hidden."""
        return int(self.after.argmax())


def deceive(scene: Scene, explain: Explain, rounds: int) -> Iterator[Round]:
    """Explain, hide the top segments, go on with what is left: at most `rounds` times, or until the answer stays.

    The segments keep their numbers; each round explains the picture as the one before has left it.
    """
    for number in range(1, rounds + 1):
        explanation = explain(scene, number)
        left = replace(scene, picture=scene.hide(explanation.top))
        predict = scene.classifier.predict
        one = Round(
            number, explanation, predict(scene.picture), predict(left.picture), left.picture
        )
        yield one
        if one.second == one.first:
            return
        scene = left


def summary(one: Round) -> str:
    """The first answers before and after, and where the second stood before, as the older toolkit printed them."""
    labels = one.explanation.scene.classifier.labels
    place = int((one.before > one.before[one.second]).sum()) + 1
    where = "the full picture" if one.number == 1 else f"what round {one.number - 1} has left"
    entry = [labels.codes[one.second], labels.names[one.second], f"{one.before[one.second]:.8g}"]
    return "\n".join(
        [
            "\n  Predictions summary\n  -------------------",
            _answers(labels, one.before),
            _answers(labels, one.after),
            f"  NOTE THE PLACING + PROBABILITY of the second prediction in {where}:",
            f"    {labels.names[one.first]} entry {place} : {entry}",
            f"  hidden: segments {', '.join(map(str, one.explanation.top)) or 'none, no segment speaks for it'}"
            + ("; the answer stays the same" if one.first == one.second else ""),
        ]
    )


def _answers(labels: Labels, probabilities: np.ndarray) -> str:
    best = probabilities.argsort()[::-1][:3]
    rows = [
        f"    {(labels.codes[index], labels.names[index], float(f'{probabilities[index]:.8g}'))}"
        for index in best
    ]
    return "\n".join([f"  {labels.names[best[0]]} :", *rows, ""])
