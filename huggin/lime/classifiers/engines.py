"""What computes a classifier: TensorFlow, or OpenVINO where this is faster.

OpenVINO converts a function of TensorFlow once, and computes it then by Intel's library. It reports
every import and conversion to Google Analytics, and writes a file into the home folder for this,
through its package openvino_telemetry. If Python cannot import that package, OpenVINO uses a stub
that does nothing. So the package is hidden before OpenVINO is imported.
"""

import shlex
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

from huggin.common.errors import BadValue
from huggin.common.progress import progress
from huggin.common.text import one_line, short
from huggin.lime.classifiers.keras_quietly import tf

PAYS = 1_000_000  # weights: a smaller model has answered before OpenVINO has read it
NAMES = {"tensorflow": "TensorFlow", "openvino": "OpenVINO"}
SETTINGS = {
    "INFERENCE_PRECISION_HINT": "f32",  # otherwise bfloat16 on processors that have it
    "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, on all cores
}
CLOSE = 1e-4  # of probabilities; in float32 they differ by less than 1e-6
Computed = Callable[..., np.ndarray]


class NotConverted(Exception):
    """OpenVINO cannot compute a function; the text says why."""


def chosen_engine(said: str | None, weights: int) -> tuple[str, str]:
    """The engine, and a line that says why. said: what the user wants; weights: 0 if not known.

    Raises BadValue if it is not installed.
    """
    if said == "openvino" and find_spec("openvino") is None:
        command = f"{shlex.quote(sys.executable)} -m pip install openvino"
        raise BadValue("engine", said, f"is not installed; type: {command}")
    engine, why = (said, "chosen") if said else _faster(weights)
    return engine, f"engine: {NAMES[engine]} {version(engine)}, {why}"


def _faster(weights: int) -> tuple[str, str]:
    """The faster engine for one explanation, and why."""
    if weights == 0:
        return "tensorflow", "as it is not known how many weights the model has"
    if weights < PAYS:
        return "tensorflow", f"as the model has fewer than {PAYS:,} weights"
    if find_spec("openvino") is None:
        return "tensorflow", "as OpenVINO is not installed"
    if tf.config.list_physical_devices("GPU"):
        return "tensorflow", "as it has a GPU"
    return "openvino", f"as the model has at least {PAYS:,} weights"


def converted(function: Any, inputs: Sequence[np.ndarray], wanted: np.ndarray) -> Computed:
    """A tf.function with an input signature and one output -> the same, of NumPy arrays.

    inputs, wanted: an example, and what the function makes of it. Shows on a terminal how far the
    conversion is. Raises NotConverted if it fails, or if the example comes out differently.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    with progress(total=3, label="converting for OpenVINO", unit="steps", delay=0) as bar:
        try:
            import openvino

            traced = function.get_concrete_function()
            bar.update()
            model = openvino.convert_model(traced)
            bar.update()
            computed = _computed(openvino.Core().compile_model(model, "CPU", SETTINGS))
            found = computed(*inputs)
        except Exception as error:  # whatever TensorFlow and OpenVINO raise, also at import
            if "KeyboardInterrupt" in str(error):  # OpenVINO's C++ code makes an error of Ctrl-C
                raise KeyboardInterrupt from None
            # OpenVINO's summary, which is between places in its source and addresses
            summary = [line[3:] for line in str(error).splitlines() if line.startswith("-- ")]
            raise NotConverted(short("; ".join(summary) or one_line(error), 200)) from None
    if found.shape != wanted.shape or not np.abs(found - wanted).max() < CLOSE:
        raise NotConverted("its answers to pictures of noise differ")
    return computed


def _computed(compiled: Any) -> Computed:
    request = compiled.create_infer_request()

    def computed(*inputs: np.ndarray) -> np.ndarray:
        found: np.ndarray = request.infer(dict(enumerate(inputs)), share_inputs=True)[0]
        return found

    return computed
