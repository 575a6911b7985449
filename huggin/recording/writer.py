"""Rows of a training run -> Arrow IPC streams, a row per event, flushed as written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from huggin.common.errors import UserError
from huggin.common.files import flush_to_disk
from huggin.common.text import one_line
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import TABLES, column_of, marked, schemas


class RecordingWriter:
    """Appends rows to a run's recording; each row is in the file when `append` returns."""

    def __init__(self, run: RunFolder, hidden_size: int) -> None:
        self.run_id = ""  # is written into each segment
        self._run = run
        self._schemas = schemas(hidden_size)
        self._paths: dict[str, Path] = {}
        self._files: dict[str, pa.NativeFile] = {}
        self._streams: dict[str, pa.ipc.RecordBatchStreamWriter] = {}

    def append(self, table: str, **row: Any) -> None:
        """Add a row: a value per column of the table's schema; tensors as NumPy arrays."""
        self.append_together(table, [row])

    def append_together(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows of one step; a kill leaves all of them in the file, or none."""
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
