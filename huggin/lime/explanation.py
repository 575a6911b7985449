"""What LIME found, in one place: as words, as JSON, and as rows of the database."""

from typing import Any

import numpy as np

from huggin.lime.classifiers.classifier import first_answers
from huggin.lime.classifiers.labels import Target
from huggin.lime.explained import (
    Explained,
    known,
    nothing_to_explain,
    quality_in_words,
    score_in_words,
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
    surrogate = explanation.surrogate
    return {
        "kind": "picture",
        "picture": scene.name,
        "model": classifier.name,
        "target": explanation.target.name,
        **vars(explanation.request),
        "model_prediction": float(explanation.scores[0]),
        "local_prediction": surrogate.local_prediction,
        "r2": known(surrogate.r2),
        "held_out_r2": known(surrogate.held_out_r2),
        "effective_samples": surrogate.effective_samples,
        "picture_facts": list(scene.facts),
        "model_facts": list(classifier.facts),
        "input_size": list(classifier.size),
        "classes": len(classifier.labels.names),
        "class": explanation.target.plus,
        "minus_class": explanation.target.minus,
        "model_sha256": classifier.fingerprint,
        "mean_prediction": float(explanation.scores.mean()),
        "kept": explanation.kept,
        "adjusted": surrogate.adjusted,
        "proxy_r2": known(surrogate.proxy_r2),
        "pairs": [vars(pair) for pair in surrogate.pairs],
        "intercept": surrogate.intercept,
        "top_segments": explanation.top.tolist(),
        "segments_against": explanation.against.tolist(),
        "segments": segment_rows(explanation),
        "masks": ["".join(map(str, row)) for row in explanation.masks.on.astype(int)],
        "predictions": explanation.scores.tolist(),
    }


def segment_rows(explanation: Explanation) -> list[dict[str, Any]]:
    """A dictionary per segment: its number, coefficient, standard error, rank and area.

    Rank 1 is the highest coefficient; area is the share of the pixels. The standard error is None
    if it is not known.
    """
    surrogate = explanation.surrogate
    segments = explanation.scene.segments
    ranks = np.argsort(surrogate.ranking()) + 1
    shares = np.bincount(segments.ravel()) / segments.size
    return [
        {
            "segment": segment,
            "coefficient": float(surrogate.coefficients[segment]),
            "standard_error": known(surrogate.standard_errors[segment]),
            "rank": int(ranks[segment]),
            "area": float(shares[segment]),
            "text": None,  # only segments of a text have one
        }
        for segment in range(len(ranks))
    ]
