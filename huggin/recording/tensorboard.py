"""A recording -> an event file for TensorBoard.

It holds scalars, histograms of the head's weights, and the figures that were drawn.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

from huggin.common.files import replacing
from huggin.common.progress import progress
from huggin.recording.reader import Recording
from huggin.recording.results import read_efficacy

# The name is always the same, so that a second export takes the place of the first.
FILE = "events.out.tfevents.0.huggin"
HISTOGRAMS = 200  # spread over the steps; scalars are there for every step
BINS = 30
NUMBERS = ("loss", "learning_rate", "grad_norm", "epoch")


def write_events(recording: Recording, folder: Path) -> Path:
    """Write `folder`/events.out.tfevents.0.huggin, whole or not at all; returns its path.

    All times in it are the run's beginning.
    """
    path = folder / FILE
    began = recording.run.facts.stat().st_mtime
    events = progress(summaries(recording), label="events", unit="events")
    with replacing(path) as beside, beside.open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=began, file_version="brain.Event:2").SerializeToString())
        for step, values in events:
            event = Event(wall_time=began, step=step, summary={"value": values})
            writer.write(event.SerializeToString())
    return path


def summaries(recording: Recording) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """(step, values) of the training, the tracked samples, the measurements and the figures."""
    yield from _training(recording)
    for number in range(len(recording.facts.samples)):
        probes = recording.probes(number)
        for step, start, end in zip(probes.step, probes.start_loss, probes.end_loss):
            losses = {"start loss": start, "end loss": end}
            yield int(step), _scalars(f"tracked sample {number}", losses)
    for entry in read_efficacy(recording.run):
        measured = {"exact match": entry.exact_match, "F1": entry.f1}
        yield entry.step, _scalars(f"efficacy, {entry.data}", measured)
    figures = sorted(recording.run.graphs.glob("*.png"))
    for path in figures:
        if not path.name.startswith("."):  # left by a process that was killed while it wrote
            yield int(recording.steps.step[-1]), [_figure(path)]


def _training(recording: Recording) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    steps = recording.steps
    rows = len(steps.step)
    spread = np.linspace(0, rows - 1, min(rows, HISTOGRAMS))
    with_histograms = set(spread.round().astype(int).tolist())
    for row, step in enumerate(steps.step.tolist()):
        bias = {"start bias": steps.bias[row, 0], "end bias": steps.bias[row, 1]}
        values = _scalars("head", bias)
        if step > 0:  # nothing was learned on the way to step 0
            values += _scalars("training", {name: getattr(steps, name)[row] for name in NUMBERS})
        if row in with_histograms:
            for name, weight in zip(("start weight", "end weight"), steps.weight[row]):
                values.append({"tag": f"head/{name}", "histo": _histogram(weight)})
        yield step, values


def _scalars(group: str, values: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {"tag": f"{group}/{name}", "simple_value": float(value)} for name, value in values.items()
    ]


def _histogram(weight: np.ndarray) -> dict[str, Any]:
    """TensorFlow's HistogramProto: each bucket's upper limit and how many weights are in it.

    Weights that are NaN or infinite are left out.
    """
    finite = weight[np.isfinite(weight)].astype(float)
    low = finite.min() if len(finite) else 0.0
    high = finite.max() if len(finite) else 0.0
    limits = np.unique(np.linspace(low, high, BINS + 1)[1:])
    counts = np.bincount(np.searchsorted(limits, finite), minlength=len(limits))
    sums = {"num": len(finite), "sum": finite.sum(), "sum_squares": np.square(finite).sum()}
    return {"min": low, "max": high, **sums, "bucket_limit": limits, "bucket": counts}


def _figure(path: Path) -> dict[str, Any]:
    with Image.open(path) as picture:
        image: dict[str, Any] = {"width": picture.width, "height": picture.height}
        image["colorspace"] = len(picture.getbands())
    image["encoded_image_string"] = path.read_bytes()
    return {"tag": f"figures/{path.stem}", "image": image}
