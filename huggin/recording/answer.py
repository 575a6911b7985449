"""One answer from the inside <-> RUN/recording/answers-N.arrow.

An answer comes with what the hooks saw while the model gave it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from huggin.common.errors import UserError
from huggin.common.files import replacing
from huggin.common.site import Site
from huggin.common.text import one_line
from huggin.common.window import Window
from huggin.recording.checks import problem_with_window
from huggin.recording.reader import site_activations
from huggin.recording.run_facts import first_problem
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import column_of, schemas

ROUNDING = 1e-6  # of a sum of probabilities in float32
COLUMNS = ("layer", "component", "activations")
WINDOW = (
    "index",
    "question",
    "context",
    "answer",
    "tokens",
    "parts",
    "gold_start",
    "gold_end",
)


@dataclass(frozen=True)
class AnswerFacts:
    """A question's answer, and the window that it was given in."""

    state: str  # the model-type-state
    step: int
    window: Window  # without inputs and offsets
    answered: str
    right: bool
    confidence: float
    start: int  # first token of the model's answer
    end: int  # last token of the model's answer
    trained_on: bool = False  # whether the question is in the training data


@dataclass(frozen=True)
class AnswerInside:
    """An answer with what the hooks saw."""

    facts: AnswerFacts
    start_logits: np.ndarray  # (tokens,)
    end_logits: np.ndarray  # (tokens,)
    activations: dict[Site, np.ndarray]  # (tokens, hidden) float16


def write_answer(run: RunFolder, answer: AnswerInside) -> Path:
    """Keep an answer beside the earlier ones; returns the file's path.

    The file has a row per site; the rest is JSON in the schema's metadata.
    """
    hidden = next(iter(answer.activations.values())).shape[1]
    fields = {field.name: field.type for field in schemas(hidden)["nodes"] if field.name in COLUMNS}
    schema = pa.schema(fields, metadata={"answer": json.dumps(_as_json(answer))})
    newest = max((number for number, _ in run.segments("answers")), default=0)
    path = run.segment("answers", newest + 1)
    with replacing(path) as beside, pa.ipc.new_stream(str(beside), schema) as stream:
        for site, values in answer.activations.items():
            columns = map(column_of, (site.layer, site.component, values), fields.values())
            stream.write_batch(pa.record_batch(list(columns), schema=schema))
    return path


def _as_json(answer: AnswerInside) -> dict[str, Any]:
    """All but the activations; the window's fields stand beside the answer's."""
    facts = {name: value for name, value in vars(answer.facts).items() if name != "window"}
    window = {name: getattr(answer.facts.window, name) for name in WINDOW if name != "answer"}
    logits = {
        "start_logits": answer.start_logits.tolist(),
        "end_logits": answer.end_logits.tolist(),
    }
    return {**facts, **window, "expected": answer.facts.window.answer, **logits}


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
    except _Damaged as error:
        problem = str(error)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        problem = one_line(error)
    raise UserError(f"{path}: not readable: {problem}; run get-model-output again")


class _Damaged(Exception):
    """The parts of an answer do not fit together; the text says which."""


def _read(path: Path) -> AnswerInside:
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_stream(source).read_all()
    shared = TypeAdapter(dict[str, Any]).validate_json(table.schema.metadata[b"answer"])
    logits = {name: _numbers(shared.pop(name)) for name in ("start_logits", "end_logits")}
    shared["answer"] = shared.pop("expected")
    shared["window"] = {name: shared.pop(name) for name in WINDOW}
    # `strict` for JSON takes lists of lists as the tuples that they were.
    facts = TypeAdapter(AnswerFacts).validate_json(json.dumps(shared), strict=True)
    answer = AnswerInside(facts, **logits, activations=site_activations(table))
    if problem := _problem_with(answer):
        raise _Damaged(problem)
    return answer


def _numbers(values: Any) -> np.ndarray:
    return np.array(TypeAdapter(list[float]).validate_python(values), dtype=np.float32)


def _problem_with(answer: AnswerInside) -> str | None:
    """What does not fit together in an answer, in words, or None."""
    facts = answer.facts
    size = len(facts.window.tokens)
    if problem := problem_with_window(facts.window):
        return problem
    if {len(answer.start_logits), len(answer.end_logits)} != {size}:
        return f"start_logits, end_logits: not one for each of the {size} tokens"
    if not 0 <= facts.start <= facts.end < size:
        return f"start {facts.start}, end {facts.end}: not a span of the {size} tokens"
    if facts.confidence < 0 or facts.confidence > 1 + ROUNDING:
        return f"confidence: {facts.confidence:g} is not from 0 to 1"
    if facts.step < 0:
        return f"step: {facts.step} is negative"
    for site, values in answer.activations.items():
        if len(values) != size:
            return f"layer {site.layer}, {site.component}: not one row for each of {size} tokens"
    return None
