"""A model's name or file -> a classifier. What it takes and returns is read from the model itself.

What cannot be read has to be said: nothing about pixels or the ending is guessed in silence.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from huggin.common.errors import BadValue, UserError
from huggin.common.text import one_line, short
from huggin.lime.choices import ENDINGS, REGRESSION
from huggin.lime.classifiers.keras_classifier import KerasClassifier, chosen_engine
from huggin.lime.classifiers.keras_graph import ending_of, graph_of, opening_of
from huggin.lime.classifiers.keras_quietly import keras
from huggin.lime.classifiers.labels import Labels, imagenet_labels, labels_of_file, numbers
from huggin.lime.classifiers.networks import Network, is_file_name, open_application, open_file
from huggin.lime.classifiers.pixels import (
    CONVERT,
    MEANING,
    RANGES,
    Pixels,
    converter,
    guess_pixels,
    resized,
)

ANY_SIZE = 224  # height and width for a model that takes any
SUM_ERROR = 0.01  # of probabilities in half precision
Size = tuple[int, int]


class Unclear(BadValue):
    """Something that the model does not say, so the user has to: the parameter and its values."""

    def __init__(self, text: str, parameter: str, values: Sequence[str]) -> None:
        super().__init__(parameter, "", text)
        self.args = (f"{text}; choose {parameter}: {', '.join(values)}",)
        self.values = values

    def as_option(self) -> str:
        """The error's text for somebody who typed a command."""
        return f"{self.problem}; choose by --{self.name} {'|'.join(self.values)}"


def load_classifier(
    model: str,
    weights: str | None = None,
    labels: Path | None = None,
    pixels: str | None = None,
    ending: str | None = None,
    output: str | None = None,
    size: Size | None = None,
    engine: str | None = None,
    picture: np.ndarray | None = None,
    seed: int = 0,
) -> KerasClassifier:
    """Load a model of keras.applications by its name, or a file that Keras or TensorFlow reads.

    weights: of a named model: a file, `random`, or None for ImageNet's, which Keras downloads.
    What is None is read from the model: labels (a file), pixels (a key of CONVERT), ending (one of
    ENDINGS), output (name or number of one of several), size (height, width), engine (of ENGINES).
    picture: (height, width, 3) in [0, 1], to show what each kind of pixels would give if it is
    unclear which the model takes. Raises Unclear in this case, and UserError if the model cannot
    be used.
    """
    network = _opened(model, weights, pixels, seed)
    side, size_fact = _size(network, size)
    channels = network.shape[2] or 3
    network, tensor, outputs = _one_output(network, side, channels, output)
    kind, ending_fact = _ending(network, tensor, outputs, ending)
    names = _labels(labels, outputs.shape[1], kind, network.preprocess is not None)
    classifier = KerasClassifier(model, network.call, side, names, kind, mark=network.fingerprint)
    convert, pixel_fact = _pixels(network, classifier, channels, pixels, picture)
    chosen, engine_fact = chosen_engine(engine, network.weights)
    facts = tuple(fact for fact in (size_fact, pixel_fact, ending_fact, engine_fact) if fact)
    # ImageNet's models were trained on pictures that load_img had read, which takes nearest pixels.
    way = "nearest" if network.preprocess else "smooth"
    classifier = replace(classifier, pixels=convert, facts=facts, engine=chosen, resampling=way)
    return classifier.converted()


def _opened(model: str, weights: str | None, pixels: str | None, seed: int) -> Network:
    if is_file_name(model):
        if weights:
            raise BadValue("weights", weights, f"{model} has its own; leave it out")
        return open_file(Path(model))
    if pixels:
        what = f"{model} of keras.applications has its own; leave it out"
        raise BadValue("pixels", pixels, what)
    keras.utils.set_random_seed(seed)  # for random weights
    return open_application(model, weights)


# Size


def _size(network: Network, wanted: Size | None) -> tuple[Size, str]:
    """Height and width, and a line about them if the model does not fix them."""
    height, width, _ = network.shape
    size = wanted or (height or ANY_SIZE, width or ANY_SIZE)
    if size != (height or size[0], width or size[1]):
        own = f"{height or 'any'} x {width or 'any'}"
        raise BadValue("size", f"{size[0]}x{size[1]}", f"{network.name} takes {own}")
    if not wanted and height and width:
        return size, ""
    return size, f"size: {size[0]} x {size[1]}, as {'chosen' if wanted else 'the model takes any'}"


# Outputs and the ending


def _one_output(
    network: Network, size: Size, channels: int, wanted: str | None
) -> tuple[Network, Any, np.ndarray]:
    """The network with one output, and what this is: a tensor of the graph, and (8, outputs).

    The tensor is None if the model has no graph; the numbers are those for pictures of noise.
    Raises UserError if they are no classes.
    """
    pictures = np.random.default_rng(0).random((8, *size, channels), np.float32)
    try:
        outputs = network.call(pictures)
    except Exception as error:  # whatever its layers raise
        what = f"fails on a test picture ({one_line(error)}); save it again"
        raise UserError(f"{network.name}: {what}") from None
    graph = graph_of(network.model) if network.model else None
    tensor = graph.outputs[0] if graph else None
    if not hasattr(outputs, "shape"):
        named = outputs.items() if isinstance(outputs, dict) else enumerate(outputs)
        found = {str(name): one for name, one in named}
        name = next(iter(found)) if len(found) == 1 and wanted is None else wanted
        if name not in found:
            shapes = ", ".join(f"{name} {tuple(one[:1].shape)}" for name, one in found.items())
            raise Unclear(f"{network.name}: has outputs {shapes}", "output", tuple(found))
        key: Any = name if isinstance(outputs, dict) else int(name)
        call, mark = network.call, f"{network.fingerprint} {name}"
        network = replace(network, call=lambda pictures: call(pictures)[key], fingerprint=mark)
        tensor = graph._outputs_struct[key] if graph else None
        outputs = outputs[key]
    elif wanted:
        raise BadValue("output", wanted, f"{network.name} has one output only; leave it out")
    if len(outputs.shape) != 2:
        what = f"returns {tuple(outputs.shape)[1:]} for a picture"
        raise UserError(f"{network.name}: {what}; give a model that returns a number per class")
    return network, tensor, np.asarray(outputs, np.float32)


def _ending(
    network: Network, output: Any, outputs: np.ndarray, said: str | None
) -> tuple[str, str]:
    """The ending, and a line that says how it was found."""
    ending = said
    how = "as chosen"
    single = outputs.shape[1] == 1
    if ending is None and output is not None:
        ending = ending_of(output)
        how = "read from the model's last activation"
    if ending == "linear":
        if not single:
            what = "its outputs are linear: logits of classes, or values of a regression"
            raise Unclear(f"{network.name}: {what}", "ending", REGRESSION)
        ending, how = "value", "as its one output is linear (logits: it is that of two classes)"
    if ending is None:
        ending = _ending_by_values(network.name, outputs)
        how = "by its outputs, as its last operation does not say it"
    if single and ending == "softmax":
        what = "has one output behind a softmax, which is always 1; train it with a sigmoid"
        raise UserError(f"{network.name}: {what}")
    if single and ending != "value":
        how += "; its one output is the second of two classes"
    return ending, f"ending: {ending}, {how}"


def _ending_by_values(name: str, outputs: np.ndarray) -> str:
    finite = outputs[np.isfinite(outputs)]
    if finite.size and (finite.min() < 0 or finite.max() > 1 + SUM_ERROR):
        if finite.max() <= 0 and _sum_to_1(np.exp(outputs)):
            return "logits"  # of a log-softmax
        what = "nothing says whether its outputs are logits of classes or values of a regression"
        raise Unclear(f"{name}: {what}", "ending", REGRESSION)
    if outputs.shape[1] > 1 and _sum_to_1(outputs):
        return "softmax"
    what = "nothing says whether its outputs are probabilities, logits or values"
    raise Unclear(f"{name}: {what}", "ending", ENDINGS)


def _sum_to_1(shares: np.ndarray) -> bool:
    return bool(np.abs(shares.sum(axis=1) - 1).max() < SUM_ERROR)


def _labels(path: Path | None, outputs: int, ending: str, application: bool) -> Labels:
    classes = outputs if ending == "value" else max(2, outputs)
    if path:
        return labels_of_file(path, classes)
    if ending == "value":
        return numbers(classes, "output") if classes > 1 else Labels(("the output",), ("0",))
    names = imagenet_labels() if application else numbers(classes)
    return names if len(names.names) == classes else numbers(classes)


# Pixels


def _pixels(
    network: Network,
    classifier: KerasClassifier,
    channels: int,
    said: str | None,
    picture: np.ndarray | None,
) -> tuple[Pixels, str]:
    """The conversion of a picture's pixels, and a line that says how it was found."""
    grey = "" if channels == 3 else ", in grey"
    if preprocess := network.preprocess:

        def convert(picture: np.ndarray) -> np.ndarray:
            return preprocess(picture * np.float32(255))

        ends = [convert(np.full((1, 1, 3), grey, np.float32)) for grey in (0, 1)]
        reach = f"{min(map(np.min, ends)):.4g} to {max(map(np.max, ends)):.4g}"
        return convert, f"pixels: {reach}, by its own preprocess_input"
    if network.takes:
        low, high = network.takes
        near = 0.02 * (high - low)
        fitting = [name for name, ends in RANGES.items() if np.allclose(ends, (low, high), 0, near)]
        found = fitting[0] if fitting else None
        how = "all that its input can hold"
        if said and found and said != found:
            raise BadValue("pixels", said, f"{network.name} takes {MEANING[found]}, {how}")
    if said:
        if channels != 3 and said in ("caffe", "torch"):
            raise BadValue("pixels", said, f"has three channels, {network.name} takes one")
        return converter(said, channels), f"pixels: {MEANING[said]}{grey}, as chosen"
    if not network.takes:
        opening = opening_of(network.model, classifier.size, channels) if network.model else None
        found = guess_pixels(opening.gain, opening.offset) if opening else None
        how = f"read from its first operations ({', '.join(opening.names)})" if opening else ""
    if found is None:
        raise _unclear_pixels(classifier, channels, picture)
    return converter(found, channels), f"pixels: {MEANING[found]}{grey}, {how}"


def _unclear_pixels(
    classifier: KerasClassifier, channels: int, picture: np.ndarray | None
) -> Unclear:
    """The error that asks for the pixels; it says what each kind would give for the picture."""
    text = f"{classifier.name}: its first operations do not say which pixels it takes"
    kinds = tuple(CONVERT) if channels == 3 else tuple(RANGES)
    if picture is None:
        return Unclear(text, "pixels", kinds)
    fitted = resized(picture, classifier.size)
    answers = []
    for kind in kinds:
        one = replace(classifier, pixels=converter(kind, channels))
        answers.append(f"{kind}: {_answer_in_words(one, fitted)}")
    return Unclear(f"{text}. For this picture {'; '.join(answers)}", "pixels", kinds)


def _answer_in_words(classifier: KerasClassifier, picture: np.ndarray) -> str:
    try:
        found = classifier.predict(picture)
    except UserError:
        return "no probabilities"
    if classifier.ending == "value":
        return f"{classifier.labels.names[0]} {found[0]:.4g}"
    best = int(found.argmax())
    shares = found[found > 0] / found.sum()
    entropy = abs(float((shares * np.log2(shares)).sum()))
    name = short(classifier.labels.names[best], 30)
    return f"{name} {found[best]:.3f} (entropy {entropy:.1f} of {math.log2(len(found)):.1f} bits)"
