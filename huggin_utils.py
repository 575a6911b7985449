"""Hooks: a model in training -> its recording. As a command: what a run recorded, as JSON, CSV or for TensorBoard.

    python huggin_utils.py RUN
    python huggin_utils.py RUN --csv steps

The model's code stays as `transformers` ships it: PyTorch forward hooks read what passes through its modules.
"""

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from huggin.answers import Span, best_spans
from huggin.bert import head_of
from huggin.config import DataArguments, RecordingArguments
from huggin.door import DoorParser, open_door
from huggin.recording import TABLES, Recording, RecordingWriter, recording_summary
from huggin.run_folder import RunFolder
from huggin.sites import Site, find_sites, hooked, undisturbed
from huggin.squad import TrackedSample

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Probe:
    """One tracked sample's way through the model."""

    start_logits: np.ndarray  # (tokens,) float32
    end_logits: np.ndarray  # (tokens,)
    start_loss: float  # cross-entropy in nats
    end_loss: float
    predicted: tuple[int, int]  # first and last token of the best span, (-1, -1) where there is none
    activations: dict[Site, np.ndarray]  # (tokens, hidden) float16; NaN beyond a site's units, where it has fewer


def probe(model: "PreTrainedModel", sample: TrackedSample, sites: list[Site], data: DataArguments) -> Probe:
    """Send a tracked sample through the model, without a trace: see `undisturbed` and `hooked`."""
    import torch
    from torch.nn.functional import cross_entropy

    inputs = {name: torch.tensor([ids], device=model.device) for name, ids in sample.inputs.items()}
    with undisturbed(model), hooked(model, sites) as outputs:
        logits = model(**inputs)
    start, end = logits.start_logits.float().cpu(), logits.end_logits.float().cpu()  # (1, tokens)
    allowed, hidden = np.array(sample.parts) == "context", head_of(model).in_features
    spans = best_spans(start[0].numpy(), end[0].numpy(), allowed, data) or [Span(-1, -1, 0.0)]
    return Probe(
        start_logits=start[0].numpy(),
        end_logits=end[0].numpy(),
        start_loss=cross_entropy(start, torch.tensor([sample.gold_start])).item(),
        end_loss=cross_entropy(end, torch.tensor([sample.gold_end])).item(),
        predicted=(spans[0].start, spans[0].end),
        activations={site: _as_nodes(output[0].half().cpu().numpy(), hidden) for site, output in outputs.items()},
    )


def _as_nodes(units: np.ndarray, hidden: int) -> np.ndarray:
    """(tokens, units) filled up to (tokens, hidden): a MobileBERT works in fewer units inside its layers."""
    return np.pad(units, ((0, 0), (0, hidden - units.shape[1])), constant_values=np.nan)


def schedule(last_step: int, points: int) -> set[int]:
    """`points` steps spread evenly over 0..last_step, both ends in; every step of a run shorter than that."""
    if points > last_step:
        return set(range(last_step + 1))
    return {round(position * last_step / (points - 1)) for position in range(points)}


@dataclass
class _HeadCopy:
    """What the head was after a step, on its way from the device."""

    step: int
    epoch: float
    learning_rate: float
    numbers: "torch.Tensor"  # (2 x hidden + 2 + 2,): weight, bias, loss, grad_norm
    arrived: Any  # a CUDA event, or None where it is there already


class Recorder:
    """Records a model while it is trained; `trainer_qa.py` calls it at each step.

    A row of the head is copied without waiting for a GPU and written one step later there, at once on a CPU.
    """

    def __init__(
        self,
        run: RunFolder,
        model: "PreTrainedModel",
        samples: list[TrackedSample],
        data: DataArguments,
        recording: RecordingArguments,
    ) -> None:
        self.sites = find_sites(model, recording.node_layers)
        self.samples = samples
        self._model, self._data, self._recording = model, data, recording
        self._head = head_of(model)
        self._writer = RecordingWriter(run, self._head.in_features)
        self.not_finite = 0  # steps whose loss was NaN or infinite
        self._loss: torch.Tensor | None = None
        self._grad_norm: torch.Tensor | float = float("nan")
        self._pending: _HeadCopy | None = None
        self._probe_steps: set[int] = set()
        self._node_steps: set[int] = set()

    def start(self, step: int, last_step: int) -> None:
        """Begin at `step`; at step 0 the model before training is recorded."""
        self._probe_steps = schedule(last_step, self._recording.probe_points)
        self._node_steps = schedule(last_step, self._recording.node_points)
        if step == 0:
            self.record(0, 0.0, float("nan"))

    def add_loss(self, loss: "torch.Tensor") -> None:
        """Add a micro-batch's share of the step's loss, a scalar."""
        self._loss = loss.detach() if self._loss is None else self._loss + loss.detach()

    def set_grad_norm(self, grad_norm: "torch.Tensor | float") -> None:
        """Note the norm of all gradients before clipping."""
        self._grad_norm = grad_norm

    def record(self, step: int, epoch: float, learning_rate: float) -> None:
        """Record the head after `step`, and the tracked samples where the schedule says so."""
        copy = self._copy_head(step, epoch, learning_rate)
        self._write_pending()
        self._pending = copy
        if copy.arrived is None or step in self._probe_steps:
            self._write_pending()
        if step in self._probe_steps | self._node_steps:
            for number, sample in enumerate(self.samples):
                self._record_probe(step, number, sample)

    def flush_to_disk(self) -> None:
        """Wait until all that was recorded has reached the disk."""
        self._write_pending()
        self._writer.flush_to_disk()

    def close(self) -> None:
        """Write what is pending and end the files."""
        self._write_pending()
        self._writer.close()

    def _copy_head(self, step: int, epoch: float, learning_rate: float) -> _HeadCopy:
        import torch

        weight = self._head.weight.detach()
        loss = float("nan") if self._loss is None else self._loss
        scalars = [
            torch.as_tensor(value, dtype=torch.float32, device=weight.device) for value in (loss, self._grad_norm)
        ]
        parts = [weight.reshape(-1).float(), self._head.bias.detach().float(), torch.stack(scalars)]
        numbers, self._loss, self._grad_norm = torch.cat(parts), None, float("nan")
        if not numbers.is_cuda:
            return _HeadCopy(step, epoch, learning_rate, numbers, None)
        pinned = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
        pinned.copy_(numbers, non_blocking=True)
        arrived = torch.cuda.Event()
        arrived.record()
        return _HeadCopy(step, epoch, learning_rate, pinned, arrived)

    def _write_pending(self) -> None:
        head, self._pending = self._pending, None
        if head is None:
            return
        if head.arrived is not None:
            head.arrived.synchronize()
        numbers = head.numbers.numpy()
        facts = {"step": head.step, "epoch": head.epoch, "learning_rate": head.learning_rate}
        loss, grad_norm = numbers[-2:].tolist()
        self.not_finite += head.step > 0 and not math.isfinite(loss)
        self._writer.append("steps", **facts, loss=loss, grad_norm=grad_norm, weight=numbers[:-4], bias=numbers[-4:-2])

    def _record_probe(self, step: int, number: int, sample: TrackedSample) -> None:
        sites = self.sites if step in self._node_steps else []
        seen = probe(self._model, sample, sites, self._data)
        if step in self._probe_steps:
            logits = {"start_logits": seen.start_logits, "end_logits": seen.end_logits}
            losses = {"start_loss": seen.start_loss, "end_loss": seen.end_loss}
            start, end = seen.predicted
            span = {"predicted_start": start, "predicted_end": end}
            self._writer.append("probes", step=step, sample=number, **logits, **losses, **span)
        for site, activations in seen.activations.items():
            row = {"layer": site.layer, "component": site.component, "activations": activations}
            self._writer.append("nodes", step=step, sample=number, **row)


def main() -> None:
    """Print a summary or a table, or write events and print their path."""
    parser = DoorParser(
        "Print what a run recorded: a summary as JSON, or a table.", "python huggin_utils.py runs/sample"
    )
    parser.add_argument("run", metavar="RUN", help="a run's folder: cfg.json's output_dir")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--csv", metavar="TABLE", choices=TABLES, help=f"{', '.join(TABLES)}: all its rows as CSV")
    instead.add_argument("--tensorboard", metavar="DIR", type=Path, help="write scalars, histograms and figures there")
    args = parser.parse_args()
    if args.csv:
        from huggin.csv_table import write_csv

        write_csv(Recording(args.run), args.csv, sys.stdout.buffer)
    elif args.tensorboard:
        from huggin.tensorboard import write_events

        print(write_events(Recording(args.run), args.tensorboard))
    else:
        print(json.dumps(recording_summary(args.run), indent=2))


if __name__ == "__main__":
    open_door(main)
