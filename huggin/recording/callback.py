"""A Recorder for any `transformers.Trainer`.

trainer = Trainer(..., callbacks=[RecorderCallback("runs/mine", samples)])
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from huggin.common.streams import warn
from huggin.common.window import Window
from huggin.recording.recorder import NAN, Recorder
from huggin.recording.run_folder import RunFolder

NO_LOSS = (
    "RecorderCallback: the model gives no loss of its own in training, so none is recorded; "
    "call add_loss(loss) in the Trainer's training_step"
)


class RecorderCallback(TrainerCallback):
    """Tells a Recorder what a Trainer does.

    The loss of each step is read, raw, from the model's own output: the mean over the step's
    micro-batches, NaN kept. A Trainer that computes its loss elsewhere (label smoothing,
    `compute_loss_func`) hands it over by `add_loss`; then the model's own does not count. Without
    either, one line says that none is recorded. The norm of the gradients is recorded if the
    Trainer hands it over by `grad_norm`.
    """

    def __init__(
        self,
        folder: Path | str,
        samples: Sequence[Window],
        ready: Recorder | None = None,
        **options: Any,
    ) -> None:
        """folder, samples, options: as for `Recorder`; `last_step` comes from the Trainer.

        ready: a Recorder that is not started yet, in the place of a new one. It is handed every
        micro-batch's loss as the Trainer has it, divided by their number, and no model's own.
        """
        self.recorder: Recorder | None = None
        self._ready = ready
        self.grad_norm: torch.Tensor | float = NAN
        self.part_norms: torch.Tensor | None = None
        self._rows: list[torch.Tensor] = []
        self._folder = folder
        self._samples = samples
        self._options = options
        self._losses: list[torch.Tensor] = []  # handed over
        self._losses_of_model: list[torch.Tensor] = []
        self._learning_rate = NAN
        self._hook: Any = None
        self._said_no_loss = False

    def add_loss(self, loss: torch.Tensor) -> None:
        """Note the loss of one micro-batch, a scalar."""
        self._losses.append(loss.detach())

    def add_rows(self, rows: torch.Tensor) -> None:
        """Note how the windows of one micro-batch did: what `batch_rows` gave."""
        self._rows.append(rows)

    def _loss_of_step(self) -> torch.Tensor | float:
        """The loss of a step by those noted since the last one; NaN if there are none."""
        losses = self._losses or self._losses_of_model
        self._losses, self._losses_of_model = [], []
        if losses:
            return sum(losses[1:], losses[0]) if self._ready else torch.stack(losses).mean()
        if not self._said_no_loss:
            warn(NO_LOSS)
        self._said_no_loss = True
        return NAN

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Make the Recorder and record step 0, or go on from the step of a checkpoint."""
        if not state.is_world_process_zero:
            return
        model = kwargs["model"]
        options = {"last_step": state.max_steps, "seed": args.seed, **self._options}
        self.recorder = self._ready or Recorder(self._folder, model, self._samples, **options)
        if self._ready:  # how long the training is becomes known only now
            self._ready.last_step = state.max_steps
        self.recorder.start(state.global_step, checkpoint_of(args, state))
        if self._ready is None:
            self._hook = model.register_forward_hook(self._note_loss)

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Note the norms of the gradients, if the Trainer has not handed them over.

        They are clipped by now. A step whose gradients were clipped gets NaN.
        """
        if self.recorder is None or self.part_norms is not None:
            return
        norms = self.recorder.gradient_norms()
        total = torch.linalg.vector_norm(norms)
        most = args.max_grad_norm if args.max_grad_norm > 0 else float("inf")
        whole = total < 0.999 * most
        self.grad_norm = torch.where(whole, total, NAN)
        self.part_norms = torch.where(whole, norms, NAN)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Note the learning rate that led to this step; the scheduler moves on after it."""
        self._learning_rate = kwargs["optimizer"].param_groups[0]["lr"]

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Record the step."""
        if self.recorder is None:
            return
        self.recorder.step(
            state.global_step,
            loss=self._loss_of_step(),
            grad_norm=self.grad_norm,
            learning_rate=self._learning_rate,
            epoch=state.epoch or 0.0,
            part_norms=self.part_norms,
            questions=torch.cat(self._rows) if self._rows else None,
        )
        self.grad_norm = NAN
        self.part_norms = None
        self._rows = []

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep in the checkpoint what the ledger needs to go on."""
        if self.recorder is not None:
            self.recorder.save_ledger(checkpoint_of(args, state), state.global_step)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write what is pending and end the files."""
        if self._hook is not None:
            self._hook.remove()
        if self.recorder is not None:
            self.recorder.close()

    def _note_loss(self, module: torch.nn.Module, inputs: Any, output: Any) -> None:
        loss = getattr(output, "loss", None)
        if module.training and loss is not None:
            self._losses_of_model.append(loss.detach())


def checkpoint_of(args: TrainingArguments, state: TrainerState) -> Path:
    """Where the Trainer saves its state of this step."""
    return RunFolder(Path(args.output_dir)).checkpoint(state.global_step)
