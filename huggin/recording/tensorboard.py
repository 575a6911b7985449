"""A recording -> an event file for TensorBoard: scalars, histograms of the head's weights, figures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

from huggin.common.files import replacing
from huggin.common.progress import progress
from huggin.recording.efficacy import read_efficacy
from huggin.recording.reader import Recording

FILE = (
    "events.out.tfevents.0.huggin"  # always the same: a second export takes the place of the first
)
HISTOGRAMS = 200  # spread over the steps; scalars are there for every step
BINS = 30


def write_events(recording: Recording, folder: Path) -> Path:
    """Write `folder`/events.out.tfevents.0.huggin, whole or not at all; its path. All times are the run's beginning."""

    path, began = folder / FILE, recording.run.facts.stat().st_mtime
    events = progress(summaries(recording), label="events", unit="events")
    with replacing(path) as beside, beside.open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=began, file_version="brain.Event:2").SerializeToString())
        for step, values in events:
            writer.write(
                Event(wall_time=began, step=step, summary={"value": values}).SerializeToString()
            )
    return path


def summaries(recording: Recording) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """(step, values) of the training, the tracked samples, what was measured, and the figures that are drawn."""
    yield from _training(recording)
    for number in range(len(recording.facts.samples)):
        probes = recording.probes(number)
        for step, start, end in zip(probes.step, probes.start_loss, probes.end_loss):
            yield (
                int(step),
                _scalars(f"tracked sample {number}", {"start loss": start, "end loss": end}),
            )
    for entry in read_efficacy(recording.run):
        measured = {"exact match": entry.exact_match, "F1": entry.f1}
        yield entry.step, _scalars(f"efficacy, {entry.data}", measured)
    for path in sorted(recording.run.graphs.glob("*.png")):
        yield int(recording.steps.step[-1]), [_figure(path)]


def _training(recording: Recording) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    steps = recording.steps
    rows = len(steps.step)
    with_histograms = set(
        np.linspace(0, rows - 1, min(rows, HISTOGRAMS)).round().astype(int).tolist()
    )
    for row, step in enumerate(steps.step.tolist()):
        values = _scalars(
            "head", {"start bias": steps.bias[row, 0], "end bias": steps.bias[row, 1]}
        )
        if step > 0:  # nothing was learned on the way to step 0
            named = {
                name: getattr(steps, name)[row]
                for name in ("loss", "learning_rate", "grad_norm", "epoch")
            }
            values += _scalars("training", named)
        if row in with_histograms:
            for name, weight in zip(("start weight", "end weight"), steps.weight[row]):
                values.append({"tag": f"head/{name}", "histo": _histogram(weight)})
        yield step, values


def _scalars(group: str, values: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {"tag": f"{group}/{name}", "simple_value": float(value)} for name, value in values.items()
    ]


def _histogram(weight: np.ndarray) -> dict[str, Any]:
    """TensorFlow's HistogramProto: each bucket's upper limit and how many weights are in it; NaN left out."""
    finite = weight[np.isfinite(weight)].astype(float)
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    limits = np.unique(np.linspace(low, high, BINS + 1)[1:])
    counts = np.bincount(np.searchsorted(limits, finite), minlength=len(limits))
    sums = {"num": len(finite), "sum": finite.sum(), "sum_squares": np.square(finite).sum()}
    return {"min": low, "max": high, **sums, "bucket_limit": limits, "bucket": counts}


def _figure(path: Path) -> dict[str, Any]:

    with Image.open(path) as picture:
        width, height, channels = *picture.size, len(picture.getbands())
    image = {
        "width": width,
        "height": height,
        "colorspace": channels,
        "encoded_image_string": path.read_bytes(),
    }
    return {"tag": f"figures/{path.stem}", "image": image}
