"""cfg.json (or flags) -> all typed arguments of a training, with the Trainer's own.

What the toolkit's own keys need stands in `huggin/qa/given.py`, which loads at once.
"""

import json
import os
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

from torch import accelerator
from transformers import Trainer, TrainingArguments

from huggin.common.text import one_line
from huggin.qa.given import Keys, read_given, trainer_keys, typed

FOR_WORKERS = (  # of a data loader
    "dataloader_persistent_workers",
    "dataloader_prefetch_factor",
    "dataloader_multiprocessing_context",
)


@dataclass(frozen=True)
class Config(Keys):
    """The typed arguments of a run, and the keys as they were given."""

    training: TrainingArguments

    @property
    def on_main_process(self) -> bool:
        """Whether this process records and writes; one of those that torchrun starts does."""
        joined = self.training.device is not None  # reading `device` makes the processes meet
        return joined and self.training.process_index == 0


def read_config(
    cfg: Path | None, flags: list[str], kept: Mapping[str, Any] | None = None
) -> Config:
    """`read_given`, and TrainingArguments. Raises UserError for values that exclude each other."""
    return for_training(read_given(cfg, flags, kept))


def for_training(keys: Keys) -> Config:
    """The same with TrainingArguments. Raises UserError with all problems in one line."""
    problems: list[str] = []
    training = _training(keys.given, problems)
    keys.refuse(problems)
    config = Config(**vars(keys), training=training)
    keys.refuse(list(_do_not_fit(config)))
    return config


def _training(raw: Mapping[str, Any], problems: list[str]) -> Any:
    """TrainingArguments of the keys that it owns; what is wrong is appended to `problems`."""
    hints = get_type_hints(TrainingArguments)
    kinds = {key: _or_enum(hints[key]) for key in trainer_defaults()}
    values = typed(raw, kinds, problems)
    defaults = trainer_defaults()
    refused = {row["key"]: row["note"] for row in trainer_keys() if row["can be set"] == "no"}
    for key in [key for key in values if key in refused and values[key] != defaults[key]]:
        problems.append(f"{key}: leave it {json.dumps(defaults[key])}; {refused[key]}")
        del values[key]
    # Without a GPU each process that torchrun starts would train alone, and transformers wants to
    # be told before it uses bf16 on a processor.
    if ("LOCAL_RANK" in os.environ or values.get("bf16")) and not accelerator.is_available():
        values.setdefault("use_cpu", True)
    try:
        return TrainingArguments(**values)
    except (ValueError, TypeError, ImportError, OSError, AttributeError, KeyError) as error:
        problems.append(one_line(error))


def trainer_defaults() -> dict[str, Any]:
    """The keys of the installed transformers and their defaults."""
    keys = [key for key in fields(TrainingArguments) if key.init]
    built = {key.name: key.default_factory() for key in keys if key.default_factory is not MISSING}
    return {key.name: built.get(key.name, key.default) for key in keys}


def _or_enum(kind: Any) -> Any:
    """A type; the Enum alone where its names or any text are taken."""
    options = (option for option in get_args(kind) if isinstance(option, type))
    return next((option for option in options if issubclass(option, Enum)), kind)


def _do_not_fit(config: Config) -> Iterator[str]:
    """Values that exclude each other, or that need a GPU."""
    training = config.training
    if training.max_steps < 1 and (training.max_steps != -1 or training.num_train_epochs <= 0):
        yield "num_train_epochs, max_steps: one of them must be more than 0"
    metric = (training.metric_for_best_model or "f1").removeprefix("eval_")
    choose = "choose exact_match, f1 or loss"
    if metric not in ("exact_match", "f1", "loss"):
        yield f"metric_for_best_model: {metric} is not measured; {choose}"
    if training.save_strategy == "best" and not training.metric_for_best_model:
        yield f"metric_for_best_model: missing, and save_strategy is best; {choose}"
    if training.fp16 and training.device.type == "cpu":
        yield "fp16: needs a GPU; leave it out here"
    yield from _of_optimizer(training)
    for key in FOR_WORKERS:
        if getattr(training, key) and not training.dataloader_num_workers:
            yield f"{key}: needs dataloader_num_workers of 1 or more"


def _of_optimizer(training: TrainingArguments) -> Iterator[str]:
    """Options of an optimizer that takes none; the Trainer would leave them out without a word."""
    optimizer = str(getattr(training.optim, "value", training.optim))
    if training.optim_target_modules and not optimizer.startswith(("galore", "apollo")):
        yield f"optim_target_modules: {optimizer} takes none; leave it out, or choose GaLore"
    if not training.optim_args:
        return
    plain = copy(training)
    plain.optim_args = None
    try:
        chosen, without = map(Trainer.get_optimizer_cls_and_kwargs, (training, plain))
    except ImportError:  # the Trainer says what to install
        return
    except (ValueError, TypeError, AttributeError) as error:
        yield f"optim_args: {one_line(error)}; write name=value,name=value"
        return
    if chosen == without:
        yield f"optim_args: {optimizer} takes none of these; leave it out, or choose another optim"
