"""The tables of a recording: their columns and types."""

from typing import Any

import numpy as np
import pyarrow as pa

SCHEMA_VERSION = 3
READABLE_VERSIONS = (1, 2, 3)
SINCE = {
    "steps": 1,
    "probes": 1,
    "nodes": 1,
    "lens": 2,
    "layers": 2,
    "questions": 2,
    "ledger": 3,
}
TABLES = tuple(SINCE)
RUN = b"run"  # in a segment's metadata: the run's id
OF_A_WINDOW: dict[
    str, np.dtype[Any]
] = {  # numbers of each window of a batch in `windows`, one list: 350 bytes a step less
    "index": np.dtype(np.int32),
    "window": np.dtype(np.int16),
    "start_loss": np.dtype(np.float32),
    "end_loss": np.dtype(np.float32),
    "right": np.dtype(np.bool_),
}


def schemas(hidden_size: int) -> dict[str, pa.Schema]:
    """The columns of each table for a QA head that reads `hidden_size` nodes."""
    logits = pa.list_(pa.float32())
    activations = pa.list_(pa.list_(pa.float16(), hidden_size))
    numbers = {name: pa.float64() for name in ("epoch", "loss", "learning_rate", "grad_norm")}
    weight = {"weight": pa.list_(pa.float32(), 2 * hidden_size), "bias": pa.list_(pa.float32(), 2)}
    probe = {
        "start_logits": logits,
        "end_logits": logits,
        "start_loss": pa.float64(),
        "end_loss": pa.float64(),
    }
    span = {"predicted_start": pa.int32(), "predicted_end": pa.int32()}
    site = {
        "sample": pa.int32(),
        "layer": pa.int32(),
        "component": pa.string(),
        "activations": activations,
    }
    lens = {
        "sample": pa.int32(),
        "layer": pa.int32(),
        "start_logits": pa.list_(pa.float16()),
        "end_logits": pa.list_(pa.float16()),
    }
    ledger = {
        "sample": pa.int32(),
        "credits": pa.list_(pa.float32()),
        "gap": pa.float32(),
        "coarse": pa.list_(pa.float32()),
    }
    return {
        "steps": pa.schema({"step": pa.int64(), **numbers, **weight}),
        "probes": pa.schema({"step": pa.int64(), "sample": pa.int32(), **probe, **span}),
        "nodes": pa.schema({"step": pa.int64(), **site}),
        "lens": pa.schema({"step": pa.int64(), **lens}),
        "layers": pa.schema({"step": pa.int64(), "norms": pa.list_(pa.float32())}),
        "questions": pa.schema({"step": pa.int64(), "windows": pa.list_(pa.float32())}),
        "ledger": pa.schema({"step": pa.int64(), **ledger}),
    }


def marked(schema: pa.Schema, run_id: str) -> pa.Schema:
    """The schema of a segment of the run with this id."""
    return schema.with_metadata({RUN: run_id}) if run_id else schema


def run_id_of(schema: pa.Schema) -> str:
    """The id of the run that a segment is of; empty if an older version wrote it."""
    return (schema.metadata or {}).get(RUN, b"").decode("utf-8", "replace")


def column_of(value: Any, kind: pa.DataType) -> pa.Array:
    """One row's value (a number, a text, an array) as a column of length 1."""
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(
            pa.array(np.ravel(value), kind.value_type), kind.list_size
        )
    if not pa.types.is_list(kind):
        return pa.array([value], kind)
    inner = kind.value_type
    nested = pa.types.is_fixed_size_list(inner)
    items = column_of(value, inner) if nested else pa.array(value, inner)
    return pa.ListArray.from_arrays(pa.array([0, len(value)], pa.int32()), items)


def types_of_steps(hidden_size: int) -> dict[str, np.dtype]:
    """A step's type and shape in each array of `Steps`."""
    numbers = dict.fromkeys(("epoch", "loss", "learning_rate", "grad_norm"), np.dtype(np.float64))
    head = {"weight": np.dtype((np.float32, (2, hidden_size))), "bias": np.dtype((np.float32, 2))}
    return {"step": np.dtype(np.int64), **numbers, **head}
