"""A recording -> what is in it, as JSON."""

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from huggin.recording.reader import Recording, whole_batches
from huggin.recording.schema import TABLES


def recording_summary(path: Path | str) -> dict[str, Any]:
    """What a run recorded: steps, those that are missing or twice, segments, bytes, cut tails."""
    recording = Recording(path)
    segments = [path for table in TABLES for _, path in recording.run.segments(table)]
    files = [pa.memory_map(str(path)) for path in segments]
    for file in files:
        deque(whole_batches(file), maxlen=0)
    step = recording.steps.step
    return {
        "first_step": int(step[0]),
        "last_step": int(step[-1]),
        "steps": len(step),
        "probes": len(recording.table("probes")),
        "node_snapshots": len(pc.unique(recording.table("nodes")["step"])),
        "lens_probes": _rows(recording, "lens"),
        "layer_steps": _rows(recording, "layers"),
        "question_steps": _rows(recording, "questions"),
        "ledger_probes": _rows(recording, "ledger"),
        "bytes": sum(file.size() for file in files),
        "segments": len(recording.run.segments("steps")),
        "missing_steps": int(step[-1] - step[0] + 1 - len(np.unique(step))),
        "duplicate_steps": len(step) - len(np.unique(step)),
        "dropped_tail_bytes": sum(file.size() - file.tell() for file in files),
    }


def _rows(recording: Recording, table: str) -> int:
    """How often something was added to a table; all layers of a probe are added together."""
    return sum(1 for _ in recording.rows(table))
