"""Fine-tune a model for question answering: cfg.json -> RUN, its folder.

python run_qa.py cfg.json
python run_qa.py cfg.json --num_train_epochs 3
"""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from huggin.config import Config, describe_keys, read_config
from huggin.door import DoorParser, UserError, one_line, open_door
from huggin.run_folder import RunFolder

if TYPE_CHECKING:
    from checkpointing import SafeStop
    from trainer_qa import QuestionAnsweringTrainer

DESCRIPTION = f"""Fine-tune a model for question answering; resumes by itself where an earlier start stopped.

Any key of cfg.json can be given as --key value too, and wins. The toolkit's own, with their defaults:
{describe_keys()}
and every key of Hugging Face's TrainingArguments: num_train_epochs, learning_rate, seed, ..."""


def main() -> int:
    """Train, or go on training; then evaluate where do_eval is set."""
    cfg, flags = read_command_line()
    from checkpointing import SafeStop
    from huggin.run_lock import locked

    stop = SafeStop()
    stop.install()
    config = read_config(cfg, flags)
    stop.save_minutes = config.recording.save_minutes
    run = RunFolder(Path(config.training.output_dir))
    with locked(run) if config.on_main_process else nullcontext():
        return train_and_evaluate(config, run, stop)


def train_and_evaluate(config: Config, run: RunFolder, stop: "SafeStop") -> int:
    """What `main` does while it holds the run's folder; the exit code."""
    trainer = build_trainer(config, run, stop)
    if config.training.do_train:
        train(config, trainer, run, stop)
    if stop.received:
        if config.on_main_process:
            without = ", without overwrite_output_dir," if config.recording.overwrite_output_dir else ""
            saved = f"{run.path}: stopped after step {trainer.state.global_step}, saved"
            print(f"{saved}; the same command{without} goes on from there")
        return stop.exit_code
    if config.training.do_eval:
        evaluate(config, trainer, run)
    return 0


def read_command_line() -> tuple[Path | None, list[str]]:
    """The cfg, if one is given, and the flags after it."""
    parser = DoorParser(DESCRIPTION, "python run_qa.py cfg.json --seed 7")
    parser.add_argument("cfg", metavar="CFG", nargs="?", type=Path, help="a JSON of keys")
    words = sys.argv[1:]
    first_flag = next((at for at, word in enumerate(words) if word.startswith("--") and word != "--help"), len(words))
    cfg = parser.parse_args(words[:first_flag]).cfg
    if not words:
        parser.error("no CFG and no flags")
    return cfg, words[first_flag:]


def build_trainer(config: Config, run: RunFolder, stop: "SafeStop") -> "QuestionAnsweringTrainer":
    """Load data and model and put the parts together. Raises UserError for what cannot be used."""
    from transformers import DataCollatorWithPadding

    from huggin import bert, questions, squad
    from huggin_utils import Recorder
    from trainer_qa import QuestionAnsweringTrainer

    config.training.dataloader_pin_memory &= config.training.device.type == "cuda"
    training, data, cache = config.training, config.data, config.model.cache_dir
    tokenizer = bert.load_tokenizer(config.model)
    records = questions.load_questions(data, "train", cache) if training.do_train else None
    eval_records = questions.load_questions(data, "validation", cache) if training.do_eval else None
    model = bert.load_model(config.model, training.seed)
    bert.match_tokenizer(tokenizer, model, data.max_seq_length)
    with training.main_process_first(desc="features"):
        features = squad.training_features(records, tokenizer, data) if records else None
        eval_features = squad.evaluation_features(eval_records, tokenizer, data) if eval_records else None
    if records and features and config.on_main_process:
        say_what_no_window_holds(squad.answers_in_no_window(records, features), len(records))
    recorder = None
    if records and config.recording.record and config.on_main_process:
        samples = squad.track_samples(records, config.recording.probe_samples, training.seed, tokenizer, data)
        recorder = Recorder(run, model, samples, data, config.recording)
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
    except (ValueError, ImportError, RuntimeError) as error:  # keys that the Trainer checks against this machine
        raise UserError(one_line(error)) from None


def say_what_no_window_holds(answers: int, records: int) -> None:
    """One line on stderr where some answers cannot be learned."""
    if answers:
        lost = f"{answers} of {records} answers fit into no window and are trained as no answer"
        print(f"run_qa.py: {lost}; raise max_seq_length or doc_stride", file=sys.stderr)


def train(config: Config, trainer: "QuestionAnsweringTrainer", run: RunFolder, stop: "SafeStop") -> None:
    """Train from the newest whole checkpoint, or from the start; leave the trained model in the run's folder."""
    from checkpointing import EvaluationStopped, save_beside

    checkpoint = prepare(config, trainer, run, stop)
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
        raise UserError(one_line(error)) from None  # a key that the optimizer or the data loader refuses
    if trainer.recorder:
        trainer.recorder.close()
        if trainer.recorder.not_finite:
            steps = f"{trainer.recorder.not_finite} steps had no finite loss"
            print(f"{run.path}: {steps}; a lower learning_rate, or bf16 for fp16, may help", file=sys.stderr)
    if trainer.state.global_step >= trainer.state.max_steps and config.on_main_process:
        save_beside(run.path, trainer.save_trained)
        print(f"{run.path}: trained, {trainer.state.global_step} steps")


def prepare(config: Config, trainer: "QuestionAnsweringTrainer", run: RunFolder, stop: "SafeStop") -> Path | None:
    """The checkpoint to go on from, if any. What an earlier run left is touched only when the training begins."""
    from checkpointing import newest_checkpoint, start_anew
    from huggin.recording import read_facts, write_facts
    from huggin.run_facts import refuse_changed, run_facts

    anew, recorder = config.recording.overwrite_output_dir, trainer.recorder
    checkpoint = None if anew else newest_checkpoint(run)
    if checkpoint is None and not anew and run.trainer_state.exists():
        raise UserError(f"{run.path}: a trained model without a checkpoint; overwrite_output_dir true starts anew")
    facts = {}
    if recorder:
        facts = run_facts(config, trainer.model, trainer.train_dataset, recorder.sites, recorder.samples)
        if checkpoint and run.facts.exists():
            refuse_changed(run, read_facts(run), facts)

    def begin() -> None:
        if anew and config.on_main_process:
            start_anew(run)
        if recorder:
            write_facts(run, facts)

    stop.begin = begin
    return checkpoint


def evaluate(config: Config, trainer: "QuestionAnsweringTrainer", run: RunFolder) -> None:
    """Print EM and F1 on the validation questions and keep them in the run's folder."""
    from huggin.files import write_json

    scores = trainer.evaluate()
    if config.on_main_process:
        write_json(run.eval_results, {"step": trainer.state.global_step, **scores})
        name = Path(config.data.validation_file or config.data.dataset_name or "").name
        print(
            f"{run.path}: EM {scores['eval_exact_match']:.1f} %, F1 {scores['eval_f1']:.1f} % "
            f"over {scores['eval_samples']} questions of {name}"
        )


if __name__ == "__main__":
    open_door(main)
