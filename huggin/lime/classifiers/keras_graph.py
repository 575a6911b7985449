"""Read from a Keras model's operations how it scales pixels, and what its outputs are.

The first operations tell of the pixels, the last ones of the outputs. This works for Sequential and
functional models, which Keras holds as graphs. For all other models the answers are None.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from huggin.lime.classifiers.keras_quietly import keras

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


@dataclass(frozen=True)
class Opening:
    """The first operations turn a grey value x into gain * x + offset, for each channel."""

    gain: np.ndarray  # (channels,)
    offset: np.ndarray  # (channels,)
    names: tuple[str, ...]  # of the operations that change values


def is_graph(model: Any) -> bool:
    """Whether Keras knows the model's operations."""
    return bool(getattr(graph_of(model), "_nodes_by_depth", None))


def graph_of(model: Any) -> Any:
    """The functional model inside a Sequential one; any other model itself."""
    return getattr(model, "_functional", None) or model


def opening_of(model: Any, size: tuple[int, int], channels: int) -> Opening | None:
    """Follow the model from its input while operations treat each value alike.

    Returns None if a value goes into several operations, or if the operations are not linear.
    """
    parts = _first_parts(model)
    if parts is None:
        return None
    networks, names = parts
    values = [_constant(networks, size, channels, grey) for grey in (0.0, 1.0, LARGE)]
    gain = values[1] - values[0]
    straight = np.allclose(values[2], values[0] + LARGE * gain, rtol=1e-3, atol=1e-3)
    return Opening(gain, values[0], names) if straight else None


def _constant(networks: list[Any], size: tuple[int, int], channels: int, grey: float) -> np.ndarray:
    """The output in the middle of a picture of one grey value: (channels,)."""
    values: Any = np.full((1, *size, channels), grey, np.float32)
    for network in networks:
        values = network(values, training=False)
    rows = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
    return rows[len(rows) // 2]


def _first_parts(model: Any) -> tuple[list[Any], tuple[str, ...]] | None:
    """The networks of the first operations, in the order in which pixels pass them."""
    graph = graph_of(model)
    if not is_graph(model) or len(graph.inputs) != 1:
        return None
    known = {id(tensor) for tensor in graph.inputs}
    names: list[str] = []
    ends: dict[int, Any] = {}  # tensors that other operations take
    nested = []
    for node in _nodes(graph):
        inside = [tensor for tensor in node.input_tensors if id(tensor) in known]
        if not inside:
            continue
        kinds = _kinds(node.operation)
        if len(inside) == len(node.input_tensors) and BY_PIXEL.issuperset(kinds):
            known |= {id(tensor) for tensor in node.output_tensors}
            names += [kind for kind in kinds if kind not in CHANGES_NOTHING]
            continue
        ends |= {id(tensor): tensor for tensor in inside}
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
        [before] = operation._inbound_nodes[history.node_index].input_tensors
        return ending_of(before)
    if kind in ("Softmax", "Sigmoid", "LogSoftmax"):
        activation = kind.lower().replace("logsoftmax", "log_softmax")
    known = {"softmax": "softmax", "sigmoid": "sigmoid", "log_softmax": "logits"}
    if activation == "linear" and getattr(operation, "kernel", None) is not None:
        return "linear"
    return known.get(activation or "")
