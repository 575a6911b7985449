"""One answer from the inside: what passed through the model when it was given -> RUN/recording/answers-N.arrow."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from huggin.common.errors import UserError
from huggin.common.files import replacing
from huggin.common.site import Site
from huggin.common.text import one_line
from huggin.common.window import Window
from huggin.recording.reader import site_activations
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import column_of, schemas

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
    """Keep an answer beside the earlier ones; the file's path. A row per site, the rest in the schema's metadata."""
    hidden = next(iter(answer.activations.values())).shape[1]
    fields = {field.name: field.type for field in schemas(hidden)["nodes"] if field.name in COLUMNS}
    schema = pa.schema(fields, metadata={"answer": json.dumps(_as_json(answer))})
    path = run.segment(
        "answers", 1 + max((number for number, _ in run.segments("answers")), default=0)
    )
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


def _facts_of(shared: dict[str, Any]) -> AnswerFacts:
    """The answer's facts from what `_as_json` wrote, without the logits."""
    shared["answer"] = shared.pop("expected")
    window = Window(**{name: shared.pop(name) for name in WINDOW})
    return AnswerFacts(window=window, **shared)


def read_answer(run: RunFolder) -> AnswerInside:
    """The newest answer. Raises UserError where none is kept."""
    kept = run.segments("answers")
    if not kept:
        raise UserError(f"{run.recording}: no answer kept; run get-model-output first")
    path = kept[-1][1]
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_stream(source).read_all()
        shared = json.loads(table.schema.metadata[b"answer"])
        logits = {
            name: np.array(shared.pop(name), dtype=np.float32)
            for name in ("start_logits", "end_logits")
        }
        facts = _facts_of(shared)
    except (pa.ArrowInvalid, OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not readable: {one_line(error)}; run get-model-output again"
        ) from None
    return AnswerInside(facts, **logits, activations=site_activations(table))
