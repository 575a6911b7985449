"""Arrays -> text inside a page, without loss: rearranged, deflated, in base64.

The page's codec.js undoes it. The bytes of numbers are sorted by significance, and neighbours along
the first axis, say the same token at two probes, are subtracted where that makes the text shorter.
"""

import base64
import json
import zlib
from typing import Any

import numpy as np

LEVEL = 6  # of deflate; 9 takes three times as long and saves 1 %


def packed(array: np.ndarray, kind: Any = None) -> dict[str, Any]:
    """An array as a value of JSON: its dtype, its shape, and its numbers in base64.

    kind: the dtype (default: the array's own). Numbers beyond 65504 are infinite in float16.
    """
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array).astype(kind or array.dtype)
    values = array.astype(array.dtype.newbyteorder("<"))
    plain = zlib.compress(_by_significance(values), LEVEL)
    differences = zlib.compress(_by_significance(_differences(values)), LEVEL)
    is_shorter = len(differences) < len(plain)
    data = differences if is_shorter else plain
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "differences": is_shorter,
        "data": base64.b64encode(data).decode("ascii"),
    }


def _differences(values: np.ndarray) -> np.ndarray:
    """Each number's bits minus those of the one before it on the first axis, which wraps around."""
    bits = values.view(np.dtype(f"<u{values.dtype.itemsize}"))
    return np.concatenate([bits[:1], bits[1:] - bits[:-1]])


def _by_significance(values: np.ndarray) -> bytes:
    """The lowest byte of every number, then the next one of every number, and so on."""
    planes = values.reshape(-1).view(np.uint8).reshape(-1, values.dtype.itemsize)
    return planes.T.tobytes()


def as_script(value: Any) -> str:
    """JSON that can stand in a <script> element, whatever its texts are.

    It is ASCII, and has no `<` that could end the element. Raises ValueError for NaN.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
