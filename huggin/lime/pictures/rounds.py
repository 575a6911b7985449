"""What does a classifier say once what it relied on is hidden? Explain, hide, and ask again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from huggin.common.errors import UserError
from huggin.graphs.saving import save_figures
from huggin.lime.classifiers.classifier import Classifier, first_answers
from huggin.lime.explanation import Explanation, Request
from huggin.lime.fonts import missing_in
from huggin.lime.pictures.explaining import fitted, steady
from huggin.lime.pictures.figures import draw_explanation, draw_rounds
from huggin.lime.pictures.reading import Picture
from huggin.lime.pictures.scene import Scene, make_scene
from huggin.lime.predictor import Predictor
from huggin.lime.results import make_writable, remove_figures
from huggin.lime.steps import Report, Say, explain

CUT = ("segmenter", "segments", "fill", "fit", "resampling")  # the arguments of make_scene
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


def explain_rounds(
    picture: Picture, classifier: Classifier, rounds: int, out: Path, say: Say, **choices: Any
) -> list[Explanation[Scene, int]]:
    """`deceive`, as inDeCeptionV3.py does it: each round is told, drawn and saved in `out`.

    choices: those of `explain_picture` about the scene, the masks and the score, `verbose`, and
    `show`, whether the figure of all rounds is opened. Returns the explanation of each round.
    Raises UserError if picture, classifier or choices cannot be used.
    """
    cut = [choices.pop(name) for name in CUT]
    scene = steady(make_scene(picture, classifier, *cut), choices.pop("allow_random"))
    show, verbose, scale = map(choices.pop, ("show", "verbose", "score"))
    asked = Request(segmenter=cut[0], fill=cut[2], scale=scale, **choices)
    request = fitted(asked, scene)
    if request.scale == "value":
        what = "returns values, so there is no answer that could change; explain it with lime.py"
        raise UserError(f"{classifier.name}: {what}")
    make_writable(out)
    report = Report(say, verbose)
    report.tell(*scene.introduction())
    found = []
    for one in deceive(scene, request, rounds, out, report.detail):
        report.tell(one.summary())
        figures = draw_explanation(one.explanation)
        told = None if verbose else ()
        save_figures(figures, out / f"round-{one.number}", show=False, told=told)
        found.append(one)
    others = set(out.glob("round-*")) - {out / f"round-{one.number}" for one in found}
    remove_figures(others)  # those of an earlier start
    save_figures({"rounds": draw_rounds([scene, *(one.left for one in found)])}, out, show)
    explanations = [one.explanation for one in found]
    if line := missing_in(explanation.target.name for explanation in explanations):
        report.tell(line)
    return explanations
