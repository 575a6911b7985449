"""What LIME found, in one place: as words, as JSON, and as rows of the database."""

from typing import Any

import numpy as np

from huggin.lime.classifiers.classifier import first_answers
from huggin.lime.classifiers.labels import Target
from huggin.lime.explained import (
    Explained,
    nothing_to_explain,
    numbers_of,
    quality_in_words,
    score_in_words,
    segment_rows,
)
from huggin.lime.pictures.scene import Scene

Explanation = Explained[Scene, Target]


def introduction(scene: Scene) -> list[str]:
    """What is explained, what was read from the model, and its first answers, a line each."""
    classifier = scene.classifier
    probabilities = classifier.predict(scene.picture)
    best = first_answers(probabilities, 3)
    lines = [f"{scene.name}: {scene.count} segments, {classifier.name}"]
    if scene.facts:
        lines.append(f"  picture: {'; '.join(scene.facts)}")
    lines += [f"  {fact}" for fact in classifier.facts]
    if classifier.ending == "value":
        names = classifier.labels.names
        return lines + [f"  {value:.6g} {name}" for name, value in zip(names, probabilities)][:9]
    for index in best:
        name = classifier.labels.names[index]
        lines.append(f"  {probabilities[index]:.4f} {name} (class {index})")
    ties = np.flatnonzero(probabilities == probabilities[best[0]])
    if len(ties) > 1:
        first = classifier.labels.names[best[0]]
        lines.append(f"  TIE: {len(ties)} classes have this probability; {first} is explained")
    return lines


def in_words(explanation: Explanation) -> list[str]:
    """The facts of an explanation, a line each."""
    surrogate = explanation.surrogate
    if surrogate.constant:
        return [nothing_to_explain(explanation)]
    coefficients = surrogate.coefficients
    ranked = ", ".join(f"{segment} ({coefficients[segment]:+.3g})" for segment in explanation.top)
    return [
        score_in_words(explanation, "picture") + _kept_in_words(explanation),
        f"top segments of {explanation.scene.count}: "
        + (ranked or "none speaks for it beyond chance"),
        *quality_in_words(explanation),
    ]


def _kept_in_words(explanation: Explanation) -> str:
    if explanation.request.scale == "value":
        return ""
    first = explanation.scene.classifier.labels.names[explanation.target.plus]
    return f"; {first} is the first answer in {100 * explanation.kept:.0f} % of them"


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Every number of an explanation, those of the database included; null if one is not known."""
    scene = explanation.scene
    classifier = scene.classifier
    areas = np.bincount(scene.segments.ravel()) / scene.segments.size
    return {
        **numbers_of(explanation),
        "kind": "picture",
        "picture": scene.name,
        "model": classifier.name,
        "picture_facts": list(scene.facts),
        "model_facts": list(classifier.facts),
        "input_size": list(classifier.size),
        "classes": len(classifier.labels.names),
        "class": explanation.target.plus,
        "minus_class": explanation.target.minus,
        "model_sha256": classifier.fingerprint,
        # Only segments of a text have one.
        "segments": [row | {"text": None} for row in segment_rows(explanation, areas)],
    }
