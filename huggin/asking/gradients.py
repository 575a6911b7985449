"""The checkpoints of a run -> how training questions push any question's loss, there.

By the head alone from forward passes, or with all weights from a backward pass for each window.
Gradients are scaled as the optimizer did it: Adam's state is in the checkpoint. A checkpoint stands
for the steps since the one before. Source: TracInCP, Pruthi et al. 2020,
https://arxiv.org/abs/2002.08484; there without Adam's denominator.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from huggin.analysis.teachers import Pushes
from huggin.asking.answering import TrainedModel
from huggin.asking.questions import batch_size_on
from huggin.common.errors import UserError
from huggin.common.progress import progress
from huggin.common.site import Site
from huggin.common.window import Window
from huggin.model.hooks import hooked, undisturbed
from huggin.model.loading import name_of_head
from huggin.qa.arguments import DataArguments
from huggin.qa.features import padded, training_features
from huggin.qa.given import arguments_of
from huggin.recording.checkpoints import models_of, step_in_name
from huggin.recording.ledger import trainable
from huggin.recording.pointers import head_gradients
from huggin.recording.probe import probe
from huggin.recording.reader import Recording

OPTIMIZER = "optimizer.pt"
LABELS = ("start_positions", "end_positions")


@dataclass(frozen=True)
class Checkpoint:
    """A model on the way, and what its optimizer multiplied gradients by since the one before."""

    trained: TrainedModel
    scale: dict[str, Tensor]  # by parameter's name; learning rates of its steps, by denominators

    @classmethod
    def all_of(
        cls, recording: Recording, data: DataArguments, place: torch.device
    ) -> Iterator[Self]:
        """The whole checkpoints of a run, one after the other."""
        steps = recording.steps
        before = 0
        for folder in models_of(recording.run, None, every=True):
            trained = TrainedModel.in_folder(recording.run, folder, data, place)
            step = step_in_name(folder)
            rates = float(steps.learning_rate[(steps.step > before) & (steps.step <= step)].sum())
            before = step
            scale = {name: rates / each for name, each in denominators(folder, trained).items()}
            yield cls(trained, scale)

    def by_head(self, asked: Window, features: Dataset) -> np.ndarray:
        """How far each window pushes the asked one through the head alone, (windows,)."""
        model = self.trained.model
        head = name_of_head(model)
        tracked = probe(model, asked, [], self.trained.data).gradient
        scaled = (tracked * self.scale[f"{head}.weight"]).flatten()
        site = Site(0, "head", head)
        size = batch_size_on(model.device)
        found = []
        with undisturbed(model), hooked(model, [site]) as outputs:
            for first in progress(range(0, len(features), size), label="comparing", unit="batches"):
                batch = self._batch(features[first : first + size])
                labels = (batch.pop(LABELS[0]), batch.pop(LABELS[1]))
                logits = model(**batch)
                both = torch.stack([logits.start_logits, logits.end_logits])
                if "attention_mask" in batch:  # padding has no part in a window's own loss
                    both = both.masked_fill(batch["attention_mask"] == 0, -torch.inf)
                pair = (both[0], both[1])
                found.append(head_gradients(outputs[site], pair, labels).flatten(1) @ scaled)
        return torch.cat(found).cpu().numpy()

    def by_all_weights(self, asked: Window, features: Dataset) -> np.ndarray:
        """The same with every weight that was trained, (windows,)."""
        golds = dict(zip(LABELS, ([asked.gold_start], [asked.gold_end]), strict=True))
        own = {name: [ids] for name, ids in asked.inputs.items()} | golds
        scaled = [gradient * self.scale[name] for name, gradient in self._gradients(own).items()]
        pushes = []
        for row in progress(range(len(features)), label="gradients", unit="windows"):
            gradients = self._gradients(features[row : row + 1]).values()
            pushes.append(sum(float((a * b).sum()) for a, b in zip(gradients, scaled, strict=True)))
        return np.array(pushes)

    def _gradients(self, rows: dict[str, list[Any]]) -> dict[str, Tensor]:
        """Of the loss of one window by each parameter, dropout off."""
        weights = trainable(self.trained.model)
        with undisturbed(self.trained.model), torch.enable_grad():
            loss = self.trained.model(**self._batch(rows)).loss
            gradients = torch.autograd.grad(
                loss, list(weights.values()), allow_unused=True, materialize_grads=True
            )
        return dict(zip(weights, gradients, strict=True))

    def _batch(self, rows: dict[str, list[Any]]) -> dict[str, Tensor]:
        names = (*self.trained.tokenizer.model_input_names, *LABELS)
        batch = padded(self.trained.tokenizer, {name: rows[name] for name in names})
        return {name: tensor.to(self.trained.model.device) for name, tensor in batch.items()}


def denominators(checkpoint: Path, trained: TrainedModel) -> dict[str, Tensor]:
    """Adam's denominators in a checkpoint, by the parameter's name; ones of another optimizer.

    The file numbers its parameters: those of one shape are in the order of the model.
    Raises UserError if they are not those of the model.
    """
    weights = trainable(trained.model)
    file = checkpoint / OPTIMIZER
    if not file.is_file():
        raise UserError(f"{file}: not there, so its gradients have no scale; save the optimizer")
    stored = torch.load(file, weights_only=True, map_location=trained.model.device)
    by_shape: dict[torch.Size, list[Tensor]] = {}
    for group in stored["param_groups"]:
        for number in group["params"]:
            state = stored["state"].get(number, {})
            if "exp_avg_sq" in state:
                squares = state["exp_avg_sq"].float() / (1 - group["betas"][1] ** state["step"])
                own = squares.sqrt() + group["eps"]
                by_shape.setdefault(own.shape, []).append(own)
    if not by_shape:
        return {name: torch.ones_like(weight) for name, weight in weights.items()}
    wanted = [weight.shape for weight in weights.values()]
    if any(len(found) != wanted.count(shape) for shape, found in by_shape.items()):
        raise UserError(f"{file}: not of the weights of this model; train again to compare them")
    return {
        name: by_shape[weight.shape].pop(0) if weight.shape in by_shape else torch.ones_like(weight)
        for name, weight in weights.items()
    }


def pushes_at_checkpoints(
    recording: Recording,
    asked: Window,
    records: Dataset,
    indices: Sequence[int],
    place: torch.device,
    all_weights: bool = False,
) -> Pushes:
    """How far some training questions pushed a question's loss, by the run's checkpoints.

    asked: its window. records: the training data. indices: the questions that are compared. Each is
    trained on once in an epoch, so its share of a step is the learning rate by the number of all.
    Raises UserError if there is no whole checkpoint.
    """
    steps: list[int] = []
    found: list[np.ndarray] = []
    features = Dataset.from_dict({})
    _, data = arguments_of(recording.cfg)
    for checkpoint in Checkpoint.all_of(recording, data, place):
        if not found:
            chosen = records.select(indices)
            features = training_features(chosen, checkpoint.trained.tokenizer, data)
        compare = checkpoint.by_all_weights if all_weights else checkpoint.by_head
        found.append(compare(asked, features) / len(records))
        steps.append(checkpoint.trained.step)
    index = np.array(indices)[features["record"][:]]
    return Pushes(np.repeat(steps, len(index)), np.tile(index, len(steps)), np.concatenate(found))
