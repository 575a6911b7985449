"""Keras on TensorFlow, imported without the lines that TensorFlow writes as it starts.

This module sets Keras's own defaults, whatever the user's keras.json says.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggin.common.errors import UserError
from huggin.common.files import refuse_special
from huggin.common.text import one_line

LARGEST_SETTINGS = 1 << 20  # bytes


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Silence file descriptor 2: TensorFlow's C++ code writes there, past Python's sys.stderr."""
    sys.stderr.flush()
    with open(os.devnull, "wb") as nowhere, os.fdopen(os.dup(2), "wb") as saved:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved.fileno(), 2)


def _settings_of_user() -> Path:
    """The file that Keras reads while it is imported. Raises UserError if it is no plain file."""
    home = os.path.expanduser("~")  # noqa: PTH111 which raises no error if there is no home
    base = home if os.access(home, os.W_OK) else "/tmp"  # noqa: S108 as Keras has it
    settings = Path(os.environ.get("KERAS_HOME", f"{base}/.keras")) / "keras.json"
    if settings.exists():
        refuse_special(settings, LARGEST_SETTINGS)
    return settings


settings = _settings_of_user()
os.environ["KERAS_BACKEND"] = "tensorflow"  # masking is compiled into one graph with the model
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    with _quiet_stderr():
        import keras
        import tensorflow as tf
except (ValueError, TypeError, AttributeError, RecursionError, OSError) as error:
    advice = f"if there is a file {settings}, delete it: Keras makes a new one"
    raise UserError(f"Keras cannot start: {one_line(error)}; {advice}") from error
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")

__all__ = ["keras", "tf"]
