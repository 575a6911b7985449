"""One batch through model and loss before anything is written or deleted."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from torch import nn
from transformers import Trainer

from huggin.common.errors import UserError
from huggin.common.text import one_line
from huggin.model.device import random_states_kept
from huggin.training.lengths import lengths_of


def try_a_batch(trainer: Trainer) -> None:
    """Send the longest window of the data, padded shorter ones beside it, forward and backward.

    Model and random states are as before. Raises UserError for what the pass raises.
    """
    longest_first = np.argsort(lengths_of(trainer.train_dataset), kind="stable")[::-1]
    size = min(trainer.args.train_batch_size, len(longest_first))
    chosen = [longest_first[0], *longest_first[len(longest_first) - size + 1 :]]
    features = trainer._remove_unused_columns(trainer.train_dataset)
    batch = trainer.data_collator([features[int(index)] for index in chosen])
    shape = " x ".join(map(str, batch["input_ids"].shape))
    try:
        with unchanged(trainer.model), random_states_kept():
            trainer.model.train()
            with trainer.compute_loss_context_manager():
                loss = trainer.compute_loss(trainer.model, trainer._prepare_inputs(batch))
            loss.backward()
    except Exception as error:  # the model's code raises all kinds for what it cannot take
        what = f"{type(trainer.model).__name__}: a batch of {shape} tokens does not pass"
        advice = "choose another model, max_seq_length or batch size"
        raise UserError(f"{what}: {one_line(error)}; {advice}; nothing was changed") from None


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Afterwards the model's modes, buffers and attributes are as before, and gradients None."""
    modules = list(model.modules())
    attributes = [dict(vars(module)) for module in modules]
    buffers = [dict(module._buffers) for module in modules]
    contents = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        model.zero_grad(set_to_none=True)
        for buffer, content in contents:
            buffer.detach().copy_(content)
        for module, known, own in zip(modules, attributes, buffers, strict=True):
            vars(module).clear()
            vars(module).update(known)
            module._buffers.clear()
            module._buffers.update(own)
