"""A model's file or name -> a network: pictures in, outputs out, whatever the file's form.

Keras's own files, HDF5 files of Keras 2 and 3, SavedModel folders and .tflite files are opened.
"""

import difflib
import hashlib
import json
import math
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from huggin.common.errors import BadValue, UserError
from huggin.common.text import one_line
from huggin.lime.classifiers.keras_graph import graph_of, is_graph
from huggin.lime.classifiers.keras_quietly import keras, tf
from huggin.lime.classifiers.model_files import kind_of

Shape = tuple[int | None, int | None, int | None]  # height, width, channels; None: any
BYTES = dict.fromkeys(("uint8", "int32", "int64"), (0.0, 255.0))  # what they are fed with


class NoDownload(BadValue):
    """The weights of a named model are not on this machine and cannot be downloaded."""

    def as_option(self) -> str:
        """The error's text for somebody who typed a command."""
        ways = "name a file with --weights, a model with --model FILE.keras, "
        return f"{self.value}: {self.problem}; {ways}or try --demo, which needs no network"


@dataclass(frozen=True)
class Network:
    """A model that takes pictures (n, height, width, channels), as TensorFlow can trace it."""

    name: str
    call: Callable[[Any], Any]  # pictures -> outputs: a tensor, a list or a dictionary
    shape: Shape
    fingerprint: str  # changes with the model
    weights: int = 0  # how many numbers; 0: not known
    model: Any = None  # Keras's, if its operations can be followed
    preprocess: Callable[[np.ndarray], np.ndarray] | None = None  # of keras.applications
    takes: tuple[float, float] | None = None  # the ends of what an input of integers can say


def open_file(path: Path) -> Network:
    """Open a model's file or folder. Raises UserError if it is none that can be used."""
    kind = kind_of(path)
    try:
        match kind:
            case "saved_model":
                return _saved_model(path)
            case "tflite":
                return _tflite(path)
            case _:
                return _of_keras(str(path), _loaded(path, kind))
    except UserError:
        raise
    except Exception as error:  # whatever a broken file makes Keras or TensorFlow raise
        what = f"not a model that Keras can load ({one_line(error)}); save it again"
        raise UserError(f"{path}: {what}") from None


def _loaded(path: Path, kind: str) -> Any:
    if kind == "h5":
        _refuse_lambda_in_h5(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about optimizers and an input's structure
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:
            raise _refusal(path, error) from None


def _refusal(path: Path, error: Exception) -> Exception:
    """The error for a file that Keras does not load; the way out, if it is a known one."""
    text = str(error)
    if operation := _operation_in(text):
        what = f"has the operation {operation}, which HDF5 files do not keep"
        advice = "save the model as .keras, or put a layer such as Rescaling in its place"
        return UserError(f"{path}: {what}; {advice}")
    if "Lambda" in text or "lambda" in text:
        return _lambda_refusal(path)
    if "Could not locate" in text or "Unknown layer" in text:
        what = "needs Python classes of its own"
        advice = "save it with Keras's own layers, or explain it from Python, see docs/python.md"
        return UserError(f"{path}: {what} ({one_line(error)}); {advice}")
    return error


def _operation_in(text: str) -> str | None:
    """The operation, such as a division, that Keras takes for an unknown layer in HDF5 files."""
    found = re.search(r"Unknown layer: '?(\w+)", text)
    if found is None:
        return None
    name = found[1]
    in_words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    of_keras_2 = name.endswith("OpLambda")
    return name if of_keras_2 or hasattr(keras.ops, in_words) else None


def _lambda_refusal(path: Path) -> UserError:
    what = "has a Lambda layer: Python code in the file, which is not run, as it could do anything"
    advice = "put a layer such as Rescaling in its place and save the model again"
    return UserError(f"{path}: {what}; {advice}")


def _refuse_lambda_in_h5(path: Path) -> None:
    with h5py.File(path) as file:
        config = file.attrs.get("model_config")
        if config is None:
            what = "weights without a model; give the whole model, saved by model.save"
            raise UserError(f"{path}: {what}")
        if '"class_name": "Lambda"' in json.dumps(json.loads(config)):
            raise _lambda_refusal(path)


def _of_keras(name: str, model: Any) -> Network:
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise UserError(
            f"{name}: its input's shape is not known; call the model once, save it again"
        )
    if len(inputs) != 1:
        shapes = [tuple(one.shape) for one in inputs]
        raise UserError(f"{name}: takes {shapes}; give a model that takes one picture")
    [only] = inputs
    flat = model
    graph = graph_of(model)
    if is_graph(model) and isinstance(graph._inputs_struct, dict | list):
        flat = keras.Model(only, graph._outputs_struct)  # so that it is called with a plain picture
    shape = _picture_shape(name, tuple(only.shape))
    kind = tf.as_dtype(only.dtype)
    call = partial(flat, training=False)
    whole = (lambda pictures: call(_as_kind(pictures, kind))) if kind.is_integer else call
    known = flat if is_graph(flat) else None
    digest = _digest_of_weights(model)
    limits = BYTES.get(kind.name)
    return Network(name, whole, shape, digest, model.count_params(), known, takes=limits)


def _as_kind(pictures: Any, kind: Any) -> Any:
    """Pictures as a model's input takes them, rounded if these are integers."""
    return tf.cast(tf.round(pictures) if kind.is_integer else pictures, kind)


def _picture_shape(name: str, shape: tuple[int | None, ...]) -> Shape:
    """Height, width and channels of an input (n, height, width, channels), for any n."""
    if len(shape) == 4 and shape[0] is not None:
        what = f"takes {shape[0]} picture{'s' * (shape[0] > 1)} at a time"
        raise UserError(f"{name}: {what}; save it with None as the size of a batch")
    if len(shape) == 4 and shape[3] in (1, 3, None):
        return shape[1], shape[2], shape[3]
    first = len(shape) == 4 and shape[1] in (1, 3)
    hint = " (its channels come first; permute them in the model)" if first else ""
    wanted = "give a model that takes (None, height, width, 3), or 1 for grey"
    raise UserError(f"{name}: takes {shape}{hint}; {wanted}")


def _digest_of_weights(model: Any) -> str:
    digest = hashlib.sha256(model.to_json().encode())
    for weight in model.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()


def _digest_of_files(path: Path) -> str:
    digest = hashlib.sha256()
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if file.is_file():
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _saved_model(path: Path) -> Network:
    loaded = tf.saved_model.load(str(path))
    signatures = loaded.signatures
    name = "serving_default" if "serving_default" in signatures else next(iter(signatures), None)
    if name is None:
        raise UserError(f"{path}: has no signature; save it with model.export")
    if name != "serving_default" and len(signatures) > 1:
        what = f"has the signatures {', '.join(sorted(signatures))}"
        raise UserError(f"{path}: {what}; save it with one, or call one serving_default")
    signature = signatures[name]
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1:
        raise UserError(f"{path}: takes {sorted(inputs)}; give a model that takes one picture")
    [(key, spec)] = inputs.items()
    shape = _picture_shape(str(path), tuple(spec.shape))

    def call(pictures: Any) -> Any:
        assert loaded  # its variables live only as long as it does
        outputs = signature(**{key: _as_kind(pictures, spec.dtype)})
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    weights = sum(math.prod(variable.shape) for variable in signature.variables)
    limits = BYTES.get(spec.dtype.name)
    return Network(str(path), call, shape, _digest_of_files(path), weights, takes=limits)


def _tflite(path: Path) -> Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TensorFlow will move this interpreter
        interpreter = tf.lite.Interpreter(model_path=str(path))
    inputs = interpreter.get_input_details()
    outputs = interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        what = f"takes {len(inputs)} and returns {len(outputs)} tensors"
        raise UserError(f"{path}: {what}; give a model that takes a picture and returns one")
    signature = tuple(int(side) for side in inputs[0]["shape_signature"])
    known = tuple(side if side > 0 else None for side in signature[1:])
    shape = _picture_shape(str(path), (None, *known))
    scale, zero = inputs[0]["quantization"]
    limits = BYTES.get(np.dtype(inputs[0]["dtype"]).name)
    if scale:
        whole = np.iinfo(inputs[0]["dtype"])
        limits = (float(scale * (whole.min - zero)), float(scale * (whole.max - zero)))

    def run(pictures: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(inputs[0]["index"], pictures.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(inputs[0]["index"], _quantised(pictures, inputs[0]))
        interpreter.invoke()
        return _plain(interpreter.get_tensor(outputs[0]["index"]), outputs[0])

    classes = int(outputs[0]["shape"][-1])

    def call(pictures: Any) -> Any:
        found = tf.numpy_function(run, [tf.cast(pictures, tf.float32)], tf.float32)
        return tf.ensure_shape(found, (None, classes))

    return Network(str(path), call, shape, _digest_of_files(path), takes=limits)


def _quantised(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    scale, zero = details["quantization"]
    if not np.issubdtype(details["dtype"], np.integer):
        return values.astype(details["dtype"])
    whole = np.iinfo(details["dtype"])
    return np.clip(np.round(values / (scale or 1) + zero), whole.min, whole.max).astype(
        details["dtype"]
    )


def _plain(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    scale, zero = details["quantization"]
    numbers = values.astype(np.float32)
    return (numbers - np.float32(zero)) * np.float32(scale) if scale else numbers


def open_application(name: str, weights: str | None) -> Network:
    """Build a model of keras.applications. Raises UserError for a name or weights unknown to it."""
    build = getattr(keras.applications, name, None)
    if not (name[:1].isupper() and callable(build)):
        names = [known for known in dir(keras.applications) if known[0].isupper()]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(names)}"
        raise BadValue("model", name, f"neither a file nor in keras.applications{hint}")
    preprocess = sys.modules[build.__module__].preprocess_input
    model = _weighted(build, name, weights)
    return replace(_of_keras(name, model), preprocess=preprocess)


def _weighted(build: Callable[..., Any], name: str, weights: str | None) -> Any:
    if weights and weights != "random" and not Path(weights).is_file():
        raise BadValue("weights", weights, f"no such file; give the .h5 file of {name}, or: random")
    try:
        return build(weights={None: "imagenet", "random": None}.get(weights, weights))
    except Exception as error:  # Keras raises nothing narrower if a download fails
        if weights:
            what = f"do not fit {name} ({one_line(error)}); give its own"
            raise BadValue("weights", weights, what) from None
        what = f"cannot download its weights ({one_line(error)})"
        raise NoDownload("model", name, what) from None
