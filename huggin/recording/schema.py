"""The tables of a recording: their columns and types, what must hold in them, and their writer.

A table is an Arrow IPC stream, a row per event, flushed as written.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from huggin.common.errors import UserError
from huggin.common.files import flush_to_disk
from huggin.common.text import one_line
from huggin.recording.run_folder import RunFolder

SCHEMA_VERSION = 3
READABLE_VERSIONS = (1, 2, 3)
OF_1, OF_2 = ("steps", "probes", "nodes"), ("lens", "layers", "questions")
SINCE = dict.fromkeys(OF_1, 1) | dict.fromkeys(OF_2, 2) | dict.fromkeys(("ledger", "pointers"), 3)
TABLES = tuple(SINCE)
LOGITS = ("start_logits", "end_logits")
NUMBERS_OF_STEPS = ("epoch", "loss", "learning_rate", "grad_norm")
RUN = b"run"  # in a segment's metadata: the run's id
# Numbers of each window of a batch in `windows`, one list: 350 bytes a step less
OF_A_WINDOW: dict[str, np.dtype[Any]] = {
    "index": np.dtype(np.int32),
    "window": np.dtype(np.int16),
    "start_loss": np.dtype(np.float32),
    "end_loss": np.dtype(np.float32),
    "right": np.dtype(np.bool_),
}


def schemas(hidden_size: int) -> dict[str, pa.Schema]:
    """The columns of each table for a QA head that reads `hidden_size` nodes."""
    double, single, whole = pa.float64(), pa.float32(), pa.int32()
    numbers = pa.list_(single)
    activations = pa.list_(pa.list_(pa.float16(), hidden_size))
    head = {"weight": pa.list_(single, 2 * hidden_size), "bias": pa.list_(single, 2)}
    step = {"step": pa.int64()}
    sample = {**step, "sample": whole}
    losses = dict.fromkeys(("start_loss", "end_loss"), double)
    span = dict.fromkeys(("predicted_start", "predicted_end"), whole)
    site = {"layer": whole, "component": pa.string()}
    columns: dict[str, dict[str, pa.DataType]] = {
        "steps": {**step, **dict.fromkeys(NUMBERS_OF_STEPS, double), **head},
        "probes": {**sample, **dict.fromkeys(LOGITS, numbers), **losses, **span},
        "nodes": {**sample, **site, "activations": activations},
        "lens": {**sample, "layer": whole, **dict.fromkeys(LOGITS, pa.list_(pa.float16()))},
        "layers": {**step, "norms": numbers},
        "questions": {**step, "windows": numbers},
        "pointers": {**step, "windows": numbers},
        "ledger": {**sample, "credits": numbers, "gap": single, "coarse": numbers},
    }
    return {table: pa.schema(fields) for table, fields in columns.items()}


def marked(schema: pa.Schema, run_id: str) -> pa.Schema:
    """The schema of a segment of the run with this id."""
    return schema.with_metadata({RUN: run_id}) if run_id else schema


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


def by_row(lists: pa.ChunkedArray) -> np.ndarray:
    """Lists of one size, (rows, size), as an array of its own."""
    return np.array(flat_values(lists)).reshape(len(lists), -1)


def columns_of_windows(values: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers of windows, one after the other -> each column of OF_A_WINDOW, (windows,)."""
    columns = values.reshape(-1, len(OF_A_WINDOW)).T
    return {
        name: column.astype(kind)
        for (name, kind), column in zip(OF_A_WINDOW.items(), columns, strict=True)
    }


def flat_values(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """All numbers of a column, of lists or not, one after the other."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    while pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type):
        values = values.flatten()
    return np.from_dlpack(values)  # no copy; `to_numpy` would import pandas, 0.3 s and 30 MB


class RecordingWriter:
    """Appends rows to a run's recording; each row is in the file when `append` returns."""

    def __init__(self, run: RunFolder, hidden_size: int) -> None:
        self.run_id = ""  # is written into each segment
        self._run = run
        self._schemas = schemas(hidden_size)
        self._paths: dict[str, Path] = {}
        self._files: dict[str, pa.NativeFile] = {}
        self._streams: dict[str, pa.ipc.RecordBatchStreamWriter] = {}

    def append(self, table: str, *rows: Mapping[str, Any], **row: Any) -> None:
        """Add rows of one step, if any; a kill leaves all of them in the file, or none.

        rows: mappings, or one row as keywords: a value per column of the table's schema, tensors as
        NumPy arrays.
        """
        rows = (*rows, row) if row else rows
        if not rows:
            return
        step = rows[0]["step"]
        if not self._streams:
            self._open(step)
        schema = self._schemas[table]
        columns = [
            pa.concat_arrays([column_of(row[field.name], field.type) for row in rows])
            for field in schema
        ]
        try:
            self._streams[table].write_batch(pa.record_batch(columns, schema=schema))
        except OSError as error:
            what = f"{self._paths[table]}: step {step} not recorded: {one_line(error)}"
            advice = "fix that; the same command goes on from the newest checkpoint"
            raise UserError(f"{what}; {advice}") from None

    def flush_to_disk(self) -> None:
        """Wait until every row is on the disk, so that no checkpoint outlives its rows."""
        for path in (*self._paths.values(), self._run.recording):
            flush_to_disk(path)

    def close(self) -> None:
        """End the streams, if there are any; nothing can be appended afterwards."""
        for table, stream in self._streams.items():
            stream.close()
            self._files[table].close()
        self._streams.clear()

    def _open(self, first_step: int) -> None:
        self._run.recording.mkdir(parents=True, exist_ok=True)
        for table in TABLES:
            for step, superseded in reversed(self._run.segments(table)):
                if step >= first_step:
                    superseded.unlink()
            self._paths[table] = self._run.segment(table, first_step)
            # Without a buffer: a row is in the file when it is written.
            self._files[table] = pa.OSFile(str(self._paths[table]), "wb")
            schema = marked(self._schemas[table], self.run_id)
            self._streams[table] = pa.ipc.new_stream(self._files[table], schema)
