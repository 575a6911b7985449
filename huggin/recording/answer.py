"""One answer from the inside <-> RUN/recording/answers-N.arrow.

An answer comes with what the hooks saw while the model gave it.
"""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, TypeAdapter, ValidationError

from huggin.common.errors import UserError
from huggin.common.files import replacing
from huggin.common.site import Site
from huggin.common.text import one_line
from huggin.common.window import Window
from huggin.recording.reader import site_activations
from huggin.recording.run_facts import AtLeastZero, first_problem
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import LOGITS, column_of, flat_values, schemas

ROUNDING = 1e-6  # of a sum of probabilities in float32
ROUNDING_OF_HALF = 0.05  # of a sum of attention weights in float16
COLUMNS = ("layer", "component", "activations")
ATTENTION = pa.list_(pa.float16())  # of a layer, flat; in the row of its self-attention
WINDOW = [each.name for each in fields(Window) if each.name not in ("inputs", "offsets")]


@dataclass(frozen=True)
class AnswerFacts:
    """A question's answer, and the window that it was given in."""

    state: str  # the model-type-state
    step: AtLeastZero
    window: Window  # without inputs and offsets
    answered: str
    right: bool | None  # None: a question of the user's own, to which no answer is given
    confidence: Annotated[float, Field(ge=0, le=1 + ROUNDING)]
    start: int  # first token of the model's answer
    end: int  # last token of the model's answer
    trained_on: bool = False  # whether the question is in the training data

    def __post_init__(self) -> None:
        """Raise ValueError for what cannot be true."""
        size = len(self.window.tokens)
        if not 0 <= self.start <= self.end < size:
            span = f"start {self.start}, end {self.end}"
            raise ValueError(f"{span}: not a span of the {size} tokens")

    @property
    def explained(self) -> Window:
        """The window; the model's own answer stands in it where no answer is given."""
        if self.right is not None:
            return self.window
        own = self.answered
        return replace(self.window, answer=own, gold_start=self.start, gold_end=self.end)


@dataclass(frozen=True)
class Attention:
    """From which tokens every attention head reads, at some tokens."""

    of: list[int]  # the tokens that read
    weights: np.ndarray  # (layers, heads, len(of), tokens) float16; each row adds up to 1

    def __post_init__(self) -> None:
        """Raise ValueError for tokens that are not there, and weights that are none."""
        size = self.weights.shape[-1]
        if not all(0 <= token < size for token in self.of):
            raise ValueError(f"attention_of: {self.of} are not among the {size} tokens")
        sums = self.weights.astype(np.float32).sum(axis=-1)
        if not np.all(np.abs(sums - 1) < ROUNDING_OF_HALF):
            raise ValueError("attention: weights that do not add up to 1")


@dataclass(frozen=True)
class AnswerInside:
    """An answer with what the hooks saw."""

    facts: AnswerFacts
    start_logits: np.ndarray  # (tokens,)
    end_logits: np.ndarray  # (tokens,)
    activations: dict[Site, np.ndarray]  # (tokens, hidden) float16
    attention: Attention | None = None  # None of an older version, or if the model gives none

    def __post_init__(self) -> None:
        """Raise ValueError for parts that are not of one window."""
        size = len(self.facts.window.tokens)
        if {len(self.start_logits), len(self.end_logits)} != {size}:
            raise ValueError(f"start_logits, end_logits: not one for each of the {size} tokens")
        for site, values in self.activations.items():
            if len(values) != size:
                rows = f"not one row for each of {size} tokens"
                raise ValueError(f"layer {site.layer}, {site.component}: {rows}")


def write_answer(run: RunFolder, answer: AnswerInside) -> Path:
    """Keep an answer beside the earlier ones; returns the file's path.

    The file has a row per site; the rest is JSON in the schema's metadata, the window's fields
    beside the answer's. The row of a layer's self-attention also has its attention weights.
    """
    hidden = next(iter(answer.activations.values())).shape[1]
    types = {field.name: field.type for field in schemas(hidden)["nodes"] if field.name in COLUMNS}
    types["attention"] = ATTENTION
    facts = {name: value for name, value in vars(answer.facts).items() if name != "window"}
    window = {name: getattr(answer.facts.window, name) for name in WINDOW if name != "answer"}
    shared = {**facts, **window, "expected": answer.facts.window.answer}
    shared |= {name: getattr(answer, name).tolist() for name in LOGITS}
    shared["attention_of"] = answer.attention.of if answer.attention else []
    schema = pa.schema(types, metadata={"answer": json.dumps(shared)})
    newest = max((number for number, _ in run.segments("answers")), default=0)
    path = run.segment("answers", newest + 1)
    with replacing(path) as beside, pa.ipc.new_stream(str(beside), schema) as stream:
        for site, values in answer.activations.items():
            columns = map(column_of, (site.layer, site.component, values), types.values())
            weights = None  # (heads x tokens that read x tokens,)
            if answer.attention and site.component == "self":
                weights = answer.attention.weights[site.layer - 1].ravel()
            attention = pa.array([weights], ATTENTION)
            stream.write_batch(pa.record_batch([*columns, attention], schema=schema))
    return path


def read_answer(run: RunFolder) -> AnswerInside:
    """The newest answer. Raises UserError if none is kept, or the file is damaged."""
    kept = run.segments("answers")
    if not kept:
        raise UserError(f"{run.recording}: no answer kept; run get-model-output first")
    path = kept[-1][1]
    try:
        return _read(path)
    except ValidationError as error:
        problem = first_problem(error)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        problem = one_line(error)
    raise UserError(f"{path}: not readable: {problem}; run get-model-output again")


def _read(path: Path) -> AnswerInside:
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_stream(source).read_all()
    shared = TypeAdapter(dict[str, Any]).validate_json(table.schema.metadata[b"answer"])
    numbers = TypeAdapter(list[float])
    logits = {
        name: np.array(numbers.validate_python(shared.pop(name)), np.float32) for name in LOGITS
    }
    shared["answer"] = shared.pop("expected")
    readers = TypeAdapter(list[int]).validate_python(shared.pop("attention_of", []))
    shared["window"] = {name: shared.pop(name) for name in WINDOW}
    # `strict` for JSON takes lists of lists as the tuples that they were.
    facts = TypeAdapter(AnswerFacts).validate_json(json.dumps(shared), strict=True)
    attention = _attention_in(table, readers, len(facts.window.tokens)) if readers else None
    return AnswerInside(facts, **logits, activations=site_activations(table), attention=attention)


def _attention_in(table: pa.Table, readers: list[int], tokens: int) -> Attention:
    """The attention weights in a table's rows."""
    kept = table.filter(pc.is_valid(table["attention"]))
    layers = kept["layer"].to_pylist()
    if layers != list(range(1, len(layers) + 1)) or not layers:
        raise ValueError("attention: not of each layer once")
    weights = flat_values(kept["attention"])
    if weights.size % (len(layers) * len(readers) * tokens):
        raise ValueError(f"attention: not one for each of the {tokens} tokens")
    weights = weights.reshape(len(layers), -1, len(readers), tokens)
    return Attention(readers, weights)
