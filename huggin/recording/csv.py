"""Write a table of a recording as CSV, in chunks.

List columns become columns and rows of their own; every number is read back exactly as it was.
"""

from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import CSVWriter

from huggin.common.errors import UserError
from huggin.common.progress import progress
from huggin.common.site import Place
from huggin.recording.reader import Recording, columns_of_windows, flat_values
from huggin.recording.schema import OF_A_WINDOW

NAMES = ("part", "module")  # of a place, in the table ledger
PART = {  # rows that are held in memory at a time
    "steps": 256,
    "probes": 64,
    "nodes": 4,
    "lens": 64,
    "layers": 256,
    "questions": 256,
    "ledger": 64,
}


def write_csv(recording: Recording, name: str, sink: IO[bytes]) -> None:
    """Write a table as `flat_table` has it, with a header.

    Raises UserError if the table is empty.
    """
    table = recording.table(name)
    facts = recording.facts
    parts = facts.places if name == "ledger" else facts.parts
    if not len(table):
        what = f"{recording.run.recording}: no {name} recorded"
        raise UserError(f"{what}; run get-training-output first")
    schema = flat_table(name, table.slice(0, 1), parts).schema
    shown = progress(total=len(table), label=f"{name} as CSV", unit="rows")
    with shown, CSVWriter(sink, schema) as writer:
        for begin in range(0, len(table), PART[name]):
            # Arrow would write a table of one chunk per row a row at a time, which is slow.
            part = table.slice(begin, PART[name]).combine_chunks()
            writer.write_table(flat_table(name, part, parts))
            shown.update(len(part))


def flat_table(name: str, table: pa.Table, parts: Sequence[Any] = ()) -> pa.Table:
    """Rows of `name` without lists.

    steps: a row per step, with start_weight_N and end_weight_N for node N.
    probes: a row per probe and token.
    nodes: a row per snapshot, site and token, with node_N.
    lens: a row per probe, layer and token.
    layers: a row per step, with a column for each of `parts`, the model's parts.
    questions: a row per step and window of its batch.
    ledger: a row per probe and place, of which `parts` has part and module, and one for the gap: so
    the rows of a probe add up to the change of the loss.
    """
    if name == "ledger":
        places = [*parts, Place("gap", "gap")]
        credits = np.column_stack([_by_row(table["credits"]), flat_values(table["gap"])])
        rows = np.repeat(np.arange(len(table)), len(places))
        named = {key: [vars(place)[key] for place in places] * len(table) for key in NAMES}
        return _joined(
            table.select(["step", "sample"]).take(rows), {**named, "credit": credits.ravel()}
        )
    if name == "layers":
        return _joined(
            table.drop_columns(["norms"]), _columns(list(parts), _by_row(table["norms"]))
        )
    if name == "questions":
        sizes = pc.list_value_length(table["windows"]).to_numpy() // len(OF_A_WINDOW)
        rows = np.repeat(np.arange(len(table)), sizes)
        windows = columns_of_windows(flat_values(table["windows"]))
        return _joined(table.select(["step"]).take(rows), windows)
    if name == "steps":
        weights = _by_row(table["weight"])
        bias = _by_row(table["bias"])
        halves = [
            f"{head}_weight_{node}"
            for head in ("start", "end")
            for node in range(weights.shape[1] // 2)
        ]
        wide = {**_columns(halves, weights), **_columns(["start_bias", "end_bias"], bias)}
        return _joined(table.drop_columns(["weight", "bias"]), wide)
    if name in ("probes", "lens"):
        logits = {
            f"{head}_logit": flat_values(table[f"{head}_logits"]) for head in ("start", "end")
        }
        rows, tokens = _by_token(table["start_logits"])
        return _joined(
            table.drop_columns(["start_logits", "end_logits"]).take(rows),
            {"token": tokens, **logits},
        )
    rows, tokens = _by_token(table["activations"])
    nodes = flat_values(table["activations"]).reshape(len(rows), -1)
    names = [f"node_{node}" for node in range(nodes.shape[1])]
    return _joined(
        table.drop_columns(["activations"]).take(rows), {"token": tokens, **_columns(names, nodes)}
    )


def _by_row(column: pa.ChunkedArray) -> np.ndarray:
    return flat_values(column).reshape(len(column), -1)


def _by_token(lists: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """For each token of each list: its list's row, and its place in it."""
    lengths = pc.list_value_length(lists).to_numpy()
    places = [np.arange(length) for length in lengths]
    return np.repeat(np.arange(len(lengths)), lengths), np.concatenate(places)


def _columns(names: list[str], values: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values[:, place] for place, name in enumerate(names)}


def _joined(table: pa.Table, more: dict[str, Any]) -> pa.Table:
    return pa.table({**{name: table[name] for name in table.column_names}, **more})
