"""An image classifier of Keras: a name of keras.applications, or a .keras file -> model, input size, pixels, labels."""

import difflib
import hashlib
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from huggin.door import UserError, one_line
from huggin.lime.labels import IMAGENET, Labels, imagenet_labels, labels_of_file, numbers

PIXELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # what a model of a file wants, from [0, 1]
    "signed": lambda picture: picture * 2 - 1,
    "unit": lambda picture: picture,
    "byte": lambda picture: picture * 255,
}
SUM_ERROR = 0.01  # of probabilities in half precision
UNREADABLE = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Classifier:
    """A model that takes (pictures, height, width, 3) and returns (pictures, classes)."""

    name: str
    model: Any
    size: tuple[int, int]  # height, width
    pixels: Callable[[np.ndarray], np.ndarray]  # (..., 3) in [0, 1] -> as the model wants them
    labels: Labels

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the architecture and all weights."""
        digest = hashlib.sha256(self.model.to_json().encode())
        for weight in self.model.get_weights():
            digest.update(weight.tobytes())
        return digest.hexdigest()

    @cached_property
    def ending(self) -> str:
        """What comes out: `softmax` (sums to 1), `sigmoid` (classes independent of each other), or `logits`.

        By the outputs for two pictures: layers behind the last activation, or around it, hide what it is.
        """
        noise = np.random.default_rng(0).random((2, *self.size, 3), np.float32)
        outputs = np.asarray(self._outputs(self.pixels(noise)))
        if not (outputs.min() >= 0 and outputs.max() <= 1 + SUM_ERROR):
            return "logits"
        return "softmax" if np.abs(outputs.sum(axis=1) - 1).max() < SUM_ERROR else "sigmoid"

    def _outputs(self, pictures: Any) -> Any:
        import tensorflow as tf

        return tf.cast(self.model(pictures, training=False), tf.float32)

    def probabilities(self, pictures: Any) -> Any:
        """Pictures (n, height, width, 3), in the pixels that the model wants -> probabilities (n, classes)."""
        import tensorflow as tf

        outputs = self._outputs(pictures)
        return tf.nn.softmax(outputs) if self.ending == "logits" else outputs

    def predict(self, picture: np.ndarray) -> np.ndarray:
        """One picture (height, width, 3) in [0, 1] -> probabilities (classes,). Raises UserError for NaN."""
        found = np.asarray(self.probabilities(self.pixels(picture)[None]))[0]
        if not np.isfinite(found).all():
            raise UserError(f"{self.name}: its answer is not finite; train or save it again, or see --pixels")
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
    model: str, weights: str | None = None, labels: Path | None = None, pixels: str | None = None, seed: int = 0
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
    size, classes = _shapes(model, network)
    return Classifier(model, network, size, prepare, _labels(labels, classes, not model.endswith(".keras")))


def _of_file(keras: Any, path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a model that Keras has saved, or a name of keras.applications")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except UNREADABLE as error:
        raise UserError(f"{path}: not a model that Keras can load ({one_line(error)}); save it again") from None


def _scales(layer: Any) -> bool:
    own = type(layer).__name__ in ("Rescaling", "Normalization")
    return own or any(_scales(inner) for inner in getattr(layer, "layers", []))


def _of_application(keras: Any, name: str, weights: str | None) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    build = getattr(keras.applications, name, None)
    if not (name[:1].isupper() and callable(build)):
        names = [known for known in dir(keras.applications) if known[0].isupper()]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4) or ["InceptionV3"]
        raise UserError(f"--model {name}: neither a .keras file nor in keras.applications; did you mean {near[0]}?")
    preprocess = sys.modules[build.__module__].preprocess_input
    return _weighted(build, name, weights), lambda picture: preprocess(picture * np.float32(255))


def _weighted(build: Callable[..., Any], name: str, weights: str | None) -> Any:
    if weights and weights != "random":
        if not Path(weights).is_file():
            raise UserError(f"--weights {weights}: no such file; give the .h5 file of {name}, or: random")
        try:
            return build(weights=weights)
        except UNREADABLE as error:
            raise UserError(f"--weights {weights}: do not fit {name} ({one_line(error)}); give its own") from None
    try:
        return build(weights=None if weights == "random" else "imagenet")
    except Exception as error:  # Keras raises no narrower one where a download fails
        ways = "name a file with --weights, a model with --model FILE.keras, or try --demo, which needs no network"
        raise UserError(f"{name}: cannot download its weights ({one_line(error)}); {ways}") from None


def _shapes(name: str, network: Any) -> tuple[tuple[int, int], int]:
    """Height and width of the input, and number of classes."""
    inputs, outputs = getattr(network, "inputs", None) or [], getattr(network, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1:
        wanted = "give a model with one of each"
        raise UserError(f"{name}: {len(inputs)} inputs and {len(outputs)} outputs; {wanted}")
    shape, classes = tuple(inputs[0].shape), tuple(outputs[0].shape)
    if len(shape) != 4 or shape[3] != 3 or None in shape[1:3]:
        raise UserError(f"{name}: takes {shape}; give a model that takes (None, height, width, 3)")
    if len(classes) != 2 or not classes[1] or classes[1] < 2:
        raise UserError(f"{name}: returns {classes}; give a model that returns (None, classes), two classes or more")
    _refuse_unanswered(name, network, shape[1:])
    return (int(shape[1]), int(shape[2])), int(classes[1])


def _refuse_unanswered(name: str, network: Any, shape: tuple[int, ...]) -> None:
    """Raise UserError where a picture does not go in, or something else than a tensor comes out."""
    try:
        answer = network(np.zeros((1, *shape), np.float32), training=False)
    except UNREADABLE as error:
        raise UserError(f"{name}: cannot be asked about a picture ({one_line(error)}); save it again") from None
    if not hasattr(answer, "shape"):
        raise UserError(f"{name}: returns a {type(answer).__name__}; give a model that returns one tensor")


def _labels(path: Path | None, classes: int, application: bool) -> Labels:
    if path:
        return labels_of_file(path, classes)
    if not (application and classes == IMAGENET):
        return numbers(classes)
    try:
        return imagenet_labels()
    except Exception as error:  # as above
        print(f"classes have numbers only: {one_line(error)}; name them with --labels FILE", file=sys.stderr)
        return numbers(classes)
