"""A model's name or file -> a classifier. What it takes and returns is read from the model itself.

What cannot be read has to be said: nothing about pixels or the ending is guessed in silence.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import entropy

from huggin.common.errors import BadValue, UserError
from huggin.common.text import one_line, short
from huggin.lime.choices import ENDINGS, REGRESSION
from huggin.lime.classifiers.keras_classifier import KerasClassifier, chosen_engine
from huggin.lime.classifiers.keras_quietly import keras
from huggin.lime.classifiers.labels import Names, imagenet_names, labels_of_file, numbered
from huggin.lime.classifiers.networks import (
    Network,
    graph_of,
    is_graph,
    open_application,
    open_file,
)
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
Opening = tuple[np.ndarray, np.ndarray, tuple[str, ...]]  # gain and offset (channels,), operations
# Layers and operations that leave a picture of one grey value a picture of one grey value.
BY_PIXEL = {
    *("InputLayer", "Rescaling", "Normalization", "Identity", "Resizing", "CenterCrop"),
    *("ZeroPadding2D", "Cropping2D", "Flatten", "Reshape", "Dropout", "SpatialDropout2D"),
    *("GaussianNoise", "GaussianDropout", "Add", "Subtract", "Multiply", "Divide", "TrueDivide"),
    *("Negative", "GetItem", "Stack", "Concatenate", "Flip", "Cast", "Squeeze", "ExpandDims"),
    *("Split", "Resize"),
}
CHANGES_NOTHING = {"InputLayer", "Identity", "Flatten", "Reshape", "Dropout", "Cast"}
PASSED = {"Dropout", "Identity", "Reshape", "Flatten", "Cast", "Squeeze"}  # after the activation
LARGE = 255.0  # a third grey value, to see whether the operations are linear


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
    network = _open_network(model, weights, pixels, seed)
    side, size_fact = _size(network, size)
    channels = network.shape[2] or 3
    network, tensor, outputs = _one_output(network, side, channels, output)
    kind, ending_fact = _ending(network, tensor, outputs, ending)
    names = _names(labels, outputs.shape[1], kind, network.preprocess is not None)
    classifier = KerasClassifier(model, network.call, side, names, kind, mark=network.fingerprint)
    convert, pixel_fact = _pixels(network, classifier, channels, pixels, picture)
    chosen, engine_fact = chosen_engine(engine, network.weights)
    facts = tuple(fact for fact in (size_fact, pixel_fact, ending_fact, engine_fact) if fact)
    # ImageNet's models were trained on pictures that load_img had read, which takes nearest pixels.
    way = "nearest" if network.preprocess else "smooth"
    classifier = replace(classifier, pixels=convert, facts=facts, engine=chosen, resampling=way)
    return classifier.converted()


def _open_network(model: str, weights: str | None, pixels: str | None, seed: int) -> Network:
    is_path = any(mark in model for mark in "./\\") or Path(model).exists()
    if is_path:
        if weights:
            raise BadValue("weights", weights, f"{model} has its own; leave it out")
        return open_file(Path(model))
    if pixels:
        raise BadValue("pixels", pixels, f"{model} of keras.applications has its own; leave it out")
    keras.utils.set_random_seed(seed)  # for random weights
    return open_application(model, weights)


# Size


def _size(network: Network, wanted: Size | None) -> tuple[Size, str]:
    """Height and width, and a line about them if the model does not fix them."""
    height, width, _ = network.shape
    size = wanted or (height or ANY_SIZE, width or ANY_SIZE)
    if size != (height or size[0], width or size[1]):
        fixed = f"{height or 'any'} x {width or 'any'}"
        raise BadValue("size", f"{size[0]}x{size[1]}", f"{network.name} takes {fixed}")
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
        by_name = {str(name): rows for name, rows in named}
        name = next(iter(by_name)) if len(by_name) == 1 and wanted is None else wanted
        if name not in by_name:
            shapes = ", ".join(f"{name} {tuple(rows[:1].shape)}" for name, rows in by_name.items())
            raise Unclear(f"{network.name}: has outputs {shapes}", "output", tuple(by_name))
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


def _names(path: Path | None, outputs: int, ending: str, application: bool) -> Names:
    classes = outputs if ending == "value" else max(2, outputs)
    if path:
        return labels_of_file(path, classes)
    if ending == "value":
        return numbered(classes, "output") if classes > 1 else ("the output",)
    imagenet = imagenet_names() if application else ()
    return imagenet if len(imagenet) == classes else numbered(classes)


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
        kind = fitting[0] if fitting else None
        how = "all that its input can hold"
        if said and kind and said != kind:
            raise BadValue("pixels", said, f"{network.name} takes {MEANING[kind]}, {how}")
    if said:
        if channels != 3 and said in ("caffe", "torch"):
            raise BadValue("pixels", said, f"has three channels, {network.name} takes one")
        return converter(said, channels), f"pixels: {MEANING[said]}{grey}, as chosen"
    if not network.takes:
        opening = opening_of(network.model, classifier.size, channels) if network.model else None
        kind = guess_pixels(*opening[:2]) if opening else None
        how = f"read from its first operations ({', '.join(opening[2])})" if opening else ""
    if kind is None:
        raise _unclear_pixels(classifier, channels, picture)
    return converter(kind, channels), f"pixels: {MEANING[kind]}{grey}, {how}"


def _unclear_pixels(
    classifier: KerasClassifier, channels: int, picture: np.ndarray | None
) -> Unclear:
    """The error that asks for the pixels; it says what each kind would give for the picture."""
    text = f"{classifier.name}: its first operations do not say which pixels it takes"
    kinds = tuple(CONVERT) if channels == 3 else tuple(RANGES)
    if picture is not None:
        fitted = resized(picture, classifier.size)
        taking = {kind: replace(classifier, pixels=converter(kind, channels)) for kind in kinds}
        said = (f"{kind}: {_answer_in_words(variant, fitted)}" for kind, variant in taking.items())
        text += f". For this picture {'; '.join(said)}"
    return Unclear(text, "pixels", kinds)


def _answer_in_words(classifier: KerasClassifier, picture: np.ndarray) -> str:
    try:
        scores = classifier.predict(picture)
    except UserError:
        return "no probabilities"
    if classifier.ending == "value":
        return f"{classifier.names[0]} {scores[0]:.4g}"
    best = int(scores.argmax())
    name = short(classifier.names[best], 30)
    bits = f"{entropy(scores, base=2):.1f} of {math.log2(len(scores)):.1f} bits"
    return f"{name} {scores[best]:.3f} (entropy {bits})"


# What the model's operations say: the first ones of the pixels, the last ones of the outputs. This
# works for Sequential and functional models, which Keras holds as graphs.


def opening_of(model: Any, size: Size, channels: int) -> Opening | None:
    """Follow the model from its input while operations treat each value alike.

    They turn a grey value x into gain * x + offset, for each channel. Returns gain and offset
    (channels,), and the names of the operations that change values; None if a value goes into
    several operations, or if the operations are not linear.
    """
    opening = _first_parts(model)
    if opening is None:
        return None
    networks, names = opening
    middles = []
    for grey in (0, 1, LARGE):
        values: Any = np.full((1, *size, channels), grey, np.float32)
        for network in networks:
            values = network(values, training=False)
        rows = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
        middles.append(rows[len(rows) // 2])  # the middle of the picture
    offset, at_one, large = middles
    gain = at_one - offset
    straight = np.allclose(large, offset + LARGE * gain, rtol=1e-3, atol=1e-3)
    return (gain, offset, names) if straight else None


def _first_parts(model: Any) -> tuple[list[Any], tuple[str, ...]] | None:
    """The networks of the first operations, in the order in which pixels pass them."""
    graph = graph_of(model)
    if not is_graph(model) or len(graph.inputs) != 1:
        return None
    reached = {id(tensor) for tensor in graph.inputs}
    names: list[str] = []
    ends: dict[int, Any] = {}  # tensors that other operations take
    nested = []
    for node in _nodes(graph):
        entering = [tensor for tensor in node.input_tensors if id(tensor) in reached]
        if not entering:
            continue
        kinds = _kinds(node.operation)
        if len(entering) == len(node.input_tensors) and BY_PIXEL.issuperset(kinds):
            reached |= {id(tensor) for tensor in node.output_tensors}
            names += [kind for kind in kinds if kind not in CHANGES_NOTHING]
            continue
        ends |= {id(tensor): tensor for tensor in entering}
        nested.append(node.operation)
    if len(ends) != 1:
        return None
    [end] = ends.values()
    start = [] if id(end) == id(graph.inputs[0]) else [keras.Model(graph.inputs[0], end)]
    if len(nested) == 1 and is_graph(nested[0]):
        inner = _first_parts(nested[0])
        return None if inner is None else ([*start, *inner[0]], (*names, *inner[1]))
    return start, tuple(names)


def _kinds(operation: Any) -> list[str]:
    """The kinds of an operation, or of those inside of a nested model, without augmentation."""
    if is_graph(operation):
        nodes = _nodes(graph_of(operation))
        return [kind for node in nodes for kind in _kinds(node.operation)]
    kind = type(operation).__name__
    return [] if kind.startswith("Random") else [kind]  # augmentation rests outside training


def _nodes(graph: Any) -> list[Any]:
    """The graph's nodes, from the input on."""
    depths = sorted(graph._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in graph._nodes_by_depth[depth]]


def ending_of(tensor: Any) -> str | None:
    """`softmax`, `sigmoid`, `logits` (of a log-softmax), `linear`, or None if it is unclear."""
    history = tensor._keras_history
    operation = history.operation
    if is_graph(operation):
        return ending_of(graph_of(operation).outputs[history.tensor_index])
    kind = type(operation).__name__
    activation = getattr(getattr(operation, "activation", None), "__name__", None)
    passes = kind in PASSED or (kind == "Activation" and activation == "linear")
    if passes:
        [source] = operation._inbound_nodes[history.node_index].input_tensors
        return ending_of(source)
    if kind in ("Softmax", "Sigmoid", "LogSoftmax"):
        activation = kind.lower().replace("logsoftmax", "log_softmax")
    endings = {"softmax": "softmax", "sigmoid": "sigmoid", "log_softmax": "logits"}
    if activation == "linear" and getattr(operation, "kernel", None) is not None:
        return "linear"
    return endings.get(activation or "")
