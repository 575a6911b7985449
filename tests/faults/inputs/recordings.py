"""Bad inputs of tests/faults: damaged recordings, measurements and answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from huggin.recording.schema import schemas
from tests.faults.inputs.base import (
    FACTS,
    HOSTILE,
    HUGE,
    Fault,
    Prepare,
    both,
    removing,
    writing,
    writing_bytes,
    writing_table,
    writing_text,
)

LATER = ("trained_on", "parts", "loss", "loss_error", "run_id")  # keys of a measurement
READERS = (
    ("graph-losses.py", "run"),
    ("graph-weights.py", "run"),
    ("graph-logits.py", "run"),
    ("graph-node-logits.py", "run", "--share"),
    ("create-gv-training.py", "run"),
    ("huggin_utils.py", "run"),
)


def of_run_json(base: Path) -> Iterator[Fault]:
    """Fields of run.json that are missing, of another type, or do not fit together."""
    facts = json.loads((base / "run" / "recording" / "run.json").read_text())
    changes = [*_wrong_types(facts), *_that_do_not_fit(facts)]
    for number, (name, changed) in enumerate(changes):
        reader = READERS[number % len(READERS)]
        yield Fault("run.json", f"{name}, {reader[0]}", reader, writing(FACTS, changed))
    for name, text in (
        ("empty", ""),
        ("half", json.dumps(facts)[:200]),
        ("a list", "[]"),
        ("deep", "[" * 100_000),
        ("newer", json.dumps(facts | {"schema_version": 99})),
        ("not UTF-8", "\udcff"),
    ):
        for reader in READERS[:2]:
            yield Fault("run.json", f"{name}, {reader[0]}", reader, writing_text(FACTS, text))


_WRONG: dict[type, tuple[Any, ...]] = {
    str: (None, 7, []),
    int: (None, "x", -1, 1e308),
    bool: (None, "x"),
    list: (None, {}, "x"),
    dict: (None, [], "x"),
}
_OPTIONAL = ("seed", "versions", "fixed", "cfg", "schema_version", "inputs", "offsets", "run_id")
_OF_SCHEMA_2 = (
    "parts",
    "places",
    "ledger_points",
    "n_best_size",
    "max_answer_length",
    "has_lens",
)  # older runs lack them


def _wrong_types(facts: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in facts.items():
        if key in _OPTIONAL:
            continue
        if key not in _OF_SCHEMA_2:
            yield f"no {key}", {name: kept for name, kept in facts.items() if name != key}
        for wrong in _WRONG[type(value)]:
            yield f"{key} {wrong!r}", facts | {key: wrong}
    sample = facts["samples"][0]
    for key, value in sample.items():
        if key in _OPTIONAL:
            continue
        for wrong in _WRONG[type(value)]:
            yield f"samples.0.{key} {wrong!r}", facts | {"samples": [sample | {key: wrong}]}


def _that_do_not_fit(facts: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    sample = facts["samples"][0]
    size = len(sample["tokens"])
    for name, change in (
        ("gold end before start", {"gold_start": 5, "gold_end": 4}),
        ("gold beyond the tokens", {"gold_start": 1, "gold_end": size}),
        ("too few tokens", {"tokens": sample["tokens"][:3]}),
        ("too few parts", {"parts": sample["parts"][:3]}),
        ("no tokens", {"tokens": [], "parts": []}),
        ("an unknown part", {"parts": ["answer"] * size}),
    ):
        yield name, facts | {"samples": [sample | change]}
    site = facts["sites"][0]
    for name, change in (
        ("hidden_size of another run", {"hidden_size": 8}),
        ("hidden_size 0", {"hidden_size": 0}),
        ("hidden_size huge", {"hidden_size": HUGE}),
        ("layers 0", {"layers": 0}),
        ("a site twice", {"sites": [site, site]}),
        ("a site beyond the layers", {"sites": [site | {"layer": 9}]}),
        ("an unknown component", {"sites": [site | {"component": HOSTILE}]}),
    ):
        yield name, facts | change


# Segments


def of_segments(base: Path) -> Iterator[Fault]:
    """Segments that are of another run, go backwards, or hold what no training gives."""
    recording = base / "run" / "recording"
    for table, reader in (
        ("steps", READERS[0]),
        ("probes", READERS[2]),
        ("nodes", READERS[3]),
        ("steps", READERS[4]),
        ("probes", READERS[4]),
    ):
        path = f"run/recording/{table}-0.arrow"
        rows = pa.ipc.open_stream(recording / f"{table}-0.arrow").read_all()
        # a file without a single whole row counts as none: what it lacks is named and left out
        codes = frozenset({0, 2}) if (table, reader) == ("probes", READERS[4]) else frozenset({2})
        for name, prepare in _broken_tables(table, path, rows):
            allowed = codes if name == "of another hidden size" else frozenset({2})
            yield Fault("segments", f"{table} {name}, {reader[0]}", reader, prepare, allowed)
        content = (recording / f"{table}-0.arrow").read_bytes()
        for share in (0, 0.1, 0.5, 0.9):
            half = content[: int(len(content) * share)]
            prepare = writing_bytes(path, half)
            name = f"{table} cut at {share:.0%}, {reader[0]}"
            yield Fault("segments", name, reader, prepare, frozenset({0, 2}))
        noise = np.random.default_rng(0).bytes(5000)
        yield Fault("segments", f"{table} noise", reader, writing_bytes(path, noise), codes)


def _broken_tables(table: str, path: str, rows: pa.Table) -> Iterator[tuple[str, Prepare]]:
    yield "of another hidden size", writing_table(path, _of_size(table, 8))
    other = rows.replace_schema_metadata({"run": "another"})
    yield "of another run", writing_table(path, other)
    yield "without a column", writing_table(path, rows.drop_columns([rows.column_names[-1]]))
    yield "backwards", writing_table(path, rows.take(list(reversed(range(len(rows))))))
    late = path.replace("-0.arrow", "-5.arrow")
    yield "named by another step", both(writing_table(late, rows), removing(path))
    for column in ("loss", "grad_norm", "start_loss", "end_loss"):
        if column in rows.column_names:
            at = rows.column_names.index(column)
            absurd = rows.set_column(at, column, pa.array([1e308] * len(rows), pa.float64()))
            yield f"{column} 1e308", writing_table(path, absurd)


def _of_size(table: str, hidden: int) -> pa.Table:
    return schemas(hidden)[table].empty_table() if table == "probes" else _zeros(table, hidden)


def _zeros(table: str, hidden: int) -> pa.Table:
    row: dict[str, Any] = {"step": 0, "epoch": 0.0, "loss": 1.0, "learning_rate": 1.0}
    row |= {"grad_norm": 1.0, "weight": [0.0] * 2 * hidden, "bias": [0.0, 0.0]}
    row |= {"sample": 0, "layer": 2, "component": "out"}
    row |= {"activations": [[np.float16(0)] * hidden] * 3}
    schema = schemas(hidden)[table]
    return pa.Table.from_pylist([{name: row[name] for name in schema.names}], schema)


# efficacy.json and answers


def of_measurements(base: Path) -> Iterator[Fault]:
    """Measurements in efficacy.json that cannot be true."""
    entry = json.loads((base / "run" / "efficacy.json").read_text())[0]
    reader = ("graph-efficacy", "run")
    path = "run/efficacy.json"
    for key, value in entry.items():
        for wrong in (None, "x" if not isinstance(value, str) else 3, -1, [5]):
            if key == "loss" and wrong is None:  # it was not measured
                continue
            changed = [entry | {key: wrong}]
            yield Fault("efficacy.json", f"{key} {wrong!r}", reader, writing(path, changed))
        if key not in LATER:  # older measurements lack them
            less = [{name: kept for name, kept in entry.items() if name != key}]
            yield Fault("efficacy.json", f"no {key}", reader, writing(path, less))
    for name, change in (
        ("more right than asked", {"correct": 9, "asked": 2}),
        ("none asked", {"correct": 0, "asked": 0}),
        ("more than 100 %", {"exact_match": 101.0}),
        ("interval upside down", {"f1_interval": [9.0, 1.0]}),
        ("interval beyond 100", {"f1_interval": [9.0, 1000.0]}),
    ):
        yield Fault("efficacy.json", name, reader, writing(path, [entry | change]))
    for text in ("", "{}", "[[]]", "null", "[1"):
        yield Fault("efficacy.json", f"{text!r}", reader, writing_text(path, text))


def of_answers(base: Path) -> Iterator[Fault]:
    """An answer from the inside whose parts do not fit."""
    path = "run/recording/answers-1.arrow"
    table = pa.ipc.open_stream(base / path).read_all()
    facts = json.loads(table.schema.metadata[b"answer"])
    size = len(facts["tokens"])
    changes: list[tuple[str, dict[str, Any]]] = [
        (f"{key} {wrong!r}", {key: wrong})
        for key, value in facts.items()
        for wrong in _WRONG.get(type(value), (None, "x"))[:3]
    ]
    changes += [
        ("end before start", {"start": 3, "end": 2}),
        ("beyond the tokens", {"start": size, "end": size}),
        ("too few tokens", {"tokens": facts["tokens"][:2]}),
        ("too few logits", {"start_logits": [0.0]}),
        ("confidence 7", {"confidence": 7.0}),
    ]
    for number, (name, change) in enumerate(changes):
        reader = ("graph-node-logits.py", "create-gv-output.py")[number % 2]
        metadata = {"answer": json.dumps(facts | change)}
        prepare = writing_table(path, table.replace_schema_metadata(metadata))
        yield Fault("answers", f"{name}, {reader}", (reader, "run"), prepare)
