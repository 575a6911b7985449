"""Keras on TensorFlow, imported without the lines that TensorFlow writes as it starts.

It has its own default settings, whatever the user's keras.json says.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from huggin.common.errors import UserError
from huggin.common.text import one_line


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
try:
    with _quiet_stderr():
        import keras
        import tensorflow as tf
except (ValueError, TypeError, AttributeError, RecursionError, OSError) as error:
    settings = f"{os.environ.get('KERAS_HOME', '~/.keras')}/keras.json"
    what = f"Keras cannot start, probably because of {settings}: {one_line(error)}"
    raise UserError(f"{what}; delete that file, Keras makes a new one") from error
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")

__all__ = ["keras", "tf"]
