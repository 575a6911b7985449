"""A training that is measured some steps at a time; for our environment and the rivals'."""

import queue
import threading
import time
from collections.abc import Callable, Sequence


class BySteps:
    """Runs a training in a thread, and lets it go on for some steps at a time.

    The training calls `step_begins` before each step. It must not end before the process does.
    """

    def __init__(self) -> None:
        self._wanted: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[float | Exception] = queue.SimpleQueue()
        self._left = 0
        self._begun = 0.0

    def start(self, train: Callable[[], object]) -> None:
        """Begin the training; it waits before its first step."""

        def run() -> None:
            try:
                train()
            except Exception as error:
                self._results.put(error)

        threading.Thread(target=run, daemon=True).start()

    def go(self, steps: int) -> float:
        """Let the training make some steps; how many seconds they took."""
        self._wanted.put(steps)
        result = self._results.get()
        if isinstance(result, Exception):
            raise result
        return result

    def step_begins(self) -> None:
        """Wait until a step is wanted."""
        if self._left == 0:
            if self._begun:
                self._results.put(time.perf_counter() - self._begun)
            self._left = self._wanted.get()
            self._begun = time.perf_counter()
        self._left -= 1


def typical_batches(
    lengths: Sequence[int], order: Sequence[int], batch: int, count: int
) -> list[list[int]]:
    """Batches that stand for all batches of an epoch: at even distances in the order of lengths.

    lengths: tokens of each window. order: the indices of an epoch. count: how many batches.
    """
    whole = range(0, len(order) - batch + 1, batch)
    batches = [list(order[first : first + batch]) for first in whole]
    batches.sort(key=lambda indices: max(lengths[index] for index in indices))
    return [batches[int((number + 0.5) / count * len(batches))] for number in range(count)]
