"""Pages for tests: made of runs, read back, and recordings by hand with hostile texts."""

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from huggin.common.window import Window
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import RecordingWriter
from tests.conftest import command
from tests.recordings import window, write_run

HOSTILE = (
    "</script><img src=x onerror=\"document.title='taken'\"><!-- {{DATA}} ${1} \x00\x07\x1b[2J"
    " \u202eright to left\u2028 مرحبا 世界"
)
HIDDEN = 4
STEPS = 3


def page_of(folder: Path, *runs: Any, words: tuple[str, ...] = ()) -> Path:
    """The page that the command makes of runs; it says nothing else."""
    done = command("create-page", *runs, *words, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / done.stdout.strip()


def data_in(page: Path) -> dict[str, Any]:
    """The JSON in a page, its arrays packed."""
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.S
    )
    return json.loads(text)


def unpacked(value: dict[str, Any]) -> np.ndarray:
    """The array that `packed` made a value of JSON of."""
    dtype = np.dtype(value["dtype"]).newbyteorder("<")
    data = zlib.decompress(base64.b64decode(value["data"]))
    planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
    numbers = np.ascontiguousarray(planes.T).reshape(-1).view(f"<u{dtype.itemsize}")
    numbers = numbers.reshape(value["shape"])
    if value["differences"]:
        numbers = np.cumsum(numbers, axis=0, dtype=numbers.dtype)
    return np.ascontiguousarray(numbers).view(dtype).astype(value["dtype"])


def with_arrays(value: Any) -> Any:
    """The same with arrays, wherever they are packed."""
    if isinstance(value, dict):
        if {"dtype", "data"} <= value.keys():
            return unpacked(value)
        return {name: with_arrays(one) for name, one in value.items()}
    return [with_arrays(one) for one in value] if isinstance(value, list) else value


def hostile_window(text: str = HOSTILE) -> Window:
    """A window all of whose texts are hostile."""
    tokens = ["[CLS]", text, text, "[SEP]"]
    parts = ["special", "question", "context", "special"]
    return window(
        4, question=text, context=text, answer=text, tokens=tokens, parts=parts, gold_start=2,
        gold_end=2,
    )  # fmt: skip


def write_by_hand(folder: Path, *samples: Window) -> RunFolder:
    """A recording of a few steps and probes, without nodes, lens and questions."""
    run = write_run(folder, HIDDEN, *samples)
    writer = RecordingWriter(run, HIDDEN)
    for step in range(STEPS):
        weight = np.zeros(2 * HIDDEN, np.float32)
        numbers = {"epoch": step, "loss": 2.0 - step, "learning_rate": 0.1, "grad_norm": 1.0}
        writer.append("steps", step=step, weight=weight, bias=weight[:2], **numbers)
        for sample, shown in enumerate(samples):
            logits = np.arange(len(shown.tokens), dtype=np.float32) + step
            losses = {"start_loss": 1.0, "end_loss": 1.0}
            span = {"predicted_start": 2, "predicted_end": 2 if step else 3}
            row = {"start_logits": logits, "end_logits": -logits, **losses, **span}
            writer.append("probes", step=step, sample=sample, **row)
    writer.close()
    return run
