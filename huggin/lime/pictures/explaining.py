"""Explain what a classifier says of a picture: which segments make it say so?

found = huggin.explain_picture("photo.jpg")
print(found.in_words())
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from huggin.common.errors import BadValue, UserError
from huggin.graphs.saving import as_html, save_figures
from huggin.lime import steps
from huggin.lime.choices import WIDTH, is_of_transformers
from huggin.lime.classifiers.classifier import Classifier, first_answers
from huggin.lime.classifiers.labels import target_of
from huggin.lime.drawing import missing_in
from huggin.lime.explanation import Explanation, Request
from huggin.lime.masks import usual_samples
from huggin.lime.pictures.figures import PANELS, draw_explanation, draw_rounds
from huggin.lime.pictures.reading import Picture, open_picture
from huggin.lime.pictures.scene import Scene, make_scene
from huggin.lime.predictor import Predictor, Target
from huggin.lime.quality import LIME, RANDOM
from huggin.lime.results import make_writable
from huggin.lime.steps import Report, Say

AnyPicture = str | Path | np.ndarray | Picture
AnyClassifier = str | Path | Mapping[str, Any] | Classifier | Callable[[np.ndarray], np.ndarray]
CUT = ("segmenter", "segments", "fill", "fit", "resampling")  # the arguments of make_scene
SHOWN = 3  # answers in a summary of a round
ORDERS = 10  # random ones that faithfulness is compared with
NEWER = ("only_segments.png",)  # figures that an older version did not draw
DRAWS = 16  # answers whose mean is explained: its error is a quarter of one answer's


@dataclass(frozen=True)
class ExplainedPicture:
    """What makes a classifier say what it says of a picture, and what was said meanwhile."""

    explanations: list[Explanation[Scene, int]]  # one per class
    lines: list[str]

    def in_words(self) -> str:
        """What makes the answer, and how far to trust it."""
        return "\n".join(self.lines)

    def as_json(self) -> list[dict[str, Any]]:
        """Every number, a dictionary per class."""
        return [explanation.as_json() for explanation in self.explanations]

    def figures(self) -> list[dict[str, Figure]]:
        """The figures of each class by their names; `lime` has all in one."""
        return [draw_explanation(explanation) for explanation in self.explanations]

    def save(self, folder: Path, show: bool = False, verbose: bool = False) -> None:
        """Save the figures, in a folder per class if there are several.

        Prints where the one of all is; the paths of all others, too, if `verbose`.
        """
        remove_figures([folder, *folder.glob("[0-9]*")])  # those of an earlier start
        targets = [explanation.target for explanation in self.explanations]
        for target, figures in zip(targets, self.figures()):
            place = folder if len(targets) == 1 else folder / _folder_of(target)
            save_figures(figures, place, show, told=None if verbose else ("lime",))
        if line := missing_in(target.name for target in targets):
            print(line)

    def _repr_html_(self) -> str:
        return as_html([figures["lime"] for figures in self.figures()], self.in_words())


def _folder_of(target: Target[int]) -> str:
    """A folder's name for a target. It starts with the classes' numbers, so no two are equal."""
    words = re.sub(r"\W+", "-", target.name)[:60]
    return "-".join([*map(str, target.both), words]).strip("-")


def remove_figures(folders: Iterable[Path]) -> None:
    """Remove the figures of an explanation, and each folder that is empty afterwards."""
    for folder in folders:
        paths = [folder / f"{name}.png" for name in ("lime", *PANELS)]
        older = [path for path in paths if path.name not in NEWER]
        if all(path.is_file() for path in older):  # otherwise they are not ours
            for path in (*paths, folder / "faithfulness.png"):
                path.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()


def explain_picture(
    picture: AnyPicture,
    classifier: AnyClassifier = "InceptionV3",
    *,
    classes: Sequence[str] = (),
    segmenter: str = "quickshift",
    segments: int = 36,
    fill: str = "grey",
    fit: str = "squash",
    resampling: str | None = None,
    allow_random: bool = False,
    score: str = "probability",
    sampler: str = "hadamard",
    samples: int | None = None,
    adjust: bool = True,
    seed: int = 0,
    kernel_width: float = WIDTH,
    top: int = 4,
    until_stable: bool = False,
    max_samples: int = 20_000,
    stability: int | None = None,
    faithfulness: bool = False,
    out: str | Path | None = None,
    verbose: bool = False,
    say: Say = lambda _: None,
) -> ExplainedPicture:
    """Explain which segments of a picture make a classifier say what it says: `lime.py`.

    picture: a path, an http(s) address, or an array (height, width, 3) in [0, 1] or of uint8.
    classifier: a name of keras.applications, a model's file, a folder of transformers or owner/name
    on the Hub, the arguments of `load_classifier` or what it returns, or a function: pictures (n,
    height, width, 3) in [0, 1] -> probabilities (n, classes).
    classes: numbers, names, or contrasts such as `dog - cat`; without, the first answer.
    segmenter, segments (about how many), fill, fit, resampling: see `make_scene`. allow_random: if
    the same picture gets different answers, explain their mean. score: `probability` or `logit`.
    sampler, samples, adjust, seed, kernel_width, top: see `huggin.lime.explanation.Request`.
    until_stable: more masks, up to max_samples, until the top segments no longer change.
    stability: how often it is repeated with fresh masks. faithfulness: whether hiding and showing
    the segments in their order is compared with other orders. out: a folder that keeps the
    answers for the next call. verbose: tell the four steps, too. say: told each line at once.

    >>> import numpy as np, huggin
    >>> picture = np.zeros((40, 40, 3))
    >>> picture[:20, :20] = 1
    >>> def bright(pictures):
    ...     corner = pictures[:, :20, :20].mean(axis=(1, 2, 3))
    ...     return np.stack([1 - corner, corner], axis=1)
    >>> explained = huggin.explain_picture(picture, bright, segmenter="grid", segments=4)
    >>> explained.explanations[0].target.name, explained.explanations[0].top.tolist()
    ('class 1', [0])

    Raises UserError if picture, classifier or arguments cannot be used.
    """
    masks = (sampler, samples or 0, seed, score, top)
    request = Request(*masks, segmenter, fill, kernel_width, adjust)
    report = Report(say, verbose)
    cut = (segmenter, segments, fill, fit, resampling)
    scene, request = _prepared_scene(picture, classifier, cut, allow_random, request, report)
    targets = targets_of(scene, classes)
    if out:
        make_writable(Path(out))
    predictor = Predictor(scene, targets, Path(out) / "predictions.npz" if out else None)
    explanations = steps.explain(predictor, targets, request, report.detail)
    if until_stable:
        explanations = steps.until_stable(predictor, explanations, max_samples, report.tell)
    for number, explanation in enumerate(explanations):
        report.tell(*explanation.in_words())
        report.detail(*explanation.details())
        if stability:
            explanation = steps.repeated(predictor, explanation, stability, report.tell)
        if faithfulness:
            curves = steps.compared(predictor, explanation, {}, ORDERS, None).curves
            explanation = replace(explanation, curves=curves)
            report.tell(*(f"{name}: {curve.in_words()}" for name, curve in curves.items()))
        if not explanation.surrogate.constant:
            verdict = explanation.verdict(_doubts(explanation, until_stable))
            explanation = replace(explanation, believe=verdict)
            report.tell(verdict)
        explanations[number] = explanation
    return ExplainedPicture(explanations, report.lines)


def _prepared_scene(
    picture: AnyPicture,
    classifier: AnyClassifier,
    cut: Sequence[Any],
    allow_random: bool,
    request: Request,
    report: Report,
) -> tuple[Scene, Request]:
    """The scene, which is told, and the request that fits it. cut: see `make_scene`."""
    read = open_picture(picture)
    if isinstance(classifier, str | Path):
        classifier = {"model": str(classifier)}
    if isinstance(classifier, Mapping) and is_of_transformers(classifier["model"]):
        from huggin.lime.classifiers.hub_classifier import load_hub_classifier

        classifier = load_hub_classifier(**classifier)
    elif isinstance(classifier, Mapping):
        # TensorFlow need not be there to explain a function.
        from huggin.lime.classifiers.keras_models import load_classifier

        classifier = load_classifier(**classifier, picture=read.values, seed=request.seed)
    elif callable(classifier):
        classifier = Classifier.of(classifier, read.values)
    scene = steady(make_scene(read, classifier, *cut), allow_random)
    request = fitted(request, scene)
    report.tell(*scene.introduction())
    return scene, request


def steady(scene: Scene, allow_random: bool) -> Scene:
    """The scene, if its classifier answers the same picture alike, alone and within a batch.

    Raises UserError if not, unless `allow_random`: then the mean of DRAWS answers is asked for.
    """
    classifier = scene.classifier
    hidden = [np.arange(scene.count) % step == 0 for step in (2, 3)]
    masked = [scene.hide(np.flatnonzero(chosen)) for chosen in hidden]
    apart = classifier.varies(np.stack([scene.picture, *masked, scene.fill]))
    if not apart:
        return scene
    if allow_random:
        return replace(scene, classifier=classifier.mean_of(DRAWS, apart))
    what = f"answers the same picture differently (by {apart:.2g}), alone and within a batch"
    why = "it has layers that act as in training, such as Dropout; save it with training=False"
    mean = f"or explain the mean of {DRAWS} answers by --allow-random"
    raise UserError(f"{classifier.name}: {what}; {why}, {mean}")


def fitted(request: Request, scene: Scene) -> Request:
    """The request with what it leaves open: the number of masks, if it is 0, and what was done.

    Raises BadValue for fewer masks than coefficients, and for the logit of a value.
    """
    count = request.samples or usual_samples(request.sampler, scene.count)
    if count <= scene.count:
        advice = f"give at least {2 * scene.count}, or fewer segments by --segments or --segmenter"
        raise BadValue("samples", count, f"too few for {scene.count} segments; {advice}")
    scale = "value" if scene.classifier.ending == "value" else request.scale
    if scale == "value" and request.scale == "logit":
        what = f"{scene.classifier.name} returns values; leave it out"
        raise BadValue("score", request.scale, what)
    return replace(request, samples=count, scale=scale, segmenter=scene.segmenter)


def targets_of(scene: Scene, classes: Sequence[str] = ()) -> list[Target[int]]:
    """The classes that are explained; without any, the classifier's first answer."""
    names = scene.classifier.names
    if classes:
        return list(dict.fromkeys(target_of(words, names) for words in classes))
    if scene.classifier.ending == "value" and len(names) > 1:
        outputs = f"{names[0]} to {names[-1]}"
        raise UserError(f"--classes: the model returns {outputs}; say which of them is explained")
    return [scene.first_answer()]


def _doubts(explanation: Explanation[Scene, int], until_stable: bool) -> list[str]:
    """What speaks against relying on the top segments, a clause each."""
    doubts = explanation.doubts()
    if until_stable and not steps.is_steady(explanation):
        doubts.append(f"they are not stable after {len(explanation.scores)} masks")
    if explanation.curves and explanation.curves[LIME].gain <= explanation.curves[RANDOM].gain:
        doubts.append("hiding them changes the score no faster than hiding others")
    return doubts


# Rounds: what does it say once what it relied on is hidden? Explain, hide, and ask again.


@dataclass(frozen=True)
class Round:
    """Why a picture is called what it is called, and what is left without that."""

    number: int  # 1 for the first
    explanation: Explanation[Scene, int]
    left: Scene  # with its top segments hidden

    def summary(self) -> str:
        """What was hidden, the answers before and after, and the new one's place before."""
        before, after = self.explanation.scene, self.left
        first, second = before.first_answer(), after.first_answer()
        lines = [f"\nRound {self.number}: {self._hidden_in_words(first.name)}"]
        for when, scene in (("before", before), ("after", after)):
            for place, index in enumerate(first_answers(scene.answers, SHOWN)):
                name = f"{scene.classifier.names[index]} (class {index})"
                lines.append(f"  {'' if place else when:6}  {scene.answers[index]:.4f}  {name}")
        if first == second:
            return "\n".join([*lines, f"  the answer stays the same: {first.name}"])
        had = before.answers[second.plus]
        place = int((before.answers > had).sum()) + 1
        was = f"it was number {place} before, with {had:.4g}"
        return "\n".join([*lines, f"  the answer is {second.name} now; {was}"])

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
        [explanation] = steps.explain(predictor, [target], request, say)
        left = replace(scene, picture=scene.hide(explanation.top))
        yield Round(number, explanation, left)
        if left.first_answer() == target:
            return
        scene = left


def explain_rounds(
    picture: AnyPicture, classifier: AnyClassifier, rounds: int, out: Path, say: Say, **choices: Any
) -> list[Explanation[Scene, int]]:
    """`deceive`, as inDeCeptionV3.py does it: each round is told, drawn and saved in `out`.

    choices: those of `explain_picture` about the scene, the masks and the score, `verbose`, and
    `show`, whether the figure of all rounds is opened. Returns the explanation of each round.
    Raises UserError if picture, classifier or choices cannot be used.
    """
    cut = [choices.pop(name) for name in CUT]
    names = ("allow_random", "show", "verbose", "score")
    allow_random, show, verbose, scale = map(choices.pop, names)
    request = Request(segmenter=cut[0], fill=cut[2], scale=scale, **choices)
    report = Report(say, verbose)
    scene, request = _prepared_scene(picture, classifier, cut, allow_random, request, report)
    if request.scale == "value":
        what = "returns values, so there is no answer that could change; explain it with lime.py"
        raise UserError(f"{scene.classifier.name}: {what}")
    make_writable(out)
    saved = {}
    for round_ in deceive(scene, request, rounds, out, report.detail):
        report.tell(round_.summary())
        place = out / f"round-{round_.number}"
        saved[place] = round_
        paths = None if verbose else ()
        save_figures(draw_explanation(round_.explanation), place, show=False, told=paths)
    remove_figures(set(out.glob("round-*")) - saved.keys())  # those of an earlier start
    scenes = [scene, *(round_.left for round_ in saved.values())]
    save_figures({"rounds": draw_rounds(scenes)}, out, show)
    explanations = [round_.explanation for round_ in saved.values()]
    if line := missing_in(explanation.target.name for explanation in explanations):
        report.tell(line)
    return explanations
