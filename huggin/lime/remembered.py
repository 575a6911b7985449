"""Masks -> a model's answers to them, kept in a file, so that no question is asked twice."""

from pathlib import Path

import numpy as np

from huggin.common.files import replacing
from huggin.common.progress import progress
from huggin.common.streams import warn
from huggin.common.text import one_line
from huggin.lime.classifiers.classifier import Answers


class Remembered:
    """Asks about masks a batch at a time, and keeps each answer under its mask."""

    def __init__(
        self,
        answers: Answers,
        shape: tuple[int, int],
        key: str,
        file: Path | None,
        batch: int,
        unit: str,
    ) -> None:
        """answers: masks (batch, segments) bool -> rows (batch, columns) float32.

        shape: (segments, columns). key: a hash that changes when an answer may change. file: where
        the answers are kept as `.npz`; None: nowhere. unit: what is asked about, for the bar.
        """
        self._answers = answers
        self._segments, self._columns = shape
        self._key = key
        self._file = file
        self._batch = batch
        self._unit = unit
        self._known: dict[bytes, np.ndarray] = {}  # a packed mask -> its row (columns,)
        self._load()

    def rows(self, on: np.ndarray) -> np.ndarray:
        """The answers (masks, columns) to masks (masks, segments) bool.

        Shows a progress bar if it takes long.
        """
        packed = [row.tobytes() for row in np.packbits(on, axis=1)]
        new = {key: row for row, key in enumerate(packed) if key not in self._known}
        if new:
            try:
                self._ask(on[list(new.values())], list(new))
            finally:  # Ctrl-C keeps what was answered
                self._save()
        return np.stack([self._known[key] for key in packed])

    def _ask(self, on: np.ndarray, keys: list[bytes]) -> None:
        with progress(total=len(keys), label="predicting", unit=self._unit) as bar:
            for first in range(0, len(keys), self._batch):
                batch = on[first : first + self._batch]
                full = np.resize(batch, (self._batch, on.shape[1]))
                rows = self._answers(full)[: len(batch)]
                self._known |= zip(keys[first : first + self._batch], rows)
                bar.update(len(batch))

    def _load(self) -> None:
        if self._file is None:
            return
        try:
            with np.load(self._file, allow_pickle=False) as saved:
                if str(saved["key"]) == self._key:
                    self._known = self._checked(saved["masks"], saved["answers"])
        except FileNotFoundError:
            pass
        except Exception as error:  # whatever a broken file makes NumPy raise
            warn(f"{self._file}: not read ({one_line(error)}); predicting anew")

    def _checked(self, masks: np.ndarray, answers: np.ndarray) -> dict[bytes, np.ndarray]:
        """The file's rows by their mask. Raises ValueError if they have another form."""
        of_masks = (len(answers), -(-self._segments // 8))
        of_answers = (len(masks), self._columns)
        if masks.shape != of_masks or answers.shape != of_answers:
            raise ValueError("not of this form")
        if answers.dtype != np.float32 or not np.isfinite(answers).all():
            raise ValueError("not of this form")
        return {row.tobytes(): known for row, known in zip(masks, answers)}

    def _save(self) -> None:
        if not self._known or self._file is None:  # Ctrl-C before the first answer
            return
        masks = np.frombuffer(b"".join(self._known), np.uint8).reshape(len(self._known), -1)
        answers = np.stack(list(self._known.values()))
        with replacing(self._file) as beside, beside.open("wb") as file:
            np.savez(file, key=np.array(self._key), masks=masks, answers=answers)
