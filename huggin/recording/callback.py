"""A Recorder for any `transformers.Trainer`.

trainer = Trainer(..., callbacks=[RecorderCallback("runs/mine", samples)])
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from transformers import TrainerCallback, TrainerState, TrainingArguments

from huggin.common.errors import UserError
from huggin.common.streams import warn
from huggin.common.window import Window
from huggin.model.device import random_states_kept
from huggin.recording.known_windows import KnownWindows
from huggin.recording.pointers import HeadInput, scale_of
from huggin.recording.recorder import NAN, Recorder
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import OF_A_WINDOW

NO_LOSS = (
    "RecorderCallback: the model gives no loss of its own in training, so none is recorded; "
    "call add_loss(loss) in the Trainer's training_step"
)

OF_QUESTIONS = len(OF_A_WINDOW)  # columns of `batch_rows`; gradients stand behind them


class RecorderCallback(TrainerCallback):
    """Tells a Recorder what a Trainer does.

    The loss of each step is read, raw, from the model's own output: the mean over the step's
    micro-batches, NaN kept. A Trainer that computes its loss elsewhere (label smoothing,
    `compute_loss_func`) hands it over by `add_loss`; then the model's own does not count. Without
    either, one line says that none is recorded. How each question of a batch did is read from the
    same output; which one it is, from the Trainer's train_dataset (see `KnownWindows`). The norm of
    the gradients is recorded if the Trainer hands it over by `grad_norm`. Of several processes
    (torchrun) the first one records, and the loss is the mean of all of them.
    """

    def __init__(
        self,
        folder: Path | str,
        samples: Sequence[Window],
        ready: Recorder | None = None,
        hands_over: bool = False,
        pointers: bool = True,
        **options: Any,
    ) -> None:
        """folder, samples, options: as for `Recorder`; `last_step` comes from the Trainer.

        ready: a Recorder that is not started yet, in the place of a new one. hands_over: the
        Trainer calls `add_loss` for every micro-batch with the loss as it has it, divided by their
        number, and the model's own does not count. pointers: record how far each window of a
        batch pushed the tracked samples; a model that torch compiles is trained without.
        """
        self.recorder: Recorder | None = None
        self._ready = ready
        self._hands_over = hands_over
        self.grad_norm: torch.Tensor | float = NAN
        self.part_norms: torch.Tensor | None = None
        self._rows: list[torch.Tensor] = []
        self._folder = folder
        self._samples = samples
        self._options = options
        self._losses: list[torch.Tensor] = []  # handed over
        self._losses_of_model: list[torch.Tensor] = []
        self._known: KnownWindows | None = options.get("data")
        self._learning_rate = NAN
        self._scale: torch.Tensor | float = NAN
        self._points = pointers
        self._input: HeadInput | None = None
        self._hook: Any = None
        self._said_no_loss = False

    def add_loss(self, loss: torch.Tensor) -> None:
        """Note the loss of one micro-batch, a scalar."""
        self._losses.append(loss.detach())

    def add_rows(
        self,
        rows: torch.Tensor,
        batch: Mapping[str, torch.Tensor],
        outputs: Mapping[str, torch.Tensor],
    ) -> None:
        """Note how the windows of one micro-batch did, and how they push the tracked samples.

        rows: what `batch_rows` gave. batch, outputs: what the model was given and what it gave.
        """
        if self._input:
            rows = torch.cat([rows, self._input.gradients(batch, outputs)], dim=1)
        self._rows.append(rows)

    def _loss_of_step(self) -> torch.Tensor | float:
        """The loss of a step by those noted since the last one; NaN if there are none."""
        losses = self._losses or self._losses_of_model
        self._losses, self._losses_of_model = [], []
        if losses:
            return sum(losses[1:], losses[0]) if self._hands_over else torch.stack(losses).mean()
        if self.recorder and not self._said_no_loss:
            warn(NO_LOSS)
        self._said_no_loss = True
        return NAN

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Make the Recorder and record step 0, or go on from the step of a checkpoint."""
        model = kwargs["model"]
        if self._points and not args.torch_compile:
            self._input = HeadInput(model)
        if not self._hands_over:
            self._know_windows(kwargs["train_dataloader"].dataset, kwargs.get("processing_class"))
            self._hook = model.register_forward_hook(self._note_output, with_kwargs=True)
        if not state.is_world_process_zero:
            return
        options = {"last_step": state.max_steps, "seed": args.seed, **self._options}
        options["data"] = self._known
        self.recorder = self._ready or Recorder(self._folder, model, self._samples, **options)
        if self._ready:  # how long the training is becomes known only now
            self._ready.last_step = state.max_steps
        self.recorder.start(state.global_step, checkpoint_of(args, state))

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
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

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note the learning rate that led to this step; the scheduler moves on after it."""
        self._learning_rate = kwargs["optimizer"].param_groups[0]["lr"]
        if self.recorder and self._input:
            clipped = (args.max_grad_norm or NAN) / torch.as_tensor(self.grad_norm)
            share = clipped.clamp(max=1).nan_to_num(nan=1)
            self._scale = share * scale_of(kwargs["optimizer"], self._input.weight)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Record the step, of all processes if there are several."""
        loss = self._loss_of_step()
        rows = torch.cat(self._rows) if self._rows else None
        if args.world_size > 1:
            loss = mean_of_processes(loss, args.device)
            most = args.train_batch_size * args.gradient_accumulation_steps
            rows = None if rows is None else rows_of_processes(rows, most)
        self._rows = []
        if self.recorder is None:
            return
        self.recorder.step(
            state.global_step,
            loss=loss,
            grad_norm=self.grad_norm,
            learning_rate=self._learning_rate,
            epoch=state.epoch or 0.0,
            part_norms=self.part_norms,
            questions=None if rows is None else rows[:, :OF_QUESTIONS],
            gradients=None if rows is None or not self._input else rows[:, OF_QUESTIONS:],
            scale=self._scale,
        )
        self.grad_norm = NAN
        self.part_norms = None

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep in the checkpoint what the recording needs to go on."""
        if self.recorder is not None:
            self.recorder.save_state(checkpoint_of(args, state), state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write what is pending and end the files."""
        for hook in (self._hook, self._input):
            if hook is not None:
                hook.remove()
        if self.recorder is not None:
            self.recorder.close()

    def _know_windows(self, data: Any, tokenizer: Any) -> None:
        """Read the training data, unless that was given; one line says if it cannot be known."""
        if self._known is None:
            try:
                with random_states_kept():
                    self._known = KnownWindows(data, tokenizer)
            except UserError as error:
                warn(f"RecorderCallback: {error}; so how each question did is not recorded")

    def _note_output(self, module: torch.nn.Module, args: Any, batch: Any, output: Any) -> None:
        loss = getattr(output, "loss", None)
        if module.training and loss is not None:
            self._losses_of_model.append(loss.detach())
        if module.training and self._known is not None:
            rows = self._known.rows(batch, output)
            if rows is not None:
                self.add_rows(rows, batch, output)


def mean_of_processes(loss: torch.Tensor | float, device: torch.device) -> torch.Tensor:
    """The mean over all processes of a scalar that each of them has; nothing waits for a GPU."""
    mean = torch.as_tensor(loss, dtype=torch.float32, device=device) / distributed.get_world_size()
    distributed.all_reduce(mean)
    return mean


def rows_of_processes(rows: torch.Tensor, most: int) -> torch.Tensor:
    """The rows (windows, columns) of all processes, in their order.

    most: how many a process can have. One that has fewer adds rows of NaN, which are not written:
    so no process asks the others how many they have, and nothing waits for a GPU.
    """
    own = rows.new_full((most, rows.shape[1]), NAN)
    own[: len(rows)] = rows
    of_all = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(of_all, own)
    return torch.cat(of_all)


def checkpoint_of(args: TrainingArguments, state: TrainerState) -> Path:
    """Where the Trainer saves its state of this step."""
    return RunFolder(Path(args.output_dir)).checkpoint(state.global_step)
