"""What a training will do -> the lines that are printed before it begins."""

import math
import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from transformers import PreTrainedModel, TrainingArguments

from huggin.common.errors import UserError
from huggin.common.files import bytes_in
from huggin.common.text import size
from huggin.model.device import computes_bf16, describe_device
from huggin.model.loading import head_of
from huggin.qa.config import Config
from huggin.recording.run_facts import GROUPED, RunFacts
from huggin.recording.schema import OF_A_WINDOW

FLOAT = 4  # bytes
ADAM_STATES = 2  # numbers that Adam keeps for each parameter
HALF = 2  # bytes of a recorded activation or of a lens's logit, float16
LEDGER_COPIES = 2  # of the weights, in memory and in a checkpoint between two probes
BUSY = 0.9  # programs that compute or wait to, for each processor
ROW = 350  # bytes that Arrow adds to a row, on average


@dataclass(frozen=True)
class Plan:
    """A training that has not begun."""

    config: Config
    model: PreTrainedModel
    weights: str  # in words where the model's come from
    windows: int
    evaluated: int  # how many questions it is evaluated on
    facts: RunFacts | None  # of what is recorded; None if nothing is

    @property
    def steps(self) -> int:
        """Optimizer steps from the beginning to the end."""
        return total_steps(self.windows, self.config.training)

    def lines(self) -> list[str]:
        """The plan as it is printed, a fact a line."""
        training, model = self.config.training, self.model
        layers = f"{model.config.num_hidden_layers} layers of {head_of(model).in_features} units"
        parameters = f"{model.num_parameters():,} parameters"
        tokens = f"windows of up to {self.config.data.max_seq_length} tokens"
        data = f"{self.config.data_name}, {self.windows:,} {tokens}"
        evaluated = f"; {self.evaluated:,} questions to evaluate on"
        per_epoch = steps_per_epoch(self.windows, training)
        epoch = count(per_epoch, "step")
        steps = f"{self.steps:,} steps: {self.steps / per_epoch:.3g} epochs of {epoch}"
        alike = " of similar length" * (training.train_sampling_strategy == GROUPED)
        facts = {
            "model": f"{type(model).__name__}: {layers}, {parameters}, {self.weights}",
            "data": data + evaluated * (self.evaluated > 0),
            "device": where(training),
            "training": f"{steps}, {windows_per_step(training)} windows{alike} in a step",
            "recording": self._recording(),
            "ledger": describe_ledger(self._copy) if self.facts else "",
            "folder": f"{training.output_dir}: about {size(self.disk_needed)} needed, "
            f"{size(self.disk_free)} free",
        }
        return [f"  {name:9} {text}" for name, text in facts.items() if text]

    def _recording(self) -> str:
        """What is recorded, and how much space that takes."""
        if self.facts is None:
            return "nothing (record is false)"
        wanted = self.config.recording
        samples = count(len(self.facts.samples), "tracked sample")
        points = f"{wanted.probe_points} probes, {wanted.node_points} snapshots of the nodes"
        return f"{samples}, {points} at most; about {size(self._recorded)}"

    def refuse_full_disk(self) -> None:
        """Raise UserError if the disk has too little space for what the training will write."""
        if self.disk_needed > self.disk_free:
            what = f"{self.config.training.output_dir}: about {size(self.disk_needed)} needed"
            advice = "make room, lower save_total_limit, or name another output_dir"
            raise UserError(f"{what}, {size(self.disk_free)} free on its disk; {advice}")

    @cached_property
    def disk_needed(self) -> float:
        """Bytes that the model, its checkpoints and the recording will take, beyond those there."""
        saved = saved_bytes(self.model, self.steps, self.config.training, self._copy)
        present = bytes_in(Path(self.config.training.output_dir))
        return max(0.0, saved + self._recorded - present)

    @property
    def disk_free(self) -> float:
        """Bytes that are free where the run's folder is, or will be."""
        folder = nearest_folder(Path(self.config.training.output_dir))
        return float(shutil.disk_usage(folder).free)

    @property
    def _recorded(self) -> float:
        return recording_bytes(self.config, self.facts, self.steps) if self.facts else 0.0

    @property
    def _copy(self) -> float:
        """The size of a copy of the weights that are trained; 0 without a ledger."""
        if self.facts is None or not self.facts.ledger_points:
            return 0.0
        weights = self.model.parameters()
        return float(sum(weight.nbytes for weight in weights if weight.requires_grad))


def windows_per_step(training: TrainingArguments) -> int:
    """How many windows all processes together take in one optimizer step."""
    batch = training.per_device_train_batch_size
    return batch * training.world_size * training.gradient_accumulation_steps


def steps_per_epoch(windows: int, training: TrainingArguments) -> int:
    """Optimizer steps in an epoch, as the Trainer counts them: an incomplete batch is one, too."""
    batch = training.per_device_train_batch_size * training.world_size
    round_off = math.floor if training.dataloader_drop_last else math.ceil
    batches = round_off(windows / batch)
    return max(1, math.ceil(batches / training.gradient_accumulation_steps))


def total_steps(windows: int, training: TrainingArguments) -> int:
    """Optimizer steps of the whole training: `max_steps`, or else those of all epochs."""
    if training.max_steps > 0:
        return training.max_steps
    return math.ceil(training.num_train_epochs * steps_per_epoch(windows, training))


def where(training: TrainingArguments) -> str:
    """The device that the model is trained on, its numbers, how many processes train together."""
    processes = f", {training.world_size} processes" if training.world_size > 1 else ""
    device = describe_device(training.device)
    return device + processes + precision(training) + (busy() if device.startswith("cpu") else "")


def busy() -> str:
    """What is said where other programs compute, too: several threads then wait for each other."""
    processors = os.cpu_count() or 1
    load = os.getloadavg()[0]
    if torch.get_num_threads() == 1 or load < BUSY * processors:
        return ""
    shared = f"other programs use the processors, too (load {load:.1f} on {processors})"
    return f"; {shared}: OMP_NUM_THREADS=1 before the command may be several times faster"


def precision(training: TrainingArguments) -> str:
    """What is said of the numbers that a training computes with, "" for float32."""
    if training.fp16:
        return ", in fp16"
    if not training.bf16:
        return ""
    emulated = training.device.type == "cpu" and not computes_bf16()
    note = ", which this processor has to emulate, so it is slower" if emulated else ""
    return f", in bf16{note}"


def describe_ledger(copy: float) -> str:
    """How much memory the ledger takes. copy: bytes of the weights that are trained."""
    held = size(LEDGER_COPIES * copy)
    more = f"{LEDGER_COPIES} copies of the weights, {held} of memory; 2.5 times that at a probe"
    return more if copy else "none (ledger_points is 0)"


def recording_bytes(config: Config, facts: RunFacts, steps: int) -> float:
    """How large the recording becomes: its tables, and what Arrow adds to each row."""
    tokens = sum(len(window.tokens) for window in facts.samples)
    windows = windows_per_step(config.training)
    pushes = (1 + len(facts.samples)) * config.recording.pointers
    of_windows = (windows * len(OF_A_WINDOW), windows * pushes)
    per_step = (2 * facts.hidden_size + 2, len(facts.parts), *of_windows)
    of_steps = (steps + 1) * sum(numbers * FLOAT + ROW for numbers in per_step)
    probes = min(config.recording.probe_points, steps + 1)
    snapshots = min(config.recording.node_points, steps + 1)
    logits = probes * tokens * 2 * FLOAT
    lens = probes * (facts.layers + 1) * tokens * 2 * HALF if facts.has_lens else 0
    nodes = snapshots * tokens * len(facts.sites) * facts.hidden_size * HALF
    ledger = probes * len(facts.samples) * (1.5 * len(facts.places) * FLOAT + ROW)
    return float(of_steps + logits + lens + nodes + (ledger if facts.ledger_points else 0))


def saved_bytes(
    model: PreTrainedModel, steps: int, training: TrainingArguments, copy: float
) -> float:
    """How much the trained model and its checkpoints take, the one being saved included.

    copy: bytes of the weights that the ledger copies.
    """
    weights = model.num_parameters() * FLOAT
    checkpoint = weights * (1 + ADAM_STATES) + LEDGER_COPIES * copy
    number = training.save_total_limit or max(1, math.ceil(steps / max(1.0, training.save_steps)))
    return float(weights + checkpoint * (number + 1))


def nearest_folder(path: Path) -> Path:
    """The path, or the first folder above it that exists."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def count(number: int, what: str) -> str:
    """`1 sample`, `2 samples`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
