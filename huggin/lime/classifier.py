"""An image classifier of Keras: a name of keras.applications, or a .keras file -> model, input size, pixels, labels."""

import difflib
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from huggin.common.errors import UserError
from huggin.common.text import one_line
from huggin.lime.labels import IMAGENET, Labels, imagenet_labels, labels_of_file, numbers

PIXELS: dict[
    str, Callable[[np.ndarray], np.ndarray]
] = {  # what a model of a file wants, from [0, 1]
    "signed": lambda picture: picture * 2 - 1,
    "unit": lambda picture: picture,
    "byte": lambda picture: picture * 255,
}
SUM_ERROR = 0.01  # of probabilities in half precision


@dataclass(frozen=True)
class Classifier:
    """A model that takes (pictures, height, width, 3) and returns (pictures, classes)."""

    name: str
    model: Any
    size: tuple[int, int]  # height, width
    pixels: Callable[[np.ndarray], np.ndarray]  # (..., 3) in [0, 1] -> as the model wants them
    ending: (
        str  # what comes out: `softmax` (sums to 1), `sigmoid` (each class by itself), or `logits`
    )
    labels: Labels

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the architecture and all weights."""
        digest = hashlib.sha256(self.model.to_json().encode())
        for weight in self.model.get_weights():
            digest.update(weight.tobytes())
        return digest.hexdigest()

    def probabilities(self, pictures: Any) -> Any:
        """Pictures (n, height, width, 3), in the pixels that the model wants -> probabilities (n, classes)."""
        import tensorflow as tf

        outputs = tf.cast(self.model(pictures, training=False), tf.float32)
        return tf.nn.softmax(outputs) if self.ending == "logits" else outputs

    def predict(self, picture: np.ndarray) -> np.ndarray:
        """One picture (height, width, 3) in [0, 1] -> probabilities (classes,). Raises UserError for NaN."""
        found = np.asarray(self.probabilities(self.pixels(picture)[None]))[0]
        if not np.isfinite(found).all():
            raise UserError(
                f"{self.name}: its answer is not finite; train or save it again, or see --pixels"
            )
        return found


def import_keras() -> Any:
    """Keras on TensorFlow, without the lines that TensorFlow writes as it starts."""
    os.environ["KERAS_BACKEND"] = "tensorflow"  # masking is compiled into one graph with the model
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _quiet_stderr():
        import keras
    return keras


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep what libraries write to the file of stderr, which no setting silences, from the terminal."""
    sys.stderr.flush()
    with open(os.devnull, "wb") as nowhere, os.fdopen(os.dup(2), "wb") as terminal:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal.fileno(), 2)


def load_classifier(
    model: str,
    weights: str | None = None,
    labels: Path | None = None,
    pixels: str | None = None,
    seed: int = 0,
) -> Classifier:
    """Load a model of keras.applications by its name, or a `.keras` file.

    `weights`: a file, `random`, or None for ImageNet's, which Keras downloads. `pixels`: what a file's model wants
    (`signed`, or `byte` where it has a layer that scales). Raises UserError for what does not fit.
    """
    keras = import_keras()
    if model.endswith(".keras"):
        if weights:
            raise UserError(f"--weights {weights}: {model} has its own; leave it out")
        network = _of_file(keras, Path(model))
        prepare = PIXELS[pixels or ("byte" if _scales(network) else "signed")]
    else:
        if pixels:
            raise UserError(f"--pixels {pixels}: {model} has its own; this is for .keras files")
        keras.utils.set_random_seed(seed)
        network, prepare = _of_application(keras, model, weights)
    size = _input_size(model, network)
    outputs = _outputs(
        model, network, prepare(np.random.default_rng(0).random((2, *size, 3), np.float32))
    )
    names = _labels(labels, outputs.shape[1], not model.endswith(".keras"))
    return Classifier(model, network, size, prepare, _ending(outputs), names)


def _of_file(keras: Any, path: Path) -> Any:
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; give a model that Keras has saved, or a name of keras.applications"
        )
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a broken file makes Keras raise
        raise UserError(
            f"{path}: not a model that Keras can load ({one_line(error)}); save it again"
        ) from None


def _scales(layer: Any) -> bool:
    own = type(layer).__name__ in ("Rescaling", "Normalization")
    return own or any(_scales(inner) for inner in getattr(layer, "layers", []))


def _of_application(
    keras: Any, name: str, weights: str | None
) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    build = getattr(keras.applications, name, None)
    if not (name[:1].isupper() and callable(build)):
        names = [known for known in dir(keras.applications) if known[0].isupper()]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4) or ["InceptionV3"]
        raise UserError(
            f"--model {name}: neither a .keras file nor in keras.applications; did you mean {near[0]}?"
        )
    preprocess = sys.modules[build.__module__].preprocess_input
    return _weighted(build, name, weights), lambda picture: preprocess(picture * np.float32(255))


def _weighted(build: Callable[..., Any], name: str, weights: str | None) -> Any:
    if weights and weights != "random" and not Path(weights).is_file():
        raise UserError(
            f"--weights {weights}: no such file; give the .h5 file of {name}, or: random"
        )
    try:
        return build(weights={None: "imagenet", "random": None}.get(weights, weights))
    except Exception as error:  # Keras raises no narrower one where a download fails
        if weights:
            raise UserError(
                f"--weights {weights}: do not fit {name} ({one_line(error)}); give its own"
            ) from None
        ways = "name a file with --weights, a model with --model FILE.keras, or try --demo, which needs no network"
        raise UserError(
            f"{name}: cannot download its weights ({one_line(error)}); {ways}"
        ) from None


def _input_size(name: str, network: Any) -> tuple[int, int]:
    """Height and width."""
    shape = getattr(network, "input_shape", None)  # a list where there are several inputs
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3 or None in shape[1:3]:
        raise UserError(
            f"{name}: takes {shape}; give a model that takes one picture, (None, height, width, 3)"
        )
    return shape[1], shape[2]


def _outputs(name: str, network: Any, pictures: np.ndarray) -> np.ndarray:
    """What comes out for two pictures, (2, classes). Raises UserError where it is of another form."""
    try:
        outputs = network(pictures, training=False)
    except Exception as error:  # whatever its layers raise
        raise UserError(
            f"{name}: cannot be asked about a picture ({one_line(error)}); save it again"
        ) from None
    shape = getattr(outputs, "shape", None)
    if shape is None or len(shape) != 2 or shape[1] < 2:
        what = f"a {type(outputs).__name__}" if shape is None else tuple(shape)
        wanted = "give a model that returns (pictures, classes), two classes or more"
        raise UserError(f"{name}: returns {what} for two pictures; {wanted}")
    return np.asarray(outputs, np.float32)


def _ending(outputs: np.ndarray) -> str:
    """By what comes out, as layers behind the last activation, or around it, hide what it is."""
    if not (outputs.min() >= 0 and outputs.max() <= 1 + SUM_ERROR):
        return "logits"
    return "softmax" if np.abs(outputs.sum(axis=1) - 1).max() < SUM_ERROR else "sigmoid"


def _labels(path: Path | None, classes: int, application: bool) -> Labels:
    if path:
        return labels_of_file(path, classes)
    if not (application and classes == IMAGENET):
        return numbers(classes)
    try:
        return imagenet_labels()
    except Exception as error:  # as above
        print(
            f"classes have numbers only: {one_line(error)}; name them with --labels FILE",
            file=sys.stderr,
        )
        return numbers(classes)
