"""The recording of a run: rows -> Arrow IPC streams, and back to arrays.

Three tables, each a row per event: `steps` (the head after every optimizer step), `probes` (a tracked sample's
logits) and `nodes` (a tracked sample's activations at the hooked sites). Step k means: after k optimizer steps.
Every start or resume opens new segments named by their first step; a later segment wins from that step on.
"""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from huggin.door import UserError, one_line
from huggin.files import flush_to_disk, write_json
from huggin.run_folder import RunFolder

SCHEMA_VERSION = 1
TABLES = ("steps", "probes", "nodes")
PART = 64  # rows of steps that are held as Arrow's objects at a time


def schemas(hidden_size: int) -> dict[str, pa.Schema]:
    """The columns of each table for a head over `hidden_size` nodes."""
    logits = pa.list_(pa.float32())
    activations = pa.list_(pa.list_(pa.float16(), hidden_size))
    numbers = {name: pa.float64() for name in ("epoch", "loss", "learning_rate", "grad_norm")}
    weight = {"weight": pa.list_(pa.float32(), 2 * hidden_size), "bias": pa.list_(pa.float32(), 2)}
    probe = {"start_logits": logits, "end_logits": logits, "start_loss": pa.float64(), "end_loss": pa.float64()}
    span = {"predicted_start": pa.int32(), "predicted_end": pa.int32()}
    site = {"sample": pa.int32(), "layer": pa.int32(), "component": pa.string(), "activations": activations}
    return {
        "steps": pa.schema({"step": pa.int64(), **numbers, **weight}),
        "probes": pa.schema({"step": pa.int64(), "sample": pa.int32(), **probe, **span}),
        "nodes": pa.schema({"step": pa.int64(), **site}),
    }


class RecordingWriter:
    """Appends rows to a run's recording; each row is in the file when `append` returns."""

    def __init__(self, run: RunFolder, hidden_size: int) -> None:
        self._run = run
        self._schemas = schemas(hidden_size)
        self._paths: dict[str, Path] = {}
        self._files: dict[str, pa.NativeFile] = {}
        self._streams: dict[str, pa.ipc.RecordBatchStreamWriter] = {}

    def append(self, table: str, **row: Any) -> None:
        """Add a row: a value per column of the table's schema; tensors as NumPy arrays."""
        if not self._streams:
            self._open(row["step"])
        schema = self._schemas[table]
        columns = [column_of(row[field.name], field.type) for field in schema]
        try:
            self._streams[table].write_batch(pa.record_batch(columns, schema=schema))
        except OSError as error:
            what = f"{self._paths[table]}: step {row['step']} not recorded: {one_line(error)}"
            raise UserError(f"{what}; mend that, the same command goes on from the newest checkpoint") from None

    def flush_to_disk(self) -> None:
        """Wait until every row has reached the disk, so that a checkpoint never outlives its rows."""
        for path in (*self._paths.values(), self._run.recording):
            flush_to_disk(path)

    def close(self) -> None:
        """End the streams; the writer can be used no more."""
        for table, stream in self._streams.items():
            stream.close()
            self._files[table].close()

    def _open(self, first_step: int) -> None:
        self._run.recording.mkdir(parents=True, exist_ok=True)
        for table in TABLES:
            for step, superseded in reversed(self._run.segments(table)):
                if step >= first_step:
                    superseded.unlink()
            self._paths[table] = self._run.segment(table, first_step)
            self._files[table] = pa.OSFile(str(self._paths[table]), "wb")  # unbuffered: a row is a write
            self._streams[table] = pa.ipc.new_stream(self._files[table], self._schemas[table])


def column_of(value: Any, kind: pa.DataType) -> pa.Array:
    """One row's value (a number, a text, an array) as a column of length 1."""
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(pa.array(np.ravel(value), kind.value_type), kind.list_size)
    if not pa.types.is_list(kind):
        return pa.array([value], kind)
    inner = kind.value_type
    items = column_of(value, inner) if pa.types.is_fixed_size_list(inner) else pa.array(value, inner)
    return pa.ListArray.from_arrays(pa.array([0, len(value)], pa.int32()), items)


def write_facts(run: RunFolder, facts: dict[str, Any]) -> None:
    """Write run.json, whole or not at all."""
    write_json(run.facts, {"schema_version": SCHEMA_VERSION, **facts})


def read_facts(run: RunFolder) -> dict[str, Any]:
    """Read run.json; a UserError where there is none or where a newer program wrote it."""
    try:
        facts = json.loads(run.facts.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{run.facts}: nothing recorded here; run get-training-output first") from None
    except ValueError:
        raise UserError(f"{run.facts}: not JSON; run get-training-output again, it writes a new one") from None
    version = facts.get("schema_version") if isinstance(facts, dict) and "hidden_size" in facts else None
    if version != SCHEMA_VERSION:
        raise UserError(f"{run.facts}: schema {version}, this program reads {SCHEMA_VERSION}; use the program it is of")
    return facts


def whole_batches(source: pa.MemoryMappedFile) -> Iterator[pa.RecordBatch]:
    """The record batches of a stream up to its last whole one, wherever it was cut; `source` is left after that one."""
    whole = 0
    try:
        stream = pa.ipc.open_stream(source)
        while True:
            whole = source.tell()
            yield stream.read_next_batch()
    except StopIteration:
        return
    except (pa.ArrowInvalid, OSError):  # cut in the middle of a message
        source.seek(whole)


@dataclass(frozen=True)
class Steps:
    """The head after each recorded step; first axis = steps."""

    step: np.ndarray  # (steps,) int64
    epoch: np.ndarray  # (steps,)
    loss: np.ndarray  # (steps,) of the batch that led to the step; NaN at step 0
    learning_rate: np.ndarray  # (steps,) that led to the step; NaN at step 0
    grad_norm: np.ndarray  # (steps,) before clipping; NaN at step 0
    weight: np.ndarray  # (steps, 2, hidden) row 0 = start, row 1 = end
    bias: np.ndarray  # (steps, 2)


def types_of_steps(hidden_size: int) -> dict[str, np.dtype]:
    """A step's type and shape in each array of `Steps`."""
    numbers = dict.fromkeys(("epoch", "loss", "learning_rate", "grad_norm"), np.dtype(np.float64))
    head = {"weight": np.dtype((np.float32, (2, hidden_size))), "bias": np.dtype((np.float32, 2))}
    return {"step": np.dtype(np.int64), **numbers, **head}


@dataclass(frozen=True)
class Probes:
    """One tracked sample's logits at each probe; first axis = probes."""

    step: np.ndarray  # (probes,)
    start_logits: np.ndarray  # (probes, tokens)
    end_logits: np.ndarray  # (probes, tokens)
    start_loss: np.ndarray  # (probes,) cross-entropy in nats
    end_loss: np.ndarray  # (probes,)
    predicted_start: np.ndarray  # (probes,) token index, -1 where no valid span
    predicted_end: np.ndarray  # (probes,)


Site = tuple[int, str]  # layer (1 = the first), component (`self` or `out`)


class Recording:
    """A run's recording, read on demand. Raises UserError where nothing is recorded."""

    def __init__(self, path: Path | str) -> None:
        self.run = RunFolder(Path(path))
        if not self.run.path.is_dir():
            raise UserError(f"{path}: no such folder; give a run's folder, cfg.json's output_dir")
        self.facts = read_facts(self.run)

    def rows(self, name: str) -> Iterator[pa.RecordBatch]:
        """The rows of `steps`, `probes` or `nodes` in order, each step once: a later segment wins from its first on."""
        segments = self.run.segments(name)
        ends = [first_step for first_step, _ in segments[1:]] + [None]
        for (_, path), end in zip(segments, ends):
            with pa.memory_map(str(path)) as source:
                for row in whole_batches(source):
                    if end is not None and row["step"][0].as_py() >= end:
                        break
                    yield row

    def table(self, name: str) -> pa.Table:
        """The rows of `steps`, `probes` or `nodes`, joined; Arrow's objects for a row take 4 KB beside its numbers."""
        return pa.Table.from_batches(self.rows(name), schemas(self.facts["hidden_size"])[name])

    @cached_property
    def steps(self) -> Steps:
        """Every recorded step as arrays."""
        types = types_of_steps(self.facts["hidden_size"])
        size = sum(path.stat().st_size for _, path in self.run.segments("steps"))
        room = size // sum(kind.itemsize for kind in types.values())  # more than enough; untouched it takes no memory
        steps = Steps(**{name: np.empty(room, kind) for name, kind in types.items()})
        count = fill(vars(steps), islice(self.rows("steps"), room))  # what is added meanwhile is for the next reading
        if count == 0:
            raise UserError(f"{self.run.recording}: no steps recorded; run get-training-output first")
        return Steps(**{name: array[:count] for name, array in vars(steps).items()})

    def tracked(self, sample: int = 0) -> dict[str, Any]:
        """The facts of a tracked sample. Raises UserError where it is not there."""
        samples = self.facts["samples"]
        if not 0 <= sample < len(samples):
            known = f"{self.run.path} tracks 0 to {len(samples) - 1}"
            raise UserError(f"--sample {sample}: {known}; probe_samples in cfg.json is how many")
        return samples[sample]

    def probes(self, sample: int = 0) -> Probes:
        """The probes of one tracked sample as arrays."""
        table = self.table("probes")
        table = table.filter(pc.equal(table["sample"], sample))
        if len(table) == 0:
            raise UserError(f"{self.run.recording}: no probes of sample {sample}; run get-training-output first")
        columns = {name: flat_values(table[name]) for name in table.column_names if not name.endswith("logits")}
        del columns["sample"]
        logits = {name: flat_values(table[name]).reshape(len(table), -1) for name in ("start_logits", "end_logits")}
        return Probes(**columns, **logits)

    def nodes(self, step: int, sample: int = 0) -> dict[Site, np.ndarray]:
        """A tracked sample's activations (tokens, hidden) by site. Raises UserError for a step without a snapshot."""
        table = self.table("nodes")
        chosen = table.filter(pc.and_(pc.equal(table["step"], step), pc.equal(table["sample"], sample)))
        if len(chosen) == 0:
            steps = ", ".join(map(str, pc.unique(table["step"]).to_pylist()))
            raise UserError(f"--step {step}: no snapshot of the nodes; there are snapshots at {steps or 'no step'}")
        return site_activations(chosen)

    def head_inputs(self, sample: int = 0) -> dict[int, np.ndarray]:
        """What the head was given (tokens, hidden), float16, by the step of each snapshot of a tracked sample.

        That is the last layer's output, unless the model makes something else of it before its head.
        """
        table = self.table("nodes")
        table = table.filter(pc.equal(table["sample"], sample))
        inputs = table.filter(pc.equal(table["component"], "head"))
        table = inputs if len(inputs) else table.filter(pc.equal(table["component"], "out"))
        if len(table) == 0:
            raise UserError(f"{self.run.recording}: no nodes of sample {sample}; run get-training-output first")
        table = table.filter(pc.equal(table["layer"], pc.max(table["layer"])))
        steps = table["step"].to_pylist()
        return {step: next(iter(site_activations(table.slice(row, 1)).values())) for row, step in enumerate(steps)}


def site_activations(table: pa.Table) -> dict[Site, np.ndarray]:
    """Rows of layer, component and activations -> (tokens, hidden) float16 by site."""
    hidden = table.schema.field("activations").type.value_type.list_size
    sites = zip(table["layer"].to_pylist(), table["component"].to_pylist())
    values = (flat_values(table["activations"].slice(row, 1)).reshape(-1, hidden) for row in range(len(table)))
    return dict(zip(sites, values, strict=True))


def fill(arrays: dict[str, np.ndarray], rows: Iterator[pa.RecordBatch]) -> int:
    """Write rows, PART at a time, into arrays by column whose first axis is rows; how many there were."""
    count = 0
    while some := list(islice(rows, PART)):
        part = pa.concat_batches(some)
        for name, array in arrays.items():
            array[count : count + len(part)] = flat_values(part[name]).reshape(-1, *array.shape[1:])
        count += len(part)
    return count


def flat_values(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """All numbers of a column, of lists or not, one after the other."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    while pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type):
        values = values.flatten()
    return np.from_dlpack(values)  # no copy; `to_numpy` would import pandas, 0.3 s and 30 MB


def recording_summary(path: Path | str) -> dict[str, Any]:
    """What a run recorded: its steps, what is missing or twice in them, segments, bytes, and cut tails."""
    recording = Recording(path)
    files = [pa.memory_map(str(path)) for table in TABLES for _, path in recording.run.segments(table)]
    for file in files:
        deque(whole_batches(file), maxlen=0)
    step = recording.steps.step
    return {
        "first_step": int(step[0]),
        "last_step": int(step[-1]),
        "steps": len(step),
        "probes": len(recording.table("probes")),
        "node_snapshots": len(pc.unique(recording.table("nodes")["step"])),
        "bytes": sum(file.size() for file in files),
        "segments": len(recording.run.segments("steps")),
        "missing_steps": int(step[-1] - step[0] + 1 - len(np.unique(step))),
        "duplicate_steps": len(step) - len(np.unique(step)),
        "dropped_tail_bytes": sum(file.size() - file.tell() for file in files),
    }
