"""OpenVINO: a function of TensorFlow, converted once and then computed by Intel's library.

OpenVINO reports every import and conversion to Google Analytics, and writes a file into the home
folder for this, through its package openvino_telemetry. If Python cannot import that package,
OpenVINO uses a stub that does nothing. So the package is hidden before OpenVINO is imported.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from huggin.common.progress import progress
from huggin.common.text import one_line, short

SETTINGS = {
    "INFERENCE_PRECISION_HINT": "f32",  # otherwise bfloat16 on processors that have it
    "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, on all cores
}
CLOSE = 1e-4  # of probabilities; in float32 they differ by less than 1e-6
Computed = Callable[..., np.ndarray]


class NotConverted(Exception):
    """OpenVINO cannot compute a function; the text says why."""


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
            raise NotConverted(_reason(error)) from None
    if found.shape != wanted.shape or not np.abs(found - wanted).max() < CLOSE:
        raise NotConverted("its answers to pictures of noise differ")
    return computed


def _computed(compiled: Any) -> Computed:
    request = compiled.create_infer_request()

    def computed(*inputs: np.ndarray) -> np.ndarray:
        found: np.ndarray = request.infer(dict(enumerate(inputs)), share_inputs=True)[0]
        return found

    return computed


def _reason(error: Exception) -> str:
    """What OpenVINO's summary says, which is between places in its source and addresses."""
    summary = [line[3:] for line in str(error).splitlines() if line.startswith("-- ")]
    return short("; ".join(summary) or one_line(error), 200)
