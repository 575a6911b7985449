"""Learning rates of a training that goes on for another number of steps than it was begun for.

Its first step has the rate of the new schedule; the checkpoint holds that of the old one.
"""

from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainingArguments, get_scheduler


def take_new_rate(scheduler: Any, optimizer: torch.optim.Optimizer) -> None:
    """Give the optimizer the rate that the schedule has for its next step.

    scheduler: one whose place, but not whose length, was loaded from a checkpoint.
    """
    if not isinstance(scheduler, LambdaLR):  # the others do not depend on the length
        return
    for group, base, share in zip(
        optimizer.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True
    ):
        group["lr"] = base * share(scheduler.last_epoch)


def has_other_rates(training: TrainingArguments, begun_for: int, steps: int, done: int) -> bool:
    """Whether the first `done` steps have other rates in a training of `steps`, as it was begun."""

    def rates(length: int) -> list[float]:
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=training.learning_rate)
        schedule = get_scheduler(
            training.lr_scheduler_type,
            optimizer,
            training.get_warmup_steps(length),
            length,
            training.lr_scheduler_kwargs,
        )
        shares = getattr(schedule, "lr_lambdas", [])
        return [shares[0](step) for step in range(done)] if shares else []

    return rates(begun_for) != rates(steps)
