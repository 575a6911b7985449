"""What a start says before it trains."""

import sys
import time
from datetime import datetime
from pathlib import Path

import torch
from torch.optim import SGD
from transformers import Trainer, TrainingArguments, get_scheduler

from huggin.recording.checkpoints import begun_for, step_in_name
from huggin.recording.run_folder import RunFolder
from huggin.training.bar import duration
from huggin.training.lengths import lengths_of
from huggin.training.plan import Plan
from huggin.training.standing import going_on


def announce(
    plan: Plan, run: RunFolder, checkpoint: Path | None, training: TrainingArguments
) -> None:
    """Print the plan, where a resumed training goes on, and whether it changes its schedule there.

    Raises UserError if the disk is too full.
    """
    print("\n".join(["this training:", *plan.lines()]))
    if checkpoint:
        print(going_on(run, checkpoint, plan.steps, datetime.now().astimezone()))
        planned = begun_for(checkpoint) or plan.steps
        if has_other_rates(training, planned, plan.steps, step_in_name(checkpoint)):
            what = f"begun with learning rates for {planned:,} steps, goes on with those for"
            print(f"{run.path}: {what} {plan.steps:,}; training them in one go gives another model")
    sys.stdout.flush()
    plan.refuse_full_disk()


def announce_dry_run(plan: Plan, seconds: float) -> None:
    """Print the plan and how long it takes. seconds: of one optimizer step."""
    print("\n".join(["this training would be:", *plan.lines()]))
    whole = duration(seconds * plan.steps)
    print(f"  time      {seconds:.2f} s for a step, about {whole} in all (without evaluations)")
    plan.refuse_full_disk()


def seconds_of_a_step(trainer: Trainer) -> float:
    """How long one optimizer step takes: the second of two, forward and backward."""
    trainer.model.to(trainer.args.device).train()
    features = trainer._remove_unused_columns(trainer.train_dataset)
    batch = [features[index] for index in typical_batch(trainer)]
    inputs = trainer._prepare_inputs(trainer.data_collator(batch))
    seconds = 0.0
    for _ in range(2):
        begun = time.perf_counter()
        with trainer.accelerator.autocast():
            loss = trainer.model(**inputs).loss
        loss.backward()
        seconds = time.perf_counter() - begun
    return seconds * trainer.args.gradient_accumulation_steps


def typical_batch(trainer: Trainer) -> list[int]:
    """The indices of the batch of an epoch whose longest window has the median length."""
    lengths = lengths_of(trainer.train_dataset)
    order = list(trainer._get_train_sampler())
    size = trainer.args.train_batch_size
    batches = [order[first : first + size] for first in range(0, len(order), size)]
    whole = batches[: max(1, len(order) // size)]
    whole.sort(key=lambda batch: max(lengths[index] for index in batch))
    return whole[len(whole) // 2]


def has_other_rates(training: TrainingArguments, begun_for: int, steps: int, done: int) -> bool:
    """Whether the first `done` steps have other rates in a training of `steps`, as it was begun."""

    def rates(length: int) -> list[float]:
        optimizer = SGD([torch.zeros(1)], lr=training.learning_rate)
        kind, warmup = training.lr_scheduler_type, training.get_warmup_steps(length)
        schedule = get_scheduler(kind, optimizer, warmup, length, training.lr_scheduler_kwargs)
        return [
            share(step) for share in getattr(schedule, "lr_lambdas", []) for step in range(done)
        ]

    return rates(begun_for) != rates(steps)
