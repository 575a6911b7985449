"""A model's file or name -> a network: pictures in, outputs out, whatever the file's form.

Keras's own files, HDF5 files of Keras 2 and 3, SavedModel folders and .tflite files are opened.
"""

import difflib
import hashlib
import math
import re
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from huggin.common.errors import BadValue, UserError
from huggin.common.text import one_line
from huggin.lime.classifiers.keras_quietly import keras, tf

FROM_PYTHON = "or explain its predictions from Python, see docs/python.md"
HDF5 = b"\x89HDF\r\n\x1a\n"
REFUSED = {  # a kind of file that is refused -> what it is, and what the user can do
    "lfs": "a Git LFS pointer, not the model itself; run: git lfs pull",
    "unzipped": "an unzipped .keras file; zip its files again: python -m zipfile -c model.keras "
    "config.json metadata.json model.weights.h5",
    "folder": "a folder without a model; give a .keras file, or a folder with saved_model.pb",
    "torch": f"a PyTorch file, which Keras cannot read; convert it, {FROM_PYTHON}",
    "onnx": f"an ONNX model, which Keras cannot read; convert it with onnx2tf, {FROM_PYTHON}",
    "weights": "weights without a model; give the whole model, saved by model.save",
    "keras misnamed": "a .keras file with another ending; rename it to end with .keras",
    "h5 misnamed": "an HDF5 file with another ending; rename it to end with .h5",
    "pickle": f"a pickle, which can run any code and is not loaded; save the model, {FROM_PYTHON}",
}
LAMBDA = (
    "has a Lambda layer: Python code in the file, which is not run, as it could do anything; "
    "put a layer such as Rescaling in its place and save the model again"
)
ENDINGS = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".safetensors"), "torch"),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "pickle"),
    ".onnx": "onnx",
}
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


def is_graph(model: Any) -> bool:
    """Whether Keras knows the model's operations."""
    return bool(getattr(graph_of(model), "_nodes_by_depth", None))


def graph_of(model: Any) -> Any:
    """The functional model inside a Sequential one; any other model itself."""
    return getattr(model, "_functional", None) or model


def _kind_of_folder(path: Path) -> str:
    names = {file.name for file in path.iterdir() if file.is_file()}
    if "saved_model.pb" in names:
        return "saved_model"
    return "unzipped" if names >= {"config.json", "model.weights.h5"} else "folder"


def _kind_of_file(path: Path) -> str:
    """By how the file begins; else by its ending. Loading tells what is wrong with any other."""
    with path.open("rb") as file:
        start = file.read(32)
    ending = path.suffix.lower()
    if start.startswith(b"version https://git-lfs"):
        return "lfs"
    if start.startswith(HDF5) and path.name.endswith(".weights.h5"):
        return "weights"
    if start.startswith(HDF5):
        return "h5" if ending in (".h5", ".hdf5") else "h5 misnamed"
    if start.startswith(b"PK\x03\x04") and ending != ".keras" and zipfile.is_zipfile(path):
        names = zipfile.ZipFile(path).namelist()
        if any(name.endswith("data.pkl") for name in names):
            return "torch"
        return "keras misnamed" if "config.json" in names else "keras"
    return "tflite" if start[4:8] == b"TFL3" else ENDINGS.get(ending, "keras")


def open_file(path: Path) -> Network:
    """Open a model's file or folder. Raises UserError, or OSError, if it cannot be used."""
    kind = _kind_of_folder(path) if path.is_dir() else _kind_of_file(path)
    if kind in REFUSED:
        raise UserError(f"{path}: {REFUSED[kind]}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of optimizers, an input's structure, an interpreter
            if kind == "saved_model":
                return _saved_model(path)
            if kind == "tflite":
                return _tflite(path)
            if kind == "h5":
                _refuse_lambda(path)
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
            return _of_keras(str(path), model)
    except UserError:
        raise
    except Exception as error:  # whatever a broken file makes Keras or TensorFlow raise
        raise UserError(f"{path}: {_why_not_loaded(error)}") from None


def _refuse_lambda(path: Path) -> None:
    """Raise UserError for a Lambda layer in HDF5, also as Keras 2 wrote it."""
    with h5py.File(path) as file:
        if re.search(r'"class_name":\s*"Lambda"', str(file.attrs.get("model_config"))):
            raise UserError(f"{path}: {LAMBDA}")


def _why_not_loaded(error: Exception) -> str:
    """Why Keras does not load a file; the way out, if it is a known one."""
    text = str(error)
    layer = re.search(r"Unknown layer: '?(\w+)", text)
    name = layer[1] if layer else ""
    operation = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    if name and (name.endswith("OpLambda") or hasattr(keras.ops, operation)):  # such as a division
        what = f"has the operation {name}, which HDF5 files do not keep"
        return f"{what}; save the model as .keras, or put a layer such as Rescaling in its place"
    if "lambda" in text.lower():
        return LAMBDA
    if "No model config" in text:
        return REFUSED["weights"]
    if "Could not locate" in text or layer:
        advice = "save it with Keras's own layers, or explain it from Python, see docs/python.md"
        return f"needs Python classes of its own ({one_line(error)}); {advice}"
    return f"not a model that Keras can load ({one_line(error)}); save it again"


def _of_keras(name: str, model: Any) -> Network:
    inputs = getattr(model, "inputs", None)
    if not inputs:
        what = "its input's shape is not known; call the model once, save it again"
        raise UserError(f"{name}: {what}")
    if len(inputs) != 1:
        shapes = [tuple(tensor.shape) for tensor in inputs]
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
    graph_model = flat if is_graph(flat) else None
    digest = hashlib.sha256(model.to_json().encode())
    for weight in model.get_weights():
        digest.update(weight.tobytes())
    numbers = (digest.hexdigest(), model.count_params())
    return Network(name, whole, shape, *numbers, graph_model, takes=BYTES.get(kind.name))


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


def _digest_of_files(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
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
    numbers = (_digest_of_files(path), weights)
    return Network(str(path), call, shape, *numbers, takes=BYTES.get(spec.dtype.name))


def _tflite(path: Path) -> Network:
    interpreter = tf.lite.Interpreter(model_path=str(path))
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        what = f"takes {len(inputs)} and returns {len(outputs)} tensors"
        raise UserError(f"{path}: {what}; give a model that takes a picture and returns one")
    [taken], [returned] = inputs, outputs
    known = (int(side) if side > 0 else None for side in taken["shape_signature"][1:])
    shape = _picture_shape(str(path), (None, *known))

    def run(pictures: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(taken["index"], pictures.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(taken["index"], _quantised(pictures, taken))
        interpreter.invoke()
        return _dequantised(interpreter.get_tensor(returned["index"]), returned)

    def call(pictures: Any) -> Any:
        answers = tf.numpy_function(run, [tf.cast(pictures, tf.float32)], tf.float32)
        return tf.ensure_shape(answers, (None, int(returned["shape"][-1])))

    limits = BYTES.get(np.dtype(taken["dtype"]).name)
    if taken["quantization"][0]:
        whole = np.iinfo(taken["dtype"])
        low, high = _dequantised(np.array([whole.min, whole.max]), taken).tolist()
        limits = (low, high)
    return Network(str(path), call, shape, _digest_of_files(path), takes=limits)


def _quantised(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    kind = details["dtype"]
    if not np.issubdtype(kind, np.integer):
        return values.astype(kind)
    scale, zero = details["quantization"]
    whole = np.iinfo(kind)
    return np.clip(np.round(values / (scale or 1) + zero), whole.min, whole.max).astype(kind)


def _dequantised(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    scale, zero = details["quantization"]
    numbers = values.astype(np.float32)
    return (numbers - np.float32(zero)) * np.float32(scale) if scale else numbers


def open_application(name: str, weights: str | None) -> Network:
    """Build a model of keras.applications. Raises UserError for a name or weights unknown to it."""
    build = getattr(keras.applications, name, None)
    if not (name[:1].isupper() and callable(build)):
        names = [public for public in dir(keras.applications) if public[0].isupper()]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(names)}"
        raise BadValue("model", name, f"neither a file nor in keras.applications{hint}")
    try:
        model = build(weights={None: "imagenet", "random": None}.get(weights, weights))
    except Exception as error:  # Keras raises nothing narrower if a download fails
        if weights:
            what = f"do not fit {name} ({one_line(error)}); give its own"
            raise BadValue("weights", weights, what) from None
        what = f"cannot download its weights ({one_line(error)})"
        raise NoDownload("model", name, what) from None
    preprocess = sys.modules[build.__module__].preprocess_input
    return replace(_of_keras(name, model), preprocess=preprocess)
