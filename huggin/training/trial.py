"""One batch through model and loss before anything is written or deleted."""

from copy import deepcopy

import numpy as np
from transformers import Trainer

from huggin.common.errors import UserError
from huggin.common.text import one_line
from huggin.model.device import random_states_kept
from huggin.training.lengths import lengths_of


def try_a_batch(trainer: Trainer) -> None:
    """Send the longest window of the data, padded shorter ones beside it, forward and backward.

    A copy of the model takes them, and random states are put back, so nothing of it remains.
    Raises UserError for what the pass raises.
    """
    by_length = np.argsort(lengths_of(trainer.train_dataset), kind="stable")
    chosen = [by_length[-1], *by_length[: trainer.args.train_batch_size - 1]]
    features = trainer._remove_unused_columns(trainer.train_dataset)
    batch = trainer.data_collator([features[int(index)] for index in chosen])
    shape = " x ".join(map(str, batch["input_ids"].shape))
    try:
        with random_states_kept():
            model = deepcopy(trainer.model).train()
            with trainer.compute_loss_context_manager():
                loss = trainer.compute_loss(model, trainer._prepare_inputs(batch))
            loss.backward()
    except Exception as error:  # the model's code raises all kinds for what it cannot take
        what = f"{type(trainer.model).__name__}: a batch of {shape} tokens does not pass"
        advice = "choose another model, max_seq_length or batch size"
        raise UserError(f"{what}: {one_line(error)}; {advice}; nothing was changed") from None
