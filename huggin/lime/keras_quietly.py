"""Keras on TensorFlow, imported without the lines that TensorFlow writes as it starts."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Silence file descriptor 2: TensorFlow's C++ code writes there, past Python's sys.stderr."""
    sys.stderr.flush()
    with open(os.devnull, "wb") as nowhere, os.fdopen(os.dup(2), "wb") as terminal:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal.fileno(), 2)


os.environ["KERAS_BACKEND"] = "tensorflow"  # masking is compiled into one graph with the model
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _quiet_stderr():
    import keras
    import tensorflow as tf

__all__ = ["keras", "tf"]
