"""A run -> the questions whose given answer is probably wrong, each with its reason.

huggin.suspects("runs/mine").in_words()
"""

import html
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from huggin.analysis.questions import texts_of
from huggin.analysis.suspects import (
    WEIGHTS,
    ModelAnswers,
    Suspect,
    late_passes,
    losses_by_pass,
    rank_suspects,
)
from huggin.asking.exam import Exam
from huggin.asking.questions import batch_size_on
from huggin.common.errors import UserError
from huggin.common.files import write_json
from huggin.common.progress import progress
from huggin.common.text import short
from huggin.model.device import choose_device
from huggin.model.loading import load_trained, match_tokenizer
from huggin.qa.config import arguments_of
from huggin.qa.questions import load_questions, shared_questions
from huggin.recording.checkpoints import newest_model
from huggin.recording.reader import Recording
from huggin.recording.results import read_evaluations

SHOWN = 20
AT_A_TIME = 512  # questions whose logits are held together


@dataclass(frozen=True)
class Suspects:
    """All questions of a run's data, the one with the most suspicious answer first."""

    data: str  # name of the data, and of which part
    ranked: list[Suspect]
    records: list[dict[str, Any]]  # of the data, in its order
    notes: list[str]  # what cannot be known

    def in_words(self, count: int = SHOWN) -> str:
        """A table of the first `count`, and what cannot be known."""
        lines = [f"{len(self.ranked)} questions of {self.data}, the most suspicious first"]
        lines.append("score: weighted evidence against the given answer; above 1 is much")
        for suspect in self.ranked[:count]:
            where = f" at {suspect.place}" if suspect.place >= 0 else ""
            given = f'"{short(suspect.given, 60)}"{where}' if suspect.given else "no answer"
            question = f"question {suspect.index}: {short(suspect.question, 85)}"
            lines.append(f"{suspect.rank:4d}. {suspect.score:4.2f}  {question}")
            lines.append(f"            given {given}: {suspect.reason}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def as_json(self) -> dict[str, Any]:
        """All numbers."""
        ranked = [asdict(suspect) for suspect in self.ranked]
        return {"data": self.data, "notes": self.notes, "weights": WEIGHTS, "ranked": ranked}

    def _repr_html_(self) -> str:
        """The table, for a notebook."""
        return f"<pre>{html.escape(self.in_words())}</pre>"


def suspects(
    run: Path | str, validation: bool = False, ask: bool = True, device: str | None = None
) -> Suspects:
    """Which given answers are probably wrong; also kept in RUN/suspects.json.

    run: its folder. validation: rank the validation data, which the model has not memorised.
    ask: ask the trained model, too. device: where it computes; default: the accelerator.
    Raises UserError if the data is not there any more, or nothing of it was recorded.

    >>> import huggin
    >>> found = huggin.suspects("runs/sample", ask=False)
    >>> found.ranked[0].rank
    1
    """
    recording = Recording(run)
    _, data = arguments_of(recording.facts.cfg)
    cache = recording.facts.cfg.get("cache_dir")
    split = "validation" if validation else "train"
    if validation and not (data.validation_file or data.dataset_name):
        raise UserError(f"{run}: trained without validation data; name it in cfg.json")
    records = load_questions(data, split, cache)
    listed = records.to_list()
    losses = None
    late: list[int] = []
    notes: list[str] = []
    if not validation:
        texts_of(recording, listed)  # refuses data that has changed
        losses = losses_by_pass(recording.questions)
        late, notes = late_passes(losses, read_evaluations(recording.run))
    asked = ask_all(recording, records, split, device) if ask else None
    ranked, unknown = rank_suspects(listed, losses, late, asked)
    if data.validation_file and not validation:
        others = load_questions(data, "validation", cache)
        ranked = _said_if_shared(ranked, shared_questions(records, others))
    name = f"{recording.facts.data_name} ({split})"
    found = Suspects(name, ranked, listed, [*notes, *unknown])
    write_json(recording.run.suspects, found.as_json())
    return found


def _said_if_shared(ranked: Sequence[Suspect], shared: set[int]) -> list[Suspect]:
    """Say in their reasons which questions are in the validation data, too."""
    note = "; also in the validation data"
    return [
        replace(suspect, reason=suspect.reason + note) if suspect.index in shared else suspect
        for suspect in ranked
    ]


def ask_all(
    recording: Recording, records: Any, split: str = "train", device: str | None = None
) -> ModelAnswers:
    """What the newest model of a run answers to each of `records`, its `datasets.Dataset`."""
    _, data = arguments_of(recording.facts.cfg)
    folder = newest_model(recording.run)
    tokenizer, model, step = load_trained(folder, choose_device(device))
    match_tokenizer(tokenizer, model, data.max_seq_length)
    parts = []
    with progress(label="asking", unit="questions", total=len(records)) as bar:
        for begin in range(0, len(records), AT_A_TIME):
            chosen = range(begin, min(begin + AT_A_TIME, len(records)))
            exam = Exam.of(data, tokenizer, records, chosen, split)
            parts.append(answers_of(exam, exam.logits(model, batch_size_on(model.device)), step))
            bar.update(len(chosen))
    return ModelAnswers(
        step=step,
        text=[text for part in parts for text in part.text],
        span=[span for part in parts for span in part.span],
        probability=np.concatenate([part.probability for part in parts]),
        given=np.concatenate([part.given for part in parts]),
    )


def answers_of(exam: Exam, logits: np.ndarray, step: int) -> ModelAnswers:
    """The model's answers and their probabilities, by logits (2, windows, tokens).

    A probability is that of the span's start times that of its end, in its window. The given
    answer's is the highest among the windows that hold it.
    """
    owner = np.array(exam.placed["record"])
    start_loss, end_loss = exam.cross_entropies(logits)
    no_answer = np.array([not record["answers"]["text"] for record in exam.records])
    holds = (exam.starts > 0) | no_answer[owner]
    given = np.zeros(len(exam.records))
    np.maximum.at(given, owner[holds], np.exp(-start_loss - end_loss)[holds])
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    best = exam.best(logits)
    first = np.searchsorted(owner, np.arange(len(exam.records))).tolist()
    rows = [row + answer.window for row, answer in zip(first, best, strict=True)]
    own = [
        shares[0, row, answer.start] * shares[1, row, answer.end]
        for row, answer in zip(rows, best, strict=True)
    ]
    spans = [
        _characters(exam.placed["offset_mapping"][row], answer.start, answer.end)
        for row, answer in zip(rows, best, strict=True)
    ]
    return ModelAnswers(step, [answer.text for answer in best], spans, np.array(own), given)


def _characters(offsets: Sequence[tuple[int, int] | None], start: int, end: int) -> tuple[int, int]:
    """The characters of a span of tokens; (0, 0) for no answer."""
    first, last = offsets[start], offsets[end]
    return (first[0], last[1]) if first and last else (0, 0)
