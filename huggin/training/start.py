"""What a start must have in common with its run, and what a start says.

One batch is tried before anything is written or deleted.
"""

import hashlib
import json
import sys
import time
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch.optim import SGD
from transformers import PreTrainedModel, Trainer, TrainingArguments, get_scheduler

from huggin.common.errors import UserError
from huggin.common.text import one_line
from huggin.model.device import random_states_kept
from huggin.qa.config import Config
from huggin.qa.given import fixed_keys
from huggin.recording.checkpoints import begun_for, step_in_name
from huggin.recording.run_facts import BEFORE, LEFT_OUT, PROBE_DATA, TEXTS, RunFacts, hash_of_texts
from huggin.recording.run_folder import RunFolder
from huggin.training.bar import duration
from huggin.training.lengths import lengths_of
from huggin.training.plan import Plan


def going_on(run: RunFolder, checkpoint: Path, steps: int, now: datetime) -> str:
    """What a resumed start says. steps: of the whole training."""
    step = step_in_name(checkpoint)
    saved = datetime.fromtimestamp(checkpoint.stat().st_mtime).astimezone()
    when = f"{saved:%H:%M}" if now - saved < timedelta(hours=20) else f"{saved:%Y-%m-%d %H:%M}"
    return f"{run.path}: going on from step {step:,} of {steps:,}, checkpoint of {when}"


def where_it_is(run: RunFolder, has_driver: bool, recorded: bool = True) -> str:
    """What a finished training says: where everything is, and what to type next.

    has_driver: a driver goes on and draws by itself, so there is nothing to type.
    recorded: whether there is anything to draw.
    """
    what = f"what was recorded in {run.recording}" if recorded else "nothing was recorded"
    where = f"the model is in {run.path}, {what}"
    if has_driver:
        return where
    commands = (
        f"  huggin graph-weights {run.path}",
        f"  huggin graph-logits {run.path} --over-time",
    )
    asking = ("  huggin test-qa-efficacy CFG    (the cfg of this training)",)
    return "\n".join((f"{where}; next:", *(commands if recorded else asking)))


def model_name(config: Config) -> str:
    """The model's name on the Hub, or its folder's name."""
    name = _source(config)
    return Path(name).name if Path(name).is_dir() else name


def _source(config: Config) -> str:
    return config.model.model_name_or_path or config.model.config_name or ""


def fixed_settings(
    config: Config, model: PreTrainedModel, records: Dataset, features: Dataset, tracked: int
) -> dict[str, Any]:
    """What a resumed run must share with its beginning, so that one recording fits both."""
    fixed = {
        "model_name_or_path": Path(_source(config)).name,
        "model": f"{type(model).__name__} with {model.num_parameters():,} parameters",
        "pretrained_model": config.model.pretrained_model,
        "max_seq_length": config.data.max_seq_length,
        "doc_stride": config.data.doc_stride,
        **{key: getattr(config.training, key) for key in fixed_keys()},
        "world_size": config.training.world_size,
        "n_gpu": max(config.training.n_gpu, 1),  # devices that share a process's batch
        "training data": _fingerprint(features),
        TEXTS: hash_of_texts(records),
        "probe_samples": tracked,
        PROBE_DATA: config.recording.probe_data,
        LEFT_OUT: config.data.leave_out,
    }
    return json.loads(json.dumps(fixed))  # as it comes back from run.json


def _fingerprint(features: Dataset) -> str:
    """A hash of all training features: questions, contexts, tokenizer and answers in one."""
    digest = hashlib.sha256()
    for batch in features.data.to_batches():
        for name in ("input_ids", "start_positions", "end_positions"):
            column = batch.column(batch.schema.get_field_index(name))
            numbers = column.flatten() if name == "input_ids" else column
            digest.update(numbers.to_numpy(zero_copy_only=False).tobytes())
    return digest.hexdigest()[:16]


def changed_settings(begun: RunFacts, now: RunFacts) -> str:
    """Each setting that has changed since the run began, in words; "" if none has."""
    changed = [
        f"{key} was {value}, is now {now.fixed.get(key)}"
        for key, value in (BEFORE | begun.fixed).items()
        if value != now.fixed.get(key)
    ]
    return f"begun with other settings: {'; '.join(changed)}" if changed else ""


def try_a_batch(trainer: Trainer) -> None:
    """Send the longest window of the data, padded shorter ones beside it, forward and backward.

    A copy of the model takes them, and random states are put back, so nothing of it remains.
    Raises UserError for what the pass raises.
    """
    by_length = np.argsort(lengths_of(trainer.train_dataset), kind="stable").tolist()
    batch = _batch(trainer, [by_length[-1], *by_length[: trainer.args.train_batch_size - 1]])
    shape = " x ".join(map(str, batch["input_ids"].shape))
    try:
        with random_states_kept():
            model = deepcopy(trainer.model).train()
            with trainer.compute_loss_context_manager():
                loss = trainer.compute_loss(model, batch)
            loss.backward()
    except Exception as error:  # the model's code raises all kinds for what it cannot take
        what = f"{type(trainer.model).__name__}: a batch of {shape} tokens does not pass"
        advice = "choose another model, max_seq_length or batch size"
        raise UserError(f"{what}: {one_line(error)}; {advice}; nothing was changed") from None


def _batch(trainer: Trainer, chosen: list[int]) -> dict[str, Any]:
    """Some windows of the training data as a batch, on the device."""
    features = trainer._remove_unused_columns(trainer.train_dataset)
    return trainer._prepare_inputs(trainer.data_collator([features[index] for index in chosen]))


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
    inputs = _batch(trainer, _typical_batch(trainer))
    seconds = 0.0
    for _ in range(2):
        begun = time.perf_counter()
        with trainer.accelerator.autocast():
            loss = trainer.model(**inputs).loss
        loss.backward()
        seconds = time.perf_counter() - begun
    return seconds * trainer.args.gradient_accumulation_steps


def _typical_batch(trainer: Trainer) -> list[int]:
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
