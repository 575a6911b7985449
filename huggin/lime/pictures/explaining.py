"""Explain what a classifier says of a picture: which segments make it say so?

found = huggin.explain_picture("photo.jpg")
print(found.in_words())
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from huggin.common.errors import BadValue, UserError
from huggin.graphs.saving import as_html, save_figures
from huggin.lime import steps
from huggin.lime.choices import WIDTH
from huggin.lime.classifiers.classifier import Classifier
from huggin.lime.classifiers.labels import target_of
from huggin.lime.drawing import missing_in
from huggin.lime.explanation import Explanation, Request
from huggin.lime.masks import usual_samples
from huggin.lime.pictures.figures import draw_explanation, draw_faithfulness
from huggin.lime.pictures.reading import Picture, open_picture
from huggin.lime.pictures.scene import Scene, make_scene
from huggin.lime.predictor import Predictor, Target
from huggin.lime.quality import LIME, RANDOM, Compared
from huggin.lime.results import make_writable, remove_figures
from huggin.lime.steps import Report, Say

AnyClassifier = str | Path | Classifier | Callable[[np.ndarray], np.ndarray]
ORDERS = 10  # random ones that faithfulness is compared with
DRAWS = 16  # answers whose mean is explained: its error is a quarter of one answer's


@dataclass(frozen=True)
class ExplainedPicture:
    """What makes a classifier say what it says of a picture, and what was said meanwhile."""

    explanations: list[Explanation[Scene, int]]  # one per class
    compared: list[Compared | None]  # the order of the segments with others, if that was asked for
    lines: list[str]

    def in_words(self) -> str:
        """What makes the answer, and how far to trust it."""
        return "\n".join(self.lines)

    def as_json(self) -> list[dict[str, Any]]:
        """Every number, a dictionary per class."""
        found = [explanation.as_json() for explanation in self.explanations]
        for numbers, compared in zip(found, self.compared):
            if compared:
                curves = {name: asdict(curve) for name, curve in compared.curves.items()}
                for curve in curves.values():
                    del curve["gains"]  # of each random order
                numbers["faithfulness"] = curves
        return found

    def figures(self) -> list[dict[str, Figure]]:
        """The figures of each class by their names; `lime` has all in one."""
        found = [draw_explanation(explanation) for explanation in self.explanations]
        for figures, explanation, compared in zip(found, self.explanations, self.compared):
            if compared:
                figures["faithfulness"] = draw_faithfulness(compared.curves, explanation)
        return found

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
    numbers = str(target.plus) if target.minus is None else f"{target.plus}-{target.minus}"
    words = re.sub(r"\W+", "-", target.name)[:60]
    return f"{numbers}-{words}".strip("-")


def explain_picture(
    picture: str | Path | np.ndarray | Picture,
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
    classifier: a name of keras.applications, a model's file, what `load_classifier` returns, or a
    function: pictures (n, height, width, 3) in [0, 1] -> probabilities (n, classes).
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
    >>> found = huggin.explain_picture(picture, bright, segmenter="grid", segments=4)
    >>> found.explanations[0].target.name, found.explanations[0].top.tolist()
    ('class 1', [0])

    Raises UserError if picture, classifier or arguments cannot be used.
    """
    read = open_picture(picture)
    model = _classifier_of(classifier, read, seed)
    cut = make_scene(read, model, segmenter, segments, fill, fit, resampling)
    scene = steady(cut, allow_random)
    masks = (sampler, samples or 0, seed, score, top)
    request = fitted(Request(*masks, segmenter, fill, kernel_width, adjust), scene)
    report = Report(say, verbose)
    report.tell(*scene.introduction())
    targets = targets_of(scene, classes)
    if out:
        make_writable(Path(out))
    predictor = Predictor(scene, targets, Path(out) / "predictions.npz" if out else None)
    explanations = steps.explain(predictor, targets, request, report.detail)
    if until_stable:
        explanations = steps.until_stable(predictor, explanations, max_samples, report.tell)
    compared = []
    for number, one in enumerate(explanations):
        report.tell(*one.in_words())
        report.detail(*one.details())
        if stability:
            one = explanations[number] = steps.repeated(predictor, one, stability, report.tell)
        found = steps.compared(predictor, one, {}, ORDERS, None) if faithfulness else None
        if found:
            report.tell(*(f"{name}: {curve.in_words()}" for name, curve in found.curves.items()))
        compared.append(found)
        if not one.surrogate.constant:
            report.tell(one.verdict(_doubts(one, found, until_stable)))
    return ExplainedPicture(explanations, compared, report.lines)


def _classifier_of(classifier: AnyClassifier, picture: Picture, seed: int) -> Classifier:
    if isinstance(classifier, str | Path):
        # TensorFlow need not be there to explain a function.
        from huggin.lime.classifiers.keras_models import load_classifier

        return load_classifier(str(classifier), picture=picture.values, seed=seed)
    return Classifier.of(classifier, picture.values) if callable(classifier) else classifier


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
    labels = scene.classifier.labels
    if classes:
        return list(dict.fromkeys(target_of(words, labels) for words in classes))
    if scene.classifier.ending == "value" and len(labels.names) > 1:
        known = f"{labels.names[0]} to {labels.names[-1]}"
        raise UserError(f"--classes: the model returns {known}; say which of them is explained")
    return [scene.first_answer()]


def _doubts(
    one: Explanation[Scene, int], compared: Compared | None, until_stable: bool
) -> list[str]:
    """What speaks against relying on the top segments, a clause each."""
    doubts = one.doubts()
    if until_stable and not steps.is_steady(one):
        doubts.append(f"they are not stable after {len(one.scores)} masks")
    curves = compared.curves if compared else {}
    if curves and curves[LIME].gain <= curves[RANDOM].gain:
        doubts.append("hiding them changes the score no faster than hiding others")
    return doubts
