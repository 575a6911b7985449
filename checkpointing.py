"""Stop and resume: Ctrl-C, SIGTERM or SIGHUP -> a checkpoint -> the next start goes on from it.

`SafeStop` says when to save, `SafeTrainer` saves. What makes a checkpoint whole is in
`huggin/recording/checkpoints.py`.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from safetensors import SafetensorError
from torch import distributed
from transformers import Trainer, TrainerCallback, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from huggin.common.errors import UserError
from huggin.common.progress import shows_bars
from huggin.common.streams import warn
from huggin.common.text import one_line
from huggin.model.device import load_random_states, save_random_states
from huggin.model.loading import SAVED_MODEL
from huggin.recording.checkpoints import (
    begun_for,
    damage_of,
    is_complete,
    let_older_go,
    mark_complete,
    step_in_name,
)
from huggin.recording.recorder import Recorder
from huggin.recording.run_folder import RunFolder

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AT_ONCE = "once more stops at once"


class EvaluationStopped(Exception):
    """A signal came while the model was evaluated between two training steps."""


class SafeStop(TrainerCallback):
    """Extra checkpoints: on a signal, every `save_minutes`, after the last step.

    Ctrl-C, SIGTERM or SIGHUP during training finish the step, save and stop; before and after it
    they stop at once. A second one ends the process where it is, and the newest whole checkpoint
    stays whole. Several processes of one run stop together.
    """

    def __init__(self, save_minutes: float = 15.0) -> None:
        self.received = 0  # a signal's number
        self.save_minutes = save_minutes
        self.begin: Callable[[], None] | None = None  # called once, right before the first step
        self.has_begun = False
        self._training = False
        self._due = float("inf")
        self._save_after_evaluation = False

    def install(self) -> None:
        """Take over the three signals; one that is ignored, as under nohup, stays ignored."""
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._answer)

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP."""
        return 128 + self.received

    def _answer(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if not self.received and self._training:
            warn(f"\n{name}: finishing the step and saving; {AT_ONCE}")
        self.received = number
        if not self._training:
            warn(f"\n{name}: stopped; the same command starts again")
            raise SystemExit(self.exit_code)
        if number == signal.SIGHUP:  # a closing terminal may send it twice by itself
            return
        if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun sends each signal twice
            return
        signal.signal(number, signal.SIG_DFL)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """From here on a signal waits for the end of the step."""
        if self.begin:
            self.begin()
        self.has_begun = True
        self._training = True
        self._due = time.monotonic() + 60 * self.save_minutes

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Save and stop if a signal has come to any process; save if it is time."""
        is_due = time.monotonic() >= self._due
        received, due = _over_all_processes(args, self.received, is_due)
        if received:  # do not overwrite a signal that arrived during the all-reduce
            self.received = received
        is_last = state.global_step >= state.max_steps
        should_save = bool(received or due or is_last)
        control.should_training_stop |= bool(received)
        # Save after the evaluation that follows: it tells which checkpoint is the best.
        evaluated_next = args.eval_strategy == IntervalStrategy.EPOCH
        self._save_after_evaluation = (
            should_save and evaluated_next and (is_last or is_end_of_epoch(state))
        )
        control.should_save |= should_save and not self._save_after_evaluation

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Do not evaluate a model that was stopped in the middle of an epoch.

        An uninterrupted run would not have this evaluation, and could choose another best model.
        """
        if self.received and state.global_step < state.max_steps and not is_end_of_epoch(state):
            control.should_evaluate = False
        control.should_save |= self._save_after_evaluation
        self._save_after_evaluation = False

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Abort an evaluation between two steps, unless it chooses the best model."""
        if self._training and args.metric_for_best_model is None:
            (received,) = _over_all_processes(args, self.received)
            if received:
                self.received = received
                raise EvaluationStopped

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The next safety checkpoint is due `save_minutes` after any checkpoint."""
        self._due = time.monotonic() + 60 * self.save_minutes

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """From here on a signal stops at once."""
        self._training = False


def is_end_of_epoch(state: TrainerState) -> bool:
    """Whether the newest step was the last of its epoch."""
    return state.epoch is not None and float(state.epoch).is_integer()


def _over_all_processes(args: TrainingArguments, *values: int) -> list[int]:
    """The largest of each value over all processes of the run, the same in each of them."""
    if args.world_size == 1 or not distributed.is_initialized():
        return list(values)
    largest = torch.tensor(values, dtype=torch.int32, device=args.device)
    distributed.all_reduce(largest, op=distributed.ReduceOp.MAX)
    return largest.tolist()


class SafeTrainer(Trainer):
    """Hugging Face's Trainer, which never loses the newest whole checkpoint.

    If it has a `recorder`, what was recorded reaches the disk before a checkpoint counts.
    """

    recorder: Recorder | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As for Trainer; progress bars are shown on a terminal only."""
        kwargs["args"].disable_tqdm |= not shows_bars()
        super().__init__(*args, **kwargs)

    def save_now(self) -> None:
        """Save a checkpoint of the state between two steps."""
        self._save_checkpoint(self.model_wrapped, trial=None)

    @property
    def step_of_model(self) -> int:
        """The step that the model is of: the best one's if it was loaded after the training."""
        best = self.state.best_model_checkpoint
        if self.args.load_best_model_at_end and best:
            return step_in_name(Path(best))
        return self.state.global_step

    def save_trained(self, folder: str) -> None:
        """Save the trained model, its tokenizer and a state that says which step it is of."""
        self.save_model(folder, _internal_call=True)
        saved = {SAVED_MODEL: {"step": self.step_of_model}}
        state = replace(self.state, stateful_callbacks=self.state.stateful_callbacks | saved)
        state.save_to_json(str(RunFolder(Path(folder)).trainer_state))

    def load_trained(self, run: RunFolder) -> None:
        """Take the trained model of a run's folder, and its state."""
        self._load_from_checkpoint(str(run.path))
        self.state = TrainerState.load_from_json(str(run.trainer_state))

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Save, mark the checkpoint complete, and only then delete older ones and push it.

        Raises UserError if it cannot be saved, with nothing half-written left, or if what was
        recorded has been taken away.
        """
        run = RunFolder(Path(self._get_output_dir(trial=trial)))
        checkpoint = run.checkpoint(self.state.global_step)
        if is_complete(checkpoint):  # saved at this step already
            return
        if self.args.should_save and checkpoint.exists():
            shutil.rmtree(checkpoint)  # left by a kill, or damaged
        self.accelerator.wait_for_everyone()
        try:
            with self._without(save_total_limit=None, push_to_hub=False):
                super()._save_checkpoint(model, trial)
            if self.recorder:
                self.recorder.save_state(checkpoint, self.state.global_step)
            self.accelerator.wait_for_everyone()
            self._seal(checkpoint)
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(checkpoint, ignore_errors=True)
            what = f"{checkpoint}: not saved: {one_line(error)}"
            advice = "fix that; the same command goes on from the checkpoint before"
            raise UserError(f"{what}; {advice}") from error
        if self.args.should_save:
            limit = self.args.save_total_limit
            let_older_go(run, checkpoint, limit, self.state.best_model_checkpoint)
        self.accelerator.wait_for_everyone()
        if self.args.push_to_hub:
            self._push(lambda: self._push_from_checkpoint(str(checkpoint)))

    @contextmanager
    def _without(self, **instead: Any) -> Iterator[None]:
        """Give the Trainer other arguments in this block."""
        originals = {name: getattr(self.args, name) for name in instead}
        for name, value in instead.items():
            setattr(self.args, name, value)
        try:
            yield
        finally:
            for name, value in originals.items():
                setattr(self.args, name, value)

    def push_trained(self) -> None:
        """Push the trained model to the Hub if that is asked for."""
        if self.args.push_to_hub:
            self._push(lambda: self.push_to_hub(revision=self.args.hub_revision))

    def _push(self, push: Callable[[], Any]) -> None:
        """Push to the Hub; what is on this disk matters more, so a failure is a line on stderr."""
        try:
            push()
        except Exception as error:  # of the network, the Hub, or its library
            what = f"{self.args.output_dir}: not pushed to the Hub: {one_line(error)}"
            warn(f"{what}; everything is saved here")

    def _finish_current_push(self) -> None:
        self._push(super()._finish_current_push)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Whether to save with `save_strategy` best: a new best model, or a save asked for before.

        The Trainer would forget the save that a signal or the last step has asked for.
        """
        is_best = super()._determine_best_metric(metrics, trial)
        return is_best or self.control.should_save

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        """Train for an epoch; not a step more than `max_steps`, also of a run that was finished."""
        if self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
            return
        super()._run_epoch(*args, **kwargs)

    def _init_training_state(self, *args: Any, **kwargs: Any) -> Any:
        """Begin, or read a checkpoint's state and find its best checkpoint, also in a moved run."""
        begun = super()._init_training_state(*args, **kwargs)
        if self.state.best_global_step and not self.state.best_model_checkpoint:
            run = RunFolder(Path(self.args.output_dir))
            best = run.checkpoint(self.state.best_global_step)
            self.state.best_model_checkpoint = str(best) if best.is_dir() else None
        return begun

    def _finalize_training(self, *args: Any, **kwargs: Any) -> Any:
        """Save the last step if nothing has, and keep its checkpoint beside the best one.

        The Trainer saves nothing when a callback stops it early, and with `save_total_limit` 1
        it would now delete every checkpoint but the best. A damaged best model is not loaded.
        """
        self.save_now()
        best = self.state.best_model_checkpoint
        damage = damage_of(Path(best)) if best else None
        if damage and self.args.load_best_model_at_end:
            self.state.best_model_checkpoint = None
            warn(f"{best}: {damage}; it was the best, the last model is kept instead")
        with self._without(save_total_limit=None):
            return super()._finalize_training(*args, **kwargs)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Go on where the checkpoint was, with the rate of the new schedule if that is another."""
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint and begun_for(Path(checkpoint)) != self.state.max_steps:
            schedule = self.lr_scheduler
            columns = (getattr(schedule, name, []) for name in ("base_lrs", "lr_lambdas"))
            for group, base, share in zip(self.optimizer.param_groups, *columns):
                group["lr"] = base * share(schedule.last_epoch)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Refuse weights that are not exactly this model's, tied ones aside."""
        super()._issue_warnings_after_load(load_result)
        tied = self.model.all_tied_weights_keys
        wrong = [*(set(load_result.missing_keys) - {*tied}), *load_result.unexpected_keys]
        if wrong:
            where = self.state.best_model_checkpoint or f"{self.args.output_dir}, last checkpoint"
            what = f"not the weights of this model: {min(wrong)}"
            raise UserError(f"{where}: {what}; delete this checkpoint and start again")

    def _save_rng_state(self, output_dir: str) -> None:
        """Save all random states, also those of accelerators that transformers leaves out."""
        super()._save_rng_state(output_dir)
        save_random_states(Path(output_dir), self.args.process_index)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        super()._load_rng_state(checkpoint)
        if checkpoint is not None:
            load_random_states(Path(checkpoint), self.args.process_index)

    def _seal(self, checkpoint: Path) -> None:
        """Mark the checkpoint complete, after every row recorded so far has reached the disk."""
        gone = None
        if self.recorder:
            try:
                self.recorder.flush_to_disk()
            except FileNotFoundError as error:
                gone = error.filename
        if self.args.should_save:
            mark_complete(checkpoint)
        if gone:
            saved = f"the training is saved in {checkpoint}"
            raise UserError(f"{gone}: taken away while it was recorded; {saved}")
