"""Explain what a classifier says of a picture: which segments make it say so?

found = huggin.explain_picture("photo.jpg")
print(found.in_words())
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from huggin.common.errors import BadValue, UserError
from huggin.graphs.kinds import as_html
from huggin.graphs.saving import save_figures
from huggin.lime import steps
from huggin.lime.choices import FILTERS, WIDTH
from huggin.lime.classifiers.classifier import Classifier, first_answers
from huggin.lime.classifiers.function import FunctionClassifier
from huggin.lime.classifiers.labels import Target, target_at, target_of
from huggin.lime.explained import Request, verdict_on
from huggin.lime.explanation import Explanation, as_json, in_words, introduction
from huggin.lime.fonts import missing_in
from huggin.lime.masks import usual_samples
from huggin.lime.pictures.figures import draw_explanation, draw_faithfulness
from huggin.lime.pictures.predictions import Predictor
from huggin.lime.pictures.reading import Picture, open_picture
from huggin.lime.pictures.scene import Scene, make_scene
from huggin.lime.quality import differing, faithfulness, gain
from huggin.lime.results import folder_of, make_writable, remove_figures
from huggin.lime.steps import Say
from huggin.lime.surrogate import is_stable

DRAWS = 16  # answers whose mean is explained: its error is a quarter of one answer's
SQUASHED = 1.5  # change of shape from which on it is said


@dataclass(frozen=True)
class ExplainedPicture:
    """What makes a classifier say what it says of a picture, and what was said meanwhile."""

    explanations: list[Explanation]  # one per class
    qualities: list[dict[str, Any]]  # `stability` and `faithfulness` of each, if asked for
    lines: list[str]

    def in_words(self) -> str:
        """LIME's steps, what they found, and how far to trust it."""
        return "\n".join(self.lines)

    def as_json(self) -> list[dict[str, Any]]:
        """Every number, a dictionary per class."""
        return [
            as_json(explanation) | quality
            for explanation, quality in zip(self.explanations, self.qualities)
        ]

    def figures(self) -> list[dict[str, Figure]]:
        """The figures of each class by their names; `lime` has all in one."""
        found = []
        for explanation, quality in zip(self.explanations, self.qualities):
            found.append(draw_explanation(explanation))
            if curves := quality.get("faithfulness"):
                found[-1]["faithfulness"] = draw_faithfulness(curves, explanation)
        return found

    def save(self, folder: Path, show: bool = False) -> None:
        """Save the figures, in a folder per class if there are several, and print their paths."""
        remove_figures([folder, *folder.glob("[0-9]*")])  # those of an earlier start
        for explanation, figures in zip(self.explanations, self.figures()):
            alone = len(self.explanations) == 1
            save_figures(figures, folder if alone else folder / folder_of(explanation.target), show)
        if line := missing_in(explanation.target.name for explanation in self.explanations):
            print(line)

    def _repr_html_(self) -> str:
        return as_html([figures["lime"] for figures in self.figures()], self.in_words())


def explain_picture(
    picture: str | Path | np.ndarray | Picture,
    classifier: str | Path | Classifier | Callable[[np.ndarray], np.ndarray] = "InceptionV3",
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
    say: Say = lambda _: None,
) -> ExplainedPicture:
    """Explain which segments of a picture make a classifier say what it says: `lime.py`.

    picture: a path, an http(s) address, or an array (height, width, 3) in [0, 1] or of uint8.
    classifier: a name of keras.applications, a model's file, what `load_classifier` returns, or a
    function: pictures (n, height, width, 3) in [0, 1] -> probabilities (n, classes).
    classes: numbers, names, or contrasts such as `dog - cat`; without, the first answer.
    segmenter, segments (about how many), fill, fit, resampling: see `make_scene`. allow_random: if
    the same picture gets different answers, explain their mean. score: `probability` or `logit`.
    sampler, samples, adjust, seed, kernel_width, top: see `huggin.lime.explained.Request`.
    until_stable: more masks, up to max_samples, until the top segments no longer change.
    stability: how often it is repeated with fresh masks. faithfulness: see
    `huggin.lime.quality.faithfulness`. out: a folder that keeps the answers for the next call.
    say: told each line as soon as it is known.

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
    scene = scene_of(read, model, segmenter, segments, fill, fit, resampling, allow_random)
    request = request_of(scene, score, sampler, samples, adjust, seed, kernel_width, top)
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        say(line)

    tell("\n".join(introduction(scene)))
    targets = targets_of(scene, classes)
    if out:
        make_writable(Path(out))
    predictor = Predictor(scene, targets, Path(out) / "predictions.npz" if out else None)
    explanations = steps.explain(predictor, targets, request, tell)
    most = max_samples if until_stable else 0
    if most:
        explanations = steps.until_stable(predictor, explanations, most, tell)
    qualities = []
    for explanation in explanations:
        tell("\n".join(["", *in_words(explanation)]))
        quality = _examined(predictor, explanation, stability, faithfulness, tell)
        if not explanation.surrogate.constant:
            tell(_verdict(explanation, quality, most))
        qualities.append(quality)
    return ExplainedPicture(explanations, qualities, lines)


def _classifier_of(
    classifier: str | Path | Classifier | Callable[[np.ndarray], np.ndarray],
    picture: Picture,
    seed: int,
) -> Classifier:
    if isinstance(classifier, str | Path):
        # TensorFlow need not be there to explain a function.
        from huggin.lime.classifiers.keras_models import load_classifier

        return load_classifier(str(classifier), picture=picture.values, seed=seed)
    return FunctionClassifier.of(classifier, picture.values) if callable(classifier) else classifier


def scene_of(
    picture: Picture,
    classifier: Classifier,
    segmenter: str,
    segments: int,
    fill: str,
    fit: str,
    resampling: str | None,
    allow_random: bool,
) -> Scene:
    """The picture at the classifier's size, cut into segments; the classifier answers steadily.

    Raises UserError if it answers the same picture differently, unless `allow_random`: then the
    mean of DRAWS answers is asked for.
    """
    way = resampling or classifier.resampling
    scene = make_scene(
        picture.name, classifier, picture.values, segmenter, segments, fill, fit, way
    )
    fitting = _fitting_in_words(picture.values, classifier.size, fit, way)
    scene = replace(scene, facts=(*picture.facts, fitting))
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


def _fitting_in_words(picture: np.ndarray, size: tuple[int, int], fit: str, resampling: str) -> str:
    """How a picture (height, width, 3) was brought to the classifier's size."""
    height, width = size
    ratio = picture.shape[1] * height / (picture.shape[0] * width)
    done = {"squash": "", "crop": "cropped to its middle and ", "pad": "padded with grey and "}[fit]
    line = f"{done}resized to {width} x {height} by {FILTERS[resampling]}"
    times = max(ratio, 1 / ratio)
    if fit == "squash" and times > SQUASHED:
        line += f", SQUASHED {times:.1f} : 1; --fit crop or pad keeps its shape"
    return line


def request_of(
    scene: Scene,
    score: str,
    sampler: str,
    samples: int | None,
    adjust: bool,
    seed: int,
    kernel_width: float,
    top: int,
) -> Request:
    """How a scene is explained. Raises BadValue for fewer masks than coefficients."""
    count = samples or usual_samples(sampler, scene.count)
    if count <= scene.count:
        advice = f"give at least {2 * scene.count}, or fewer segments by --segments or --segmenter"
        raise BadValue("samples", count, f"too few for {scene.count} segments; {advice}")
    scale = score
    if scene.classifier.ending == "value":
        scale = "value"
        if score == "logit":
            raise BadValue("score", score, f"{scene.classifier.name} returns values; leave it out")
    fill = scene.filling
    return Request(
        sampler, count, seed, scale, top, scene.segmenter, fill, kernel_width, adjust=adjust
    )


def targets_of(scene: Scene, classes: Sequence[str] = ()) -> list[Target]:
    """The classes that are explained; without any, the classifier's first answer."""
    labels = scene.classifier.labels
    if classes:
        return list(dict.fromkeys(target_of(words, labels) for words in classes))
    if scene.classifier.ending == "value" and len(labels.names) > 1:
        known = f"{labels.names[0]} to {labels.names[-1]}"
        raise UserError(f"--classes: the model returns {known}; say which of them is explained")
    best = first_answers(scene.classifier.predict(scene.picture), 1)[0]
    return [target_at(int(best), labels)]


def _examined(
    predictor: Predictor, explanation: Explanation, repeats: int | None, order: bool, tell: Say
) -> dict[str, Any]:
    """The quality that is asked for: `stability` over repeats, `faithfulness` of the order."""
    found: dict[str, Any] = {}
    if repeats:
        found["stability"] = steps.repeated(predictor, explanation, repeats, tell)
    if order:
        scale = explanation.request.scale
        ask = partial(predictor.scores, target=explanation.target, scale=scale)
        curves = faithfulness(explanation.surrogate.ranking(), ask, explanation.request.seed)
        found["faithfulness"] = curves
        for name, curve in curves.items():
            areas = f"deletion AUC {curve['deletion_auc']:.4f}"
            tell(f"{name}: {areas}, insertion AUC {curve['insertion_auc']:.4f}")
    return found


def _verdict(explanation: Explanation, quality: dict[str, Any], most: int) -> str:
    """One sentence from all that was found about an explanation's quality."""
    against = differing(quality.get("stability"))
    stable = explanation.masks.complete or is_stable(explanation.surrogate, explanation.request.top)
    if most and not stable:
        against.append(f"they are not stable after {len(explanation.scores)} masks")
    curves = quality.get("faithfulness")
    if curves and gain(curves["LIME"]) <= gain(curves["random"]):
        against.append("hiding them changes the score no faster than hiding others")
    return verdict_on(explanation, against)
