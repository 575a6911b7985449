"""The recording of a run: rows -> Arrow IPC streams, and back to arrays.

Eight tables, each a row per event: `steps` (the head after every optimizer step), `probes` (a
tracked sample's logits), `nodes` (a tracked sample's activations at the hooked sites), `lens` (the
head on each layer's output), `layers` (the gradient's norm in each part of the model), `questions`
(how each window of a batch did), `ledger` (what each part did to a tracked sample's loss), and
`pointers` (what each window of a batch did to it). Step k means: after k optimizer steps. Every
start or resume opens new segments named by their first step; a later one wins from that step on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from huggin.common.errors import BadValue, Damaged, UserError
from huggin.common.site import Place, Site
from huggin.common.window import Window
from huggin.recording.run_facts import read_facts
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import (
    LOGITS,
    NUMBERS_OF_STEPS,
    OF_A_WINDOW,
    RUN,
    SINCE,
    by_row,
    columns_of_windows,
    flat_values,
    schemas,
)

PART = 64  # rows of steps that are held as Arrow's objects at a time
LARGEST = float(np.finfo(np.float32).max)  # losses and norms are computed in float32
NOT_OURS = "the file is damaged or of another run; delete it, or record the run again"


def whole_batches(source: pa.MemoryMappedFile) -> Iterator[pa.RecordBatch]:
    """The complete record batches of a stream; a truncated tail is ignored.

    `source` is left just behind the last one.
    """
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


@dataclass(frozen=True)
class LensLogits:
    """What the QA head makes of each layer's output, for one tracked sample; first axis = probes.

    Layer 0 is the embeddings' output, the last row is the model's own answer.
    """

    step: np.ndarray  # (probes,)
    start_logits: np.ndarray  # (probes, layers + 1, tokens) float16
    end_logits: np.ndarray  # (probes, layers + 1, tokens) float16


@dataclass(frozen=True)
class PartNorms:
    """The Euclidean norm of the gradient in each part of the model, before clipping."""

    step: np.ndarray  # (steps,) int64, from 1 on
    norms: np.ndarray  # (steps, parts) float32; NaN if unknown, 0 in a part that is frozen
    parts: list[str]  # names, in the order of a forward pass


@dataclass(frozen=True)
class TrainedWindows:
    """How each window did in the batch that led to a step, in train mode; first axis = windows."""

    step: np.ndarray  # (windows,) int64
    index: np.ndarray  # (windows,) int32 of the question in the data
    window: np.ndarray  # (windows,) int16 of the question's context, 0 = the first
    start_loss: np.ndarray  # (windows,) float32 cross-entropy in nats
    end_loss: np.ndarray  # (windows,) float32
    right: np.ndarray  # (windows,) bool: the highest start and end logit are the labels


@dataclass(frozen=True)
class Credits:
    """What each place of the model did to a tracked sample's loss since the probe before; nats."""

    step: np.ndarray  # (rows,) int64, of the probe
    credits: np.ndarray  # (rows, places) float32
    gap: np.ndarray  # (rows,) float32: the change of the loss less its credits
    coarse: np.ndarray  # (rows, places) float32, since two probes before; NaN at odd probes
    places: list[Place]


class Recording:
    """A run's recording, read on demand. Raises UserError where nothing is recorded."""

    def __init__(self, path: Path | str) -> None:
        self.run = RunFolder(Path(path))
        if not self.run.path.is_dir():
            raise UserError(f"{path}: no such folder; give a run's folder, cfg.json's output_dir")
        self.facts = read_facts(self.run)

    @property
    def cfg(self) -> dict[str, Any]:
        """The keys of the run; where it kept the texts of its questions itself, they name these."""
        if not self.run.texts.is_file():
            return self.facts.cfg
        own = {"train_file": str(self.run.texts), "version_2_with_negative": True}
        return self.facts.cfg | own

    def rows(self, name: str) -> Iterator[pa.RecordBatch]:
        """The rows of a table in order, each step once.

        Where segments overlap, the later one replaces the earlier from its first step on.
        Raises UserError for a segment that is not of this run, or whose steps go backwards.
        """
        segments = self.run.segments(name)
        ends = [first_step for first_step, _ in segments[1:]] + [None]
        for (first_step, path), end in zip(segments, ends):
            for row in self._rows_of(name, path, first_step):
                if end is not None and row["step"][0].as_py() >= end:
                    break
                yield row

    def _rows_of(self, name: str, path: Path, first_step: int) -> Iterator[pa.RecordBatch]:
        """The whole rows of one segment, checked."""
        schema = schemas(self.facts.hidden_size)[name]
        before = None
        is_single = name == "steps"  # which alone has a single row per step
        with pa.memory_map(str(path)) as source:
            for row in whole_batches(source):
                if before is None and not row.schema.equals(schema):
                    raise Damaged(f"{path}: its columns are not those of this run; {NOT_OURS}")
                run_id = (row.schema.metadata or {}).get(RUN, b"").decode("utf-8", "replace")
                # A segment without an id may be an older one.
                if before is None and run_id not in ("", self.facts.run_id):
                    raise Damaged(f"{path}: recorded in another run; {NOT_OURS}")
                for step in row["step"].to_pylist():
                    if before is None and (step < first_step or is_single and step > first_step):
                        what = f"begins with step {step}, its name says {first_step}"
                        raise Damaged(f"{path}: {what}; {NOT_OURS}")
                    if before is not None and (step < before or is_single and step == before):
                        raise Damaged(f"{path}: step {step} comes after step {before}; {NOT_OURS}")
                    before = step
                yield row

    def table(self, name: str) -> pa.Table:
        """The rows of a table, joined.

        Arrow's objects for a row take 4 KB beside its numbers.
        """
        return pa.Table.from_batches(self.rows(name), schemas(self.facts.hidden_size)[name])

    @cached_property
    def steps(self) -> Steps:
        """Every recorded step as arrays."""
        numbers = dict.fromkeys(NUMBERS_OF_STEPS, np.dtype(np.float64))
        weight = np.dtype((np.float32, (2, self.facts.hidden_size)))
        bias = np.dtype((np.float32, 2))
        types = {"step": np.dtype(np.int64), **numbers, "weight": weight, "bias": bias}
        size = sum(path.stat().st_size for _, path in self.run.segments("steps"))
        # An upper bound on the rows; pages that are never written cost no memory.
        room = size // sum(kind.itemsize for kind in types.values())
        arrays = {name: np.empty(room, kind) for name, kind in types.items()}
        count = 0
        # Rows that are appended while we read are for the next reading.
        for part in map(pa.concat_batches, in_parts(islice(self.rows("steps"), room))):
            for name, array in arrays.items():
                some = flat_values(part[name]).reshape(-1, *array.shape[1:])
                array[count : count + len(part)] = some
            count += len(part)
        if count == 0:
            self._say_empty("no steps recorded")
        arrays = {name: array[:count] for name, array in arrays.items()}
        self._refuse_absurd("steps", {name: arrays[name] for name in NUMBERS_OF_STEPS})
        return Steps(**arrays)

    def _say_empty(self, what: str) -> NoReturn:
        raise UserError(f"{self.run.recording}: {what}; run get-training-output first")

    def _refuse_absurd(self, table: str, columns: dict[str, np.ndarray]) -> None:
        """Raise UserError for numbers that no training can have."""
        for name, values in columns.items():
            wrong = values[np.isfinite(values) & (np.abs(values) > LARGEST)]
            if len(wrong):
                what = f"{table}: {name}: {wrong[0]:g} is more than float32 can hold"
                advice = "the file is damaged, record the run again"
                raise Damaged(f"{self.run.recording}: {what}; {advice}")

    def tracked(self, sample: int = 0) -> Window:
        """A tracked sample. Raises UserError if there is none of that number."""
        samples = self.facts.samples
        if not 0 <= sample < len(samples):
            last = len(samples) - 1
            known = f"{self.run.path} tracks " + (f"0 to {last}" if samples else "no sample")
            raise BadValue("sample", sample, known)
        return samples[sample]

    def probes(self, sample: int = 0) -> Probes:
        """The probes of one tracked sample as arrays. Raises UserError if there are none."""
        tokens = len(self.tracked(sample).tokens)
        table = self._table("probes", sample, start_logits=tokens, end_logits=tokens)
        logits = {name: by_row(table[name]) for name in LOGITS}
        others = set(table.column_names) - {"sample", *LOGITS}
        numbers = {name: flat_values(table[name]) for name in others}
        losses = {name: numbers[name] for name in ("start_loss", "end_loss")}
        self._refuse_absurd("probes", losses)
        return Probes(**numbers, **logits)

    def nodes(self, step: int, sample: int = 0) -> dict[Site, np.ndarray]:
        """A tracked sample's activations (tokens, hidden) by site.

        Raises BadValue for a step without a snapshot.
        """
        table = self.table("nodes")
        places = zip(table["step"].to_pylist(), table["sample"].to_pylist())
        rows = [row for row, place in enumerate(places) if place == (step, sample)]
        if not rows:
            steps = ", ".join(map(str, pc.unique(table["step"]).to_pylist()))
            known = f"no snapshot of the nodes; there are some at {steps or 'no step'}"
            raise BadValue("step", step, known)
        return site_activations(table.take(rows))

    def head_inputs(self, sample: int = 0) -> dict[int, np.ndarray]:
        """What the head received (tokens, hidden), float16, by the step of each snapshot.

        That is the last layer's output, unless the model transforms it before its head.
        """
        table = self.table("nodes")
        table = table.filter(pc.equal(table["sample"], sample))
        inputs = table.filter(pc.equal(table["component"], "head"))
        table = inputs if len(inputs) else table.filter(pc.equal(table["component"], "out"))
        if len(table) == 0:
            self._say_empty(f"no nodes of sample {sample}")
        table = table.filter(pc.equal(table["layer"], pc.max(table["layer"])))
        steps = table["step"].to_pylist()
        return {
            step: next(iter(site_activations(table.slice(row, 1)).values()))
            for row, step in enumerate(steps)
        }

    def lens(self, sample: int = 0) -> LensLogits:
        """The head on every layer's output at each probe of a tracked sample.

        Raises UserError if the table is not there.
        """
        layers = self.facts.layers + 1
        tokens = len(self.tracked(sample).tokens)
        table = self._table("lens", sample, start_logits=tokens, end_logits=tokens)
        if len(table) % layers:
            raise Damaged(f"{self.run.recording}: lens: a probe lacks a layer; {NOT_OURS}")
        logits = {name: by_row(table[name]).reshape(-1, layers, tokens) for name in LOGITS}
        return LensLogits(flat_values(table["step"])[::layers], **logits)

    @cached_property
    def layers(self) -> PartNorms:
        """The gradients' norms by part. Raises UserError if the table is not there."""
        table = self._table("layers", norms=len(self.facts.parts))
        return PartNorms(flat_values(table["step"]), by_row(table["norms"]), self.facts.parts)

    @cached_property
    def questions(self) -> TrainedWindows:
        """Every window that was trained on, batch by batch.

        Raises UserError if there is no table.
        """
        table = self._table("questions")
        sizes = flat_values(pc.list_value_length(table["windows"]))
        if (sizes % len(OF_A_WINDOW)).any():
            raise Damaged(f"{self.run.recording}: questions: half a window; {NOT_OURS}")
        steps = np.repeat(flat_values(table["step"]), sizes // len(OF_A_WINDOW))
        return TrainedWindows(step=steps, **columns_of_windows(flat_values(table["windows"])))

    @cached_property
    def pointers(self) -> np.ndarray:
        """How each window of `questions` pushed the samples: (windows, 1 + samples) float32.

        First the norm of its own gradient by the head's weight, then by how many nats it lowered
        the loss of each tracked sample through the head; NaN where that was not recorded.
        Raises UserError if the table is not there.
        """
        table = self._table("pointers")
        windows = (len(self.questions.step), 1 + len(self.facts.samples))
        pushes = np.full(windows, np.nan, np.float32)
        is_known = np.isin(self.questions.step, flat_values(table["step"]))
        values = flat_values(table["windows"])
        if values.size != pushes[is_known].size:
            problem = "pointers: not of the windows in questions"
            raise Damaged(f"{self.run.recording}: {problem}; {NOT_OURS}")
        pushes[is_known] = values.reshape(-1, windows[1])
        return pushes

    def ledger(self, sample: int = 0) -> Credits:
        """The ledger of a tracked sample. Raises UserError if the table is not there."""
        places = self.facts.places
        table = self._table("ledger", sample, credits=len(places))
        credits = by_row(table["credits"])
        coarse = np.full(credits.shape, np.nan, np.float32)
        is_even = flat_values(pc.list_value_length(table["coarse"])) > 0
        coarse[is_even] = flat_values(table["coarse"]).reshape(-1, len(places))
        gap = flat_values(table["gap"])
        return Credits(flat_values(table["step"]), credits, gap, coarse, places)

    def has(self, table: str) -> bool:
        """Whether the recording has rows of a table."""
        return next(self.rows(table), None) is not None

    def _table(self, name: str, sample: int | None = None, **sizes: int) -> pa.Table:
        """The rows of a table, copied PART at a time; those of a tracked sample if one is named.

        sizes: how many numbers each list of a column has. Raises UserError if there are no rows,
        or lists of another size.
        """
        if not self.has(name):
            raise UserError(f"{self.run.recording}: no table {name}: {self._why_without(name)}")
        parts: Iterator[pa.RecordBatch] = map(pa.concat_batches, in_parts(self.rows(name)))
        if sample is not None:
            self.tracked(sample)
            parts = (part.filter(pc.equal(part["sample"], sample)) for part in parts)
        table = pa.Table.from_batches(parts, schemas(self.facts.hidden_size)[name])
        what = name if sample is None else f"{name} of sample {sample}"
        if not len(table):
            self._say_empty(f"no {what}")
        for column, size in sizes.items():
            if set(pc.unique(pc.list_value_length(table[column])).to_pylist()) != {size}:
                problem = f"{what}: {column} are not {size} numbers"
                raise Damaged(f"{self.run.recording}: {problem}; {NOT_OURS}")
        return table

    def _why_without(self, name: str) -> str:
        if self.facts.schema_version < SINCE[name]:
            return "an older version of the toolkit recorded this run; train again to have it"
        if name == "lens" and not self.facts.has_lens:
            return "the head of this model cannot be applied to the output of every layer"
        if name == "ledger" and not self.facts.ledger_points:
            return "it was trained with ledger_points 0"
        if name == "pointers":
            return "it was trained with pointers false, or before the toolkit recorded them"
        if name == "questions":
            return "nothing said which questions were trained on; docs/python.md says how"
        return "nothing has been recorded yet"


def in_parts(rows: Iterator[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Rows, PART at a time."""
    while some := list(islice(rows, PART)):
        yield some


def site_activations(table: pa.Table) -> dict[Site, np.ndarray]:
    """Rows of layer, component and activations -> (tokens, hidden) float16 by site."""
    hidden = table.schema.field("activations").type.value_type.list_size
    sites = map(Site, table["layer"].to_pylist(), table["component"].to_pylist())
    values = (
        flat_values(table["activations"].slice(row, 1)).reshape(-1, hidden)
        for row in range(len(table))
    )
    return dict(zip(sites, values, strict=True))
