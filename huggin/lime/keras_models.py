"""A name of keras.applications, or a .keras file -> a classifier with its size, pixels and labels."""

import difflib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from huggin.common.errors import BadValue, UserError
from huggin.common.text import one_line
from huggin.lime.keras_classifier import KerasClassifier
from huggin.lime.keras_quietly import keras
from huggin.lime.labels import IMAGENET, Labels, imagenet_labels, labels_of_file, numbers

Pixels = Callable[[np.ndarray], np.ndarray]

PIXELS: dict[str, Pixels] = {  # what the model of a file takes, from [0, 1]
    "signed": lambda picture: picture * 2 - 1,
    "unit": lambda picture: picture,
    "byte": lambda picture: picture * 255,
}
SUM_ERROR = 0.01  # of probabilities in half precision


class NoDownload(UserError):
    """The weights of a named model are not on this machine and cannot be downloaded."""


def load_classifier(
    model: str,
    weights: str | None = None,
    labels: Path | None = None,
    pixels: str | None = None,
    seed: int = 0,
) -> KerasClassifier:
    """Load a model of keras.applications by its name, or a `.keras` file.

    weights: a file, `random`, or None for ImageNet's, which Keras downloads.
    pixels: a key of PIXELS for a file's model (default: `byte` if it has a layer that rescales
    them, else `signed`). Raises UserError if the model cannot be used.
    """
    application = not model.endswith(".keras")
    if application:
        if pixels:
            raise BadValue("pixels", pixels, f"{model} has its own; this is for .keras files")
        keras.utils.set_random_seed(seed)
        network, prepare = _of_application(model, weights)
    else:
        if weights:
            raise BadValue("weights", weights, f"{model} has its own; leave it out")
        network = _of_file(Path(model))
        prepare = PIXELS[pixels or ("byte" if _scales(network) else "signed")]
    size = _input_size(model, network)
    noise = np.random.default_rng(0).random((2, *size, 3), np.float32)
    outputs = _outputs(model, network, prepare(noise))
    names = _labels(labels, outputs.shape[1], application)
    return KerasClassifier(model, network, size, prepare, _ending(outputs), names)


def _of_file(path: Path) -> Any:
    if not path.is_file():
        what = "no such file; give a model that Keras has saved, or a name of keras.applications"
        raise UserError(f"{path}: {what}")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a broken file makes Keras raise
        what = f"not a model that Keras can load ({one_line(error)}); save it again"
        raise UserError(f"{path}: {what}") from None


def _scales(layer: Any) -> bool:
    own = type(layer).__name__ in ("Rescaling", "Normalization")
    return own or any(_scales(inner) for inner in getattr(layer, "layers", []))


def _of_application(name: str, weights: str | None) -> tuple[Any, Pixels]:
    build = getattr(keras.applications, name, None)
    if not (name[:1].isupper() and callable(build)):
        names = [known for known in dir(keras.applications) if known[0].isupper()]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4) or ["InceptionV3"]
        what = f"neither a .keras file nor in keras.applications; did you mean {near[0]}?"
        raise BadValue("model", name, what)
    preprocess = sys.modules[build.__module__].preprocess_input
    return _weighted(build, name, weights), lambda picture: preprocess(picture * np.float32(255))


def _weighted(build: Callable[..., Any], name: str, weights: str | None) -> Any:
    if weights and weights != "random" and not Path(weights).is_file():
        raise BadValue("weights", weights, f"no such file; give the .h5 file of {name}, or: random")
    try:
        return build(weights={None: "imagenet", "random": None}.get(weights, weights))
    except Exception as error:  # Keras raises nothing narrower if a download fails
        if weights:
            what = f"do not fit {name} ({one_line(error)}); give its own"
            raise BadValue("weights", weights, what) from None
        raise NoDownload(f"{name}: cannot download its weights ({one_line(error)})") from None


def _input_size(name: str, network: Any) -> tuple[int, int]:
    """Height and width."""
    shape = getattr(network, "input_shape", None)  # a list if there are several inputs
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3 or None in shape[1:3]:
        wanted = "give a model that takes one picture, (None, height, width, 3)"
        raise UserError(f"{name}: takes {shape}; {wanted}")
    return shape[1], shape[2]


def _outputs(name: str, network: Any, pictures: np.ndarray) -> np.ndarray:
    """The outputs for two pictures, (2, classes). Raises UserError if they have another form."""
    try:
        outputs = network(pictures, training=False)
    except Exception as error:  # whatever its layers raise
        what = f"fails on a test picture ({one_line(error)}); save it again"
        raise UserError(f"{name}: {what}") from None
    shape = getattr(outputs, "shape", None)
    if shape is None or len(shape) != 2 or shape[1] < 2:
        found = f"a {type(outputs).__name__}" if shape is None else tuple(shape)
        wanted = "give a model that returns (pictures, classes), two classes or more"
        raise UserError(f"{name}: returns {found} for two pictures; {wanted}")
    return np.asarray(outputs, np.float32)


def _ending(outputs: np.ndarray) -> str:
    """Infer the output activation from the values; the last layer's type is not reliable."""
    if not (outputs.min() >= 0 and outputs.max() <= 1 + SUM_ERROR):
        return "logits"
    return "softmax" if np.abs(outputs.sum(axis=1) - 1).max() < SUM_ERROR else "sigmoid"


def _labels(path: Path | None, classes: int, application: bool) -> Labels:
    if path:
        return labels_of_file(path, classes)
    return imagenet_labels() if application and classes == IMAGENET else numbers(classes)
