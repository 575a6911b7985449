"""Windows of similar length in a batch, so that less padding is computed.

Hugging Face's `LengthGroupedSampler` does the same, but it sorts the batches of a pool by length,
and draws from the global random state, so that a resumed epoch would have other batches.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
from datasets import Dataset
from torch.utils.data import Sampler
from transformers import Trainer

from huggin.qa.config import Config
from huggin.recording.run_facts import BEFORE, GROUPED, STRATEGY, read_facts
from huggin.recording.run_folder import RunFolder

LEAST_SAVED = 0.1  # share of an epoch's tokens
POOL = 50  # batches that are drawn together and then grouped
LEAST_POOLS = 4  # in an epoch; in one pool each window would meet the same others in every epoch


class LikeLengths(Sampler[int]):
    """The indices of an epoch: batches of similar length, in random order.

    The windows are drawn in random order. Each pool of them is sorted by length and cut into
    batches, and the batches of all pools are shuffled. The incomplete batch comes last.
    """

    def __init__(
        self, lengths: Sequence[int] | np.ndarray, batch: int, seed: int, epoch: Callable[[], int]
    ) -> None:
        """lengths: tokens of each window. batch: windows in a batch. epoch: the number of it now.

        The same seed and epoch give the same order.
        """
        self._lengths = np.asarray(lengths)
        self._batch = batch
        self._seed = seed
        self._epoch = epoch

    def __len__(self) -> int:
        """How many windows there are."""
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        """The index of each window once."""
        random = np.random.default_rng([self._seed, self._epoch()])
        order = random.permutation(len(self._lengths))
        whole = len(order) - len(order) % self._batch
        batches = self._grouped(order[:whole])
        random.shuffle(batches)
        return iter([*batches.flatten().tolist(), *order[whole:].tolist()])

    def _grouped(self, order: np.ndarray) -> np.ndarray:
        """Batches of similar length of windows in random order: (batches, windows of a batch)."""
        batches = len(order) // self._batch
        pool = self._batch * max(1, min(POOL, batches // LEAST_POOLS))
        pools = [order[first : first + pool] for first in range(0, len(order), pool)]
        by_length = [pool[np.argsort(self._lengths[pool], kind="stable")] for pool in pools]
        return np.concatenate([*by_length, order[:0]]).reshape(batches, self._batch)


def choose_sampling(config: Config, features: Dataset, run: RunFolder) -> None:
    """Choose how batches are drawn if the cfg does not say it.

    A resumed run goes on as it began. A new one groups windows by length if that saves at least a
    tenth of the tokens that an epoch computes.
    """
    if config.given.get(STRATEGY) is not None:
        return
    training = config.training
    chosen = None if config.recording.overwrite_output_dir else strategy_of(run)
    if chosen is None:
        batch = training.train_batch_size * training.world_size
        saved = saved_by_grouping(lengths_of(features), batch, training.seed)
        chosen = GROUPED if saved >= LEAST_SAVED else BEFORE[STRATEGY]
    training.train_sampling_strategy = chosen


def strategy_of(run: RunFolder) -> str | None:
    """How the batches of a recorded run are drawn; None if there is no such run."""
    if not run.facts.exists():
        return None
    return str((BEFORE | read_facts(run).fixed)[STRATEGY])


def lengths_of(features: Dataset) -> np.ndarray:
    """The number of tokens of each window, (windows,)."""
    column = features.with_format("arrow")["input_ids"]
    return pc.list_value_length(column[:]).to_numpy()


def saved_by_grouping(lengths: np.ndarray, batch: int, seed: int) -> float:
    """The share of an epoch's tokens that is saved by batches of similar length.

    Tokens of padding count, as they are computed, too. lengths: tokens of each window.
    """
    at_random = np.random.default_rng(seed).permutation(len(lengths))
    grouped = np.array([*LikeLengths(lengths, batch, seed, lambda: 0)], int)
    return 1 - _padded_tokens(lengths[grouped], batch) / _padded_tokens(lengths[at_random], batch)


def _padded_tokens(lengths: np.ndarray, batch: int) -> int:
    """Tokens that are computed if each batch is padded to its longest window."""
    firsts = range(0, len(lengths), batch)
    batches = (lengths[first : first + batch] for first in firsts)
    return sum(int(part.max()) * len(part) for part in batches)


class GroupingTrainer(Trainer):
    """Hugging Face's Trainer, whose group_by_length is `LikeLengths`."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """The sampler that `train_sampling_strategy` names."""
        data = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy != GROUPED:
            return super()._get_train_sampler(train_dataset)
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        return LikeLengths(
            lengths=lengths_of(data),
            batch=self.args.train_batch_size * self.args.world_size,
            seed=seed,
            epoch=lambda: int(self.state.epoch or 0),
        )
