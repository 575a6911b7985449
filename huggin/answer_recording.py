"""One answer from the inside: what passed through the model when it was given -> RUN/recording/answers-N.arrow."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from huggin.door import UserError, one_line
from huggin.files import replacing
from huggin.recording import Site, column_of, schemas, site_activations
from huggin.run_folder import RunFolder

COLUMNS = ("layer", "component", "activations")


@dataclass(frozen=True)
class AnswerFacts:
    """A question and its answer; tokens are those of the window that it was answered in."""

    state: str  # the model-type-state
    step: int
    index: int  # of the question in the data
    question: str
    context: str
    expected: str
    answered: str
    right: bool
    confidence: float
    tokens: list[str]
    parts: list[str]  # each token's: "special", "question" or "context"
    gold_start: int  # 0 where the window does not hold the expected answer
    gold_end: int
    start: int
    end: int


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
    logits = {"start_logits": answer.start_logits.tolist(), "end_logits": answer.end_logits.tolist()}
    fields = {field.name: field.type for field in schemas(hidden)["nodes"] if field.name in COLUMNS}
    schema = pa.schema(fields, metadata={"answer": json.dumps({**asdict(answer.facts), **logits})})
    path = run.segment("answers", 1 + max((number for number, _ in run.segments("answers")), default=0))
    with replacing(path) as beside, pa.ipc.new_stream(str(beside), schema) as stream:
        for (layer, component), values in answer.activations.items():
            columns = map(column_of, (layer, component, values), fields.values())
            stream.write_batch(pa.record_batch(list(columns), schema=schema))
    return path


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
        logits = {name: np.array(shared.pop(name), dtype=np.float32) for name in ("start_logits", "end_logits")}
        facts = AnswerFacts(**shared)
    except (pa.ArrowInvalid, OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not readable: {one_line(error)}; run get-model-output again") from None
    return AnswerInside(facts, **logits, activations=site_activations(table))
