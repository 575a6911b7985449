"""A Trainer for question answering: features -> a trained model, recorded step by step, scored by EM and F1."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from transformers import Trainer, TrainerCallback, TrainerState
from transformers.trainer_utils import rotate_checkpoints

from checkpointing import is_complete, mark_complete
from huggin.answers import best_answers, score_answers
from huggin.config import DataArguments
from huggin.door import UserError, one_line
from huggin.run_folder import RunFolder
from huggin.sites import undisturbed
from huggin_utils import Recorder

if TYPE_CHECKING:
    from datasets import Dataset


class QuestionAnsweringTrainer(Trainer):
    """Hugging Face's Trainer, which also tells a Recorder what happens and turns logits into answers."""

    def __init__(
        self,
        *args: Any,
        data_args: DataArguments,
        recorder: Recorder | None = None,
        eval_records: "Dataset | None" = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.data_args = data_args
        self.recorder = recorder
        self.eval_records = eval_records
        if recorder:
            self.add_callback(_RecordingCallback(recorder))

    def training_step(self, model: torch.nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> torch.Tensor:
        """One micro-batch; its loss, raw and NaN kept, is recorded before the Trainer filters it."""
        loss = super().training_step(model, inputs, *args, **kwargs)
        if self.recorder:
            self.recorder.add_loss(loss)
        return loss

    def _get_grad_norm(self, model: torch.nn.Module, grad_norm: Any = None) -> Any:
        grad_norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        if self.recorder:
            self.recorder.set_grad_norm(grad_norm)
        return grad_norm

    def save_now(self) -> None:
        """Save a checkpoint of the state between two steps."""
        self._save_checkpoint(self.model_wrapped, trial=None)

    def save_trained(self, folder: str) -> None:
        """Save the trained model, its tokenizer and the Trainer's state."""
        self.save_model(folder)
        self.state.save_to_json(str(RunFolder(Path(folder)).trainer_state))

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Save, mark the checkpoint complete, and only then let older ones go.

        Raises UserError where it cannot be saved, with nothing half-written left, or where what was recorded is gone.
        """
        run = RunFolder(Path(self._get_output_dir(trial=trial)))
        checkpoint = run.checkpoint(self.state.global_step)
        if is_complete(checkpoint):  # saved at this step already
            return
        if self.args.should_save and checkpoint.exists():
            shutil.rmtree(checkpoint)  # left by a kill
        self.accelerator.wait_for_everyone()
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            self._seal(checkpoint)
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(checkpoint, ignore_errors=True)
            what = f"{checkpoint}: not saved: {one_line(error)}"
            raise UserError(f"{what}; mend that, the same command goes on from the checkpoint before") from error
        finally:
            self.args.save_total_limit = limit
        if self.args.should_save:
            rotate_checkpoints(run.path, limit, self.state.best_model_checkpoint)
        self.accelerator.wait_for_everyone()

    def _seal(self, checkpoint: Path) -> None:
        """Make a checkpoint count, after all that was recorded up to it has reached the disk."""
        gone = None
        if self.recorder:
            try:
                self.recorder.flush_to_disk()
            except FileNotFoundError as error:
                gone = error.filename
        if self.args.should_save:
            mark_complete(checkpoint)
        if gone:
            raise UserError(f"{gone}: taken away while it was recorded; the training is saved in {checkpoint}")

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """EM and F1 in percent over the validation questions; training goes on as if nothing had been asked."""
        features = self.eval_dataset if eval_dataset is None else eval_dataset
        records = self.eval_records
        if records is None:
            raise ValueError("evaluation needs eval_records, the questions of the features")
        with undisturbed(self.model):
            loader = self.get_eval_dataloader(features)
            output = self.evaluation_loop(loader, "Evaluation", ignore_keys=ignore_keys)
        start_logits, end_logits = output.predictions
        answers = best_answers(records["context"], features, start_logits, end_logits, self.data_args)
        scores = score_answers([answer.text for answer in answers], records)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in scores.items()}
        metrics[f"{metric_key_prefix}_samples"] = len(answers)
        self.log(metrics)
        self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class _RecordingCallback(TrainerCallback):
    """Passes the Trainer's events on to the Recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._learning_rate = float("nan")

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        self.recorder.start(state.global_step, state.max_steps)

    def on_optimizer_step(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        self._learning_rate = kwargs["optimizer"].param_groups[0]["lr"]  # before the scheduler moves on

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        self.recorder.record(state.global_step, state.epoch or 0.0, self._learning_rate)
