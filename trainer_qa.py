"""A Trainer for question answering: cfg -> features -> a trained model, recorded and scored.

`run_qa.py` is the command; `QuestionAnsweringTrainer` is Hugging Face's Trainer with what
question answering needs beyond it.
"""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from checkpointing import EvaluationStopped, SafeStop, SafeTrainer
from huggin.analysis.learning import validation_in_words
from huggin.common.cli import called
from huggin.common.errors import UserError
from huggin.common.files import write_json
from huggin.common.progress import shows_bars
from huggin.common.streams import warn
from huggin.common.text import one_line
from huggin.model.device import copies_in_background, use_one_gpu
from huggin.model.evaluation import EvaluatingTrainer
from huggin.model.hooks import refuse_blind_no_answer
from huggin.model.loading import load_model, load_tokenizer, match_tokenizer
from huggin.model.parts import before_clipping
from huggin.pages.card import write_card
from huggin.qa.config import Config
from huggin.qa.config import for_training as for_training  # run_qa.py takes it from here
from huggin.qa.features import (
    doubts,
    evaluation_features,
    padded,
    track_samples,
    training_features,
)
from huggin.qa.questions import shared_questions
from huggin.recording.callback import RecorderCallback
from huggin.recording.checkpoints import (
    newest_checkpoint,
    refuse_other_content,
    save_beside,
    start_anew,
    why_not_begun,
)
from huggin.recording.probe import batch_rows
from huggin.recording.recorder import Recorder
from huggin.recording.results import parts_in_words, read_evaluations, trained_on_in_words
from huggin.recording.run_facts import read_facts
from huggin.recording.run_folder import RunFolder
from huggin.training.bar import TrainingBar
from huggin.training.leaving_out import loss_without
from huggin.training.lengths import GroupingTrainer, choose_sampling
from huggin.training.notify import MORE_FOLLOWS
from huggin.training.plan import Plan
from huggin.training.standing import already_trained, is_finished, lacks_scores, trained_steps
from huggin.training.start import (
    announce,
    announce_dry_run,
    changed_settings,
    fixed_settings,
    model_name,
    seconds_of_a_step,
    try_a_batch,
    where_it_is,
)

TRIED = 100  # records that become features in a dry run

TRAINING = "Training"  # how the Trainer calls the loader of training data
PLACE = ("record", "window")  # columns that say where in the data a window comes from


class QuestionAnsweringTrainer(SafeTrainer, EvaluatingTrainer, GroupingTrainer):
    """A Trainer that also tells a Recorder what happens, and scores answers."""

    def __init__(
        self,
        *args: Any,
        recorder: Recorder | None = None,
        records: bool = False,
        pointers: bool = True,
        trained_on: int = 0,
        weights: str = "",
        **kwargs: Any,
    ) -> None:
        """recorder: of the process that records. records: whether one of the processes does.
        pointers: as of `RecorderCallback`.
        trained_on: how many of `eval_records` are in the training data, too.
        weights: where the model's come from, in words.
        """
        super().__init__(*args, **kwargs)
        self.recorder = recorder
        self.trained_on = trained_on
        self.weights = weights
        self._batch: dict[str, torch.Tensor] = {}
        for theirs in (ProgressCallback, PrinterCallback):
            self.remove_callback(theirs)
        self.add_callback(TrainingBar())
        self._recording = None
        if records:
            folder = self.args.output_dir
            self._recording = RecorderCallback(
                folder, (), ready=recorder, hands_over=True, pointers=pointers
            )
            self.add_callback(self._recording)

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """One micro-batch. Its loss is recorded raw, before the Trainer hides NaN."""
        self._batch = {name: inputs.pop(name) for name in PLACE if name in inputs}
        loss = super().training_step(model, inputs, *args, **kwargs)
        if self._recording:
            self._recording.add_loss(loss)
        return loss

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        **kwargs: Any,
    ) -> Any:
        """The batch's loss; what it says of each question is recorded, from the same logits."""
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True, **kwargs)
        if self._recording and model.training and self._batch:
            rows = batch_rows(inputs, outputs, *(self._batch[name] for name in PLACE))
            self._recording.add_rows(rows, inputs, outputs)
        if self._batch and self.data_args.leave_out is not None:
            is_out = self._batch["record"] == self.data_args.leave_out
            loss = loss_without(loss, inputs, outputs, is_out)
        return (loss, outputs) if return_outputs else loss

    def _remove_unused_columns(self, dataset: Dataset, description: str | None = None) -> Dataset:
        """What the model takes; in training also each window's place in the data."""
        columns = super()._remove_unused_columns(dataset, description).column_names
        if description == TRAINING:
            columns = [*columns, *(name for name in PLACE if name in dataset.column_names)]
        return dataset.select_columns(columns)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write ours, which a push takes along; the Trainer's if nothing was recorded.

        A README.md that is not ours stays.
        """
        if self.recorder:
            write_card(self.recorder.run)
        elif not RunFolder(Path(self.args.output_dir)).card.exists():
            super().create_model_card(*args, **kwargs)

    def _get_grad_norm(self, model: torch.nn.Module, grad_norm: Any = None) -> Any:
        grad_norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        if self._recording and self.recorder:
            self._recording.grad_norm = grad_norm
            self._recording.part_norms = before_clipping(self.recorder.gradient_norms(), grad_norm)
        return grad_norm


def train_and_evaluate(
    config: Config, run: RunFolder, stop: SafeStop, questions: Mapping[str, Dataset]
) -> int:
    """Train, or go on training, then evaluate, as the cfg says; the exit code.

    questions: by split, as `questions_of` gives them.
    """
    trainer = build_trainer(config, run, stop, questions)
    if config.recording.dry_run:
        return dry_run(config, trainer, len(questions.get("train", ())))
    if config.training.do_train and not train(config, trainer, run, stop):
        if not lacks_scores(run, config.training.do_eval):
            return 0
        trainer.load_trained(run)
    if stop.received:
        if config.on_main_process:
            anew = config.recording.overwrite_output_dir
            without = ", without overwrite_output_dir," if anew else ""
            saved = f"{run.path}: stopped after step {trainer.state.global_step}, saved"
            print(f"{saved}; the same command{without} goes on from there")
        return stop.exit_code
    if config.training.do_eval:
        evaluate(config, trainer, run)
    if config.training.do_train:
        hand_on(config, trainer, run)
    if config.training.do_train and config.on_main_process:
        has_driver = MORE_FOLLOWS in os.environ
        print(where_it_is(run, has_driver, recorded=config.recording.record))
    return 0


def build_trainer(
    config: Config, run: RunFolder, stop: SafeStop, questions: Mapping[str, Dataset]
) -> QuestionAnsweringTrainer:
    """Load the model and put the parts together. Raises UserError for what cannot be used."""
    training = config.training
    data = config.data
    use_one_gpu(training)
    training.dataloader_pin_memory &= copies_in_background(training.device)
    tokenizer = load_tokenizer(config.model)
    records = questions["train"] if training.do_train else None
    eval_records = questions["validation"] if training.do_eval else None
    model, weights = load_model(config.model, training.seed, training.do_train)
    match_tokenizer(tokenizer, model, data.max_seq_length)
    if data.version_2_with_negative:
        refuse_blind_no_answer(tokenizer, model)
    windows = (tokenizer, data)
    with training.main_process_first(desc="features"):
        features = training_features(_tried(config, records), *windows) if records else None
        evaluated = _tried(config, eval_records) if eval_records else None
        eval_features = evaluation_features(evaluated, *windows) if evaluated else None
    if features:
        choose_sampling(config, features, run)
    recorder = None
    if records and features and config.on_main_process:
        for line in doubts(records, features, tokenizer):
            warn(f"{called('run_qa.py')}: {line}")
        if config.recording.record:
            recorder = build_recorder(config, run, model, tokenizer, questions, features)
    try:
        return QuestionAnsweringTrainer(
            model=model,
            args=training,
            train_dataset=features,
            eval_dataset=eval_features,
            eval_records=eval_records,
            trained_on=len(shared_questions(eval_records, records)),
            data_args=data,
            recorder=recorder,
            records=config.recording.record and features is not None,
            pointers=config.recording.pointers,
            weights=weights,
            processing_class=tokenizer,
            data_collator=partial(padded, tokenizer),
            callbacks=[stop],
        )
    except (ValueError, ImportError, RuntimeError) as error:
        # keys that the Trainer checks against this machine
        raise UserError(one_line(error)) from None


def _tried(config: Config, records: Dataset) -> Dataset:
    """The records that become features: all, or in a dry run the first ones."""
    return records.select(range(min(TRIED, len(records)))) if config.recording.dry_run else records


def build_recorder(
    config: Config,
    run: RunFolder,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    questions: Mapping[str, Dataset],
    features: Dataset,
) -> Recorder:
    """The Recorder that the cfg asks for. questions: by split."""
    wanted = config.recording
    seed = config.training.seed
    tracked = questions[wanted.probe_data]
    samples = track_samples(tracked, wanted.probe_samples, seed, tokenizer, config.data)
    return Recorder(
        run.path,
        model,
        samples,
        probe_points=wanted.probe_points,
        node_points=wanted.node_points,
        ledger_points=wanted.ledger_points,
        node_layers=wanted.node_layers,
        n_best_size=config.data.n_best_size,
        max_answer_length=config.data.max_answer_length,
        pretrained=config.model.pretrained_model,
        model_name=model_name(config),
        data_name=config.data_name,
        seed=seed,
        fixed=fixed_settings(config, model, questions["train"], features, len(samples)),
        cfg={key: value for key, value in config.given.items() if key != "hub_token"},
        overwrite=True,  # of what an earlier start recorded from the same step on
    )


def train(
    config: Config, trainer: QuestionAnsweringTrainer, run: RunFolder, stop: SafeStop
) -> bool:
    """Train from the newest whole checkpoint, or from the start; leave the model in the folder.

    Returns whether there was anything left to train.
    """
    checkpoint = prepare(config, run, stop)
    plan = plan_of(config, trainer, len(trainer.train_dataset))
    trained = trained_steps(run, checkpoint)
    changed = ""
    if trainer.recorder and checkpoint and run.facts.exists():
        changed = changed_settings(read_facts(run), trainer.recorder.facts)
    training = config.training
    epochs = None if training.max_steps > 0 else training.num_train_epochs
    if is_finished(run, trained, plan.steps, epochs):
        lacking = lacks_scores(run, training.do_eval)
        if config.on_main_process:
            print(already_trained(run, trained, plan.steps, lacking, changed))
        return False
    if changed:
        advice = "undo that, name another output_dir, or set overwrite_output_dir to true"
        raise UserError(f"{run.path}: {changed}; {advice}")
    if config.on_main_process:
        announce(plan, run, checkpoint, training)
    try_a_batch(trainer)
    _train_from(checkpoint, trainer, stop)
    if trainer.recorder:
        trainer.recorder.close()
        if steps := trainer.recorder.not_finite:
            what = f"{run.path}: {steps} steps had no finite loss"
            warn(f"{what}; a lower learning_rate, or bf16 for fp16, may help")
    if not stop.received or trainer.state.global_step >= trainer.state.max_steps:
        if config.on_main_process:
            save_beside(run.path, trainer.save_trained)
            print(f"{run.path}: trained, {trainer.state.global_step:,} steps")
        trainer.push_trained()
    return True


def _train_from(checkpoint: Path | None, trainer: QuestionAnsweringTrainer, stop: SafeStop) -> None:
    """Train to the end, or until a signal. Raises UserError for a training that cannot begin."""
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except EvaluationStopped:
        trainer.save_now()
    except (UserError, OSError):
        if shows_bars():
            warn("")  # the progress bar's line ends, the error's begins
        raise
    except Exception as error:
        if stop.has_begun:
            raise
        raise UserError(why_not_begun(error, checkpoint)) from None


def hand_on(config: Config, trainer: QuestionAnsweringTrainer, run: RunFolder) -> None:
    """Write the model card; if there are scores, push once more, which takes them along."""
    if trainer.recorder:
        write_card(run)
    if config.training.do_eval:
        trainer.push_trained()


def plan_of(config: Config, trainer: QuestionAnsweringTrainer, windows: int) -> Plan:
    """The plan of a training over so many windows."""
    facts = trainer.recorder.facts if trainer.recorder else None
    evaluated = len(trainer.eval_records or ())
    return Plan(config, trainer.model, trainer.weights, windows, evaluated, facts)


def dry_run(config: Config, trainer: QuestionAnsweringTrainer, records: int) -> int:
    """Print the plan and how long a step takes; nothing is written. The exit code.

    records: how many questions there are to train on.
    """
    features = trainer.train_dataset
    if features is None:
        raise UserError("dry_run: nothing to train; set do_train to true")
    windows = round(len(features) * records / min(TRIED, records))
    try_a_batch(trainer)
    announce_dry_run(plan_of(config, trainer, windows), seconds_of_a_step(trainer))
    return 0


def prepare(config: Config, run: RunFolder, stop: SafeStop) -> Path | None:
    """The checkpoint to go on from, if any.

    What an earlier run left is not touched before the training begins.
    """
    anew = config.recording.overwrite_output_dir
    if anew:
        refuse_other_content(run)
    checkpoint = None if anew else newest_checkpoint(run)
    if checkpoint is None and not anew and run.trainer_state.exists():
        what = f"{run.path}: a trained model without a checkpoint"
        raise UserError(f"{what}; overwrite_output_dir true starts anew")
    if anew and config.on_main_process:
        stop.begin = lambda: start_anew(run)
    return checkpoint


def evaluate(config: Config, trainer: QuestionAnsweringTrainer, run: RunFolder) -> None:
    """Print EM and F1 on the validation questions and keep them in the run's folder."""
    scores = trainer.evaluate()
    if not config.on_main_process:
        return
    facts = {"step": trainer.step_of_model, "trained_on": trainer.trained_on}
    write_json(run.eval_results, facts | scores)
    name = config.data.name_of("validation")
    measured = f"EM {scores['eval_exact_match']:.1f} %, F1 {scores['eval_f1']:.1f} %"
    asked = int(scores["eval_samples"])
    note = trained_on_in_words(trainer.trained_on, asked)
    whole = f"{run.path}: {measured} over {asked} questions of {name}{note}"
    print(whole, *parts_in_words(scores, "eval_"), sep="\n")
    if validation := validation_in_words(read_evaluations(run)):
        print(f"{run.path}: {validation}")
