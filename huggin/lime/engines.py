"""What computes a classifier: TensorFlow, or OpenVINO where this is faster."""

import shlex
import sys
from importlib.metadata import version
from importlib.util import find_spec

from huggin.common.errors import BadValue
from huggin.lime.keras_quietly import tf

PAYS = 1_000_000  # weights: a smaller model has answered before OpenVINO has read it
NAMES = {"tensorflow": "TensorFlow", "openvino": "OpenVINO"}


def chosen_engine(said: str | None, weights: int) -> tuple[str, str]:
    """The engine, and a line that says why. said: what the user wants; weights: 0 if not known.

    Raises BadValue if it is not installed.
    """
    if said == "openvino" and not _has_openvino():
        command = f"{shlex.quote(sys.executable)} -m pip install openvino"
        raise BadValue("engine", said, f"is not installed; type: {command}")
    engine, why = (said, "chosen") if said else _faster(weights)
    return engine, f"engine: {NAMES[engine]} {version(engine)}, {why}"


def fallback_fact(why: str) -> str:
    """The line of a classifier that OpenVINO cannot compute."""
    return f"engine: TensorFlow {version('tensorflow')}, as OpenVINO cannot compute it ({why})"


def _faster(weights: int) -> tuple[str, str]:
    """The faster engine for one explanation, and why."""
    if weights == 0:
        return "tensorflow", "as it is not known how many weights the model has"
    if weights < PAYS:
        return "tensorflow", f"as the model has fewer than {PAYS:,} weights"
    if not _has_openvino():
        return "tensorflow", "as OpenVINO is not installed"
    if tf.config.list_physical_devices("GPU"):
        return "tensorflow", "as it has a GPU"
    return "openvino", f"as the model has at least {PAYS:,} weights"


def _has_openvino() -> bool:
    return find_spec("openvino") is not None
