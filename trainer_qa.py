"""A Trainer for question answering: cfg -> features -> a trained model, recorded and scored.

`run_qa.py` is the command; `QuestionAnsweringTrainer` is Hugging Face's Trainer with what
question answering needs beyond it.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from safetensors import SafetensorError
from transformers import (
    DataCollatorWithPadding,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.trainer_utils import rotate_checkpoints

from checkpointing import (
    EvaluationStopped,
    SafeStop,
    is_complete,
    mark_complete,
    newest_checkpoint,
    save_beside,
    start_anew,
)
from huggin.common.errors import UserError
from huggin.common.files import write_json
from huggin.common.text import one_line
from huggin.model.hooks import undisturbed
from huggin.model.loading import load_model, load_tokenizer, match_tokenizer
from huggin.qa.answers import best_answers, score_answers
from huggin.qa.arguments import DataArguments
from huggin.qa.config import Config
from huggin.qa.features import (
    answers_in_no_window,
    evaluation_features,
    track_samples,
    training_features,
)
from huggin.qa.questions import load_questions
from huggin.recording.callback import RecorderCallback
from huggin.recording.recorder import Recorder
from huggin.recording.run_facts import read_facts
from huggin.recording.run_folder import RunFolder
from huggin.recording.run_settings import fixed_settings, model_name, refuse_changed
from huggin.training.announce import announce, announce_dry_run, seconds_of_a_step
from huggin.training.bar import TrainingBar
from huggin.training.plan import Plan, make_plan
from huggin.training.standing import next_commands, trained_steps

TRIED = 100  # records that become features in a dry run


class QuestionAnsweringTrainer(Trainer):
    """Hugging Face's Trainer, which also tells a Recorder what happens and scores answers."""

    def __init__(
        self,
        *args: Any,
        data_args: DataArguments,
        recorder: Recorder | None = None,
        eval_records: Dataset | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.data_args = data_args
        self.recorder = recorder
        self.eval_records = eval_records
        for theirs in (ProgressCallback, PrinterCallback):
            self.remove_callback(theirs)
        self.add_callback(TrainingBar())
        self._recording = _Recording(recorder) if recorder else None
        if self._recording:
            self.add_callback(self._recording)

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """One micro-batch. Its loss is recorded raw, before the Trainer hides NaN."""
        loss = super().training_step(model, inputs, *args, **kwargs)
        if self._recording:
            self._recording.add_loss(loss)
        return loss

    def _get_grad_norm(self, model: torch.nn.Module, grad_norm: Any = None) -> Any:
        grad_norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        if self._recording:
            self._recording.grad_norm = grad_norm
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

        Raises UserError if it cannot be saved, with nothing half-written left, or if what was
        recorded has been taken away.
        """
        run = RunFolder(Path(self._get_output_dir(trial=trial)))
        checkpoint = run.checkpoint(self.state.global_step)
        if is_complete(checkpoint):  # saved at this step already
            return
        if self.args.should_save and checkpoint.exists():
            shutil.rmtree(checkpoint)  # left by a kill
        self.accelerator.wait_for_everyone()
        limit = self.args.save_total_limit
        self.args.save_total_limit = None
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            self._seal(checkpoint)
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(checkpoint, ignore_errors=True)
            what = f"{checkpoint}: not saved: {one_line(error)}"
            advice = "fix that; the same command goes on from the checkpoint before"
            raise UserError(f"{what}; {advice}") from error
        finally:
            self.args.save_total_limit = limit
        if self.args.should_save:
            rotate_checkpoints(run.path, limit, self.state.best_model_checkpoint)
        self.accelerator.wait_for_everyone()

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

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """EM and F1 in percent over the validation questions.

        The model's mode and all random states are restored afterwards.
        """
        features = self.eval_dataset if eval_dataset is None else eval_dataset
        records = self.eval_records
        if records is None:
            raise ValueError("evaluation needs eval_records, the questions of the features")
        with undisturbed(self.model):
            loader = self.get_eval_dataloader(features)
            output = self.evaluation_loop(loader, "Evaluation", ignore_keys=ignore_keys)
        start_logits, end_logits = output.predictions
        contexts = records["context"]
        answers = best_answers(contexts, features, start_logits, end_logits, self.data_args)
        scores = score_answers([answer.text for answer in answers], records)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in scores.items()}
        metrics[f"{metric_key_prefix}_samples"] = len(answers)
        self.log(metrics)
        self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class _Recording(RecorderCallback):
    """A RecorderCallback whose Recorder is ready, and which is handed every loss."""

    reads_loss_of_model = False

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder.run.path, recorder.facts.samples)
        self._ready = recorder

    def make_recorder(self, model: Any, args: TrainingArguments, state: TrainerState) -> Recorder:
        self._ready.last_step = state.max_steps
        return self._ready

    def loss_of_step(self) -> torch.Tensor | float:
        """The sum of the micro-batches' losses, which the Trainer has divided by their number."""
        losses = self.take_losses()
        return sum(losses[1:], losses[0])


def train_and_evaluate(config: Config, run: RunFolder, stop: SafeStop) -> int:
    """Train, or go on training, then evaluate, as the cfg says; the exit code."""
    trainer = build_trainer(config, run, stop)
    if config.recording.dry_run:
        return dry_run(config, trainer)
    if config.training.do_train and not train(config, trainer, run, stop):
        return 0
    if stop.received:
        if config.on_main_process:
            _say_how_to_go_on(config, run, trainer.state.global_step)
        return stop.exit_code
    if config.training.do_eval:
        evaluate(config, trainer, run)
    if config.training.do_train and config.on_main_process:
        print(next_commands(run))
    return 0


def _say_how_to_go_on(config: Config, run: RunFolder, step: int) -> None:
    without = ", without overwrite_output_dir," if config.recording.overwrite_output_dir else ""
    saved = f"{run.path}: stopped after step {step}, saved"
    print(f"{saved}; the same command{without} goes on from there")


def build_trainer(config: Config, run: RunFolder, stop: SafeStop) -> QuestionAnsweringTrainer:
    """Load data and model and put the parts together. Raises UserError for what cannot be used."""
    training = config.training
    data = config.data
    training.dataloader_pin_memory &= training.device.type == "cuda"
    tokenizer = load_tokenizer(config.model)
    records = _load(config, "train") if training.do_train else None
    eval_records = _load(config, "validation") if training.do_eval else None
    model = load_model(config.model, training.seed)
    match_tokenizer(tokenizer, model, data.max_seq_length)
    features = None
    eval_features = None
    with training.main_process_first(desc="features"):
        if records:
            features = training_features(_tried(config, records), tokenizer, data)
        if eval_records and not config.recording.dry_run:
            eval_features = evaluation_features(eval_records, tokenizer, data)
    recorder = None
    if records and features and config.on_main_process:
        _say_what_no_window_holds(answers_in_no_window(records, features), len(records))
        if config.recording.record:
            recorder = build_recorder(config, run, model, tokenizer, records, features)
    try:
        return QuestionAnsweringTrainer(
            model=model,
            args=training,
            train_dataset=features,
            eval_dataset=eval_features,
            eval_records=eval_records,
            data_args=data,
            recorder=recorder,
            processing_class=tokenizer,
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[stop],
        )
    except (ValueError, ImportError, RuntimeError) as error:
        # keys that the Trainer checks against this machine
        raise UserError(one_line(error)) from None


def _tried(config: Config, records: Dataset) -> Dataset:
    """The records that become features: all, or in a dry run the first ones."""
    return records.select(range(min(TRIED, len(records)))) if config.recording.dry_run else records


def _load(config: Config, split: str) -> Dataset:
    return load_questions(config.data, split, config.model.cache_dir)


def build_recorder(
    config: Config,
    run: RunFolder,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    records: Dataset,
    features: Dataset,
) -> Recorder:
    """The Recorder that the cfg asks for."""
    wanted = config.recording
    seed = config.training.seed
    samples = track_samples(records, wanted.probe_samples, seed, tokenizer, config.data)
    return Recorder(
        run.path,
        model,
        samples,
        probe_points=wanted.probe_points,
        node_points=wanted.node_points,
        node_layers=wanted.node_layers,
        n_best_size=config.data.n_best_size,
        max_answer_length=config.data.max_answer_length,
        pretrained=config.model.pretrained_model,
        model_name=model_name(config),
        data_name=config.data_name,
        seed=seed,
        fixed=fixed_settings(config, model, features, len(samples)),
        cfg={key: value for key, value in config.given.items() if key != "hub_token"},
        overwrite=True,  # of what an earlier start recorded from the same step on
    )


def _say_what_no_window_holds(answers: int, records: int) -> None:
    """One line on stderr if some answers cannot be learned."""
    if answers:
        lost = f"{answers} of {records} answers are longer than any window"
        advice = "raise max_seq_length or doc_stride"
        print(
            f"run_qa.py: {lost}; these questions are trained as unanswerable; {advice}",
            file=sys.stderr,
        )


def train(
    config: Config, trainer: QuestionAnsweringTrainer, run: RunFolder, stop: SafeStop
) -> bool:
    """Train from the newest whole checkpoint, or from the start; leave the model in the folder.

    Returns whether there was anything left to train.
    """
    checkpoint = prepare(config, trainer, run, stop)
    plan = plan_of(config, trainer, len(trainer.train_dataset))
    trained = 0 if config.recording.overwrite_output_dir else trained_steps(run)
    if config.on_main_process:
        announce(plan, run, checkpoint, trained)
    if trained >= plan.steps:
        return False
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except EvaluationStopped:
        trainer.save_now()
    except (UserError, OSError):
        print(file=sys.stderr)  # the progress bar's line ends, the error's begins
        raise
    except (ValueError, TypeError, ImportError, RuntimeError, ArithmeticError) as error:
        if stop.has_begun:
            raise
        raise UserError(one_line(error)) from None  # the optimizer or data loader refuses a key
    if trainer.recorder:
        trainer.recorder.close()
        _say_not_finite(run, trainer.recorder.not_finite)
    if trainer.state.global_step >= trainer.state.max_steps and config.on_main_process:
        save_beside(run.path, trainer.save_trained)
        print(f"{run.path}: trained, {trainer.state.global_step:,} steps")
    return True


def _say_not_finite(run: RunFolder, steps: int) -> None:
    if steps:
        what = f"{run.path}: {steps} steps had no finite loss"
        print(f"{what}; a lower learning_rate, or bf16 for fp16, may help", file=sys.stderr)


def plan_of(config: Config, trainer: QuestionAnsweringTrainer, windows: int) -> Plan:
    """The plan of a training over so many windows."""
    facts = trainer.recorder.facts if trainer.recorder else None
    data = f"{config.data_name}, {windows:,} windows of up to {config.data.max_seq_length} tokens"
    if trainer.eval_records is not None:
        data += f"; {len(trainer.eval_records):,} questions to evaluate on"
    return make_plan(config, trainer.model, windows, facts, data)


def dry_run(config: Config, trainer: QuestionAnsweringTrainer) -> int:
    """Print the plan and how long a step takes; nothing is written. The exit code."""
    features = trainer.train_dataset
    if features is None:
        raise UserError("dry_run: nothing to train; set do_train to true")
    records = len(_load(config, "train"))
    windows = round(len(features) * records / min(TRIED, records))
    announce_dry_run(plan_of(config, trainer, windows), seconds_of_a_step(trainer))
    return 0


def prepare(
    config: Config, trainer: QuestionAnsweringTrainer, run: RunFolder, stop: SafeStop
) -> Path | None:
    """The checkpoint to go on from, if any.

    What an earlier run left is not touched before the training begins.
    """
    anew = config.recording.overwrite_output_dir
    checkpoint = None if anew else newest_checkpoint(run)
    if checkpoint is None and not anew and run.trainer_state.exists():
        what = f"{run.path}: a trained model without a checkpoint"
        raise UserError(f"{what}; overwrite_output_dir true starts anew")
    if trainer.recorder and checkpoint and run.facts.exists():
        refuse_changed(run, read_facts(run), trainer.recorder.facts)
    if anew and config.on_main_process:
        stop.begin = lambda: start_anew(run)
    return checkpoint


def evaluate(config: Config, trainer: QuestionAnsweringTrainer, run: RunFolder) -> None:
    """Print EM and F1 on the validation questions and keep them in the run's folder."""
    scores = trainer.evaluate()
    if config.on_main_process:
        write_json(run.eval_results, {"step": trainer.state.global_step, **scores})
        name = Path(config.data.validation_file or config.data.dataset_name or "").name
        em, f1 = scores["eval_exact_match"], scores["eval_f1"]
        questions = f"{scores['eval_samples']} questions of {name}"
        print(f"{run.path}: EM {em:.1f} %, F1 {f1:.1f} % over {questions}")
