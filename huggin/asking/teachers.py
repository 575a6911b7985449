"""A run and a question -> the training questions that taught it, and those against it.

huggin.teachers("runs/mine").in_words()
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from huggin.analysis.question_texts import refuse_changed
from huggin.analysis.teachers import (
    SHOWN,
    Taught,
    rank_teachers,
    table_of_teachers,
    taught_by,
)
from huggin.asking.answering import TrainedModel
from huggin.asking.gradients import pushes_at_checkpoints
from huggin.asking.questions import draw_questions
from huggin.asking.suspects import PLAIN, form_of, write_rows
from huggin.common.errors import BadValue
from huggin.common.text import InWords
from huggin.common.window import Window
from huggin.model.device import choose_device
from huggin.qa.features import track_sample
from huggin.qa.given import arguments_of
from huggin.qa.questions import load_questions
from huggin.qa.records import Record
from huggin.recording.checkpoints import newest_model
from huggin.recording.reader import Recording
from huggin.recording.run_facts import PROBE_DATA

COLUMNS = ("rank", "id", "index", "question", "answer", "push", "exact", "seen", "step", "shares")
NOTHING = 5e-5  # nats: a largest push of less is printed as 0.0000
NOISE = (
    "a pointer, not an account: it says what the head alone did, to first order; "
    "below the first few names it is noise"
)


@dataclass(frozen=True)
class Teachers(Taught, InWords):
    """A question, and the training questions that taught it."""

    window: Window
    where: str = ""  # what is compared, in words
    notes: list[str] = field(default_factory=list)

    def in_words(self, count: int = SHOWN) -> str:
        """The first `count` on each side, and what is to be known."""
        lines = [f'who taught "{self.question}" -> "{self.answer}" ({self.where})']
        sides = (
            (self.proponents(count), "proponents, which lowered its loss by so many nats:"),
            (self.opponents(count), "opponents, which raised it:"),
        )
        for teachers, head in sides:
            lines += table_of_teachers(teachers, head) if teachers else [f"{head} none"]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def as_json(self) -> dict[str, Any]:
        """All numbers."""
        known = {name: getattr(self, name) for name in ("question", "answer", "where", "notes")}
        return {**known, "teachers": [asdict(each) for each in self.teachers]}

    def rows(self) -> list[dict[str, Any]]:
        """A row of COLUMNS for each teacher."""
        ranked = enumerate(self.teachers, start=1)
        return [
            {name: rank if name == "rank" else getattr(each, name) for name in COLUMNS}
            for rank, each in ranked
        ]


def teachers(
    run: Path | str,
    index: int | None = None,
    *,
    split: str | None = None,
    question: str | None = None,
    context: str = "",
    answer: str = "",
    elsewhere: bool = False,
    samples: int = 1000,
    exact: int = 0,
    seed: int = 0,
    device: str | None = None,
) -> Teachers:
    """Which training questions taught a question: what `huggin teachers` does.

    run: its folder. index: of a question of `split`, by default the data of the tracked samples;
    without it, the first tracked sample. What was recorded at every step answers for a tracked
    sample; for others the run's checkpoints are asked about `samples` training questions, which
    `seed` draws. question, context: one of your own; its answer is `answer`, or what the model
    says. elsewhere: leave out questions with the same context or answer. exact: compare so many
    proponents and opponents with the gradient of all weights, at the checkpoints.

    >>> import huggin
    >>> found = huggin.teachers("runs/sample")
    >>> found.teachers[0].push >= found.teachers[-1].push
    True

    Raises UserError if the data is not there any more, or nothing was recorded.
    """
    recording = Recording(run)
    _, data = arguments_of(recording.cfg)
    cache = recording.cfg.get("cache_dir")
    records = load_questions(data, "train", cache)
    listed = records.to_list()
    refuse_changed(recording, listed)
    of_samples = recording.facts.fixed.get(PROBE_DATA, "train")
    split = split or of_samples
    tracked = [window.index for window in recording.facts.samples] if split == of_samples else []
    place = choose_device(device, bool(recording.cfg.get("use_cpu")))
    if question is None and (index is None or index in tracked):
        found = _tracked(recording, listed, 0 if index is None else tracked.index(index))
    else:
        model = TrainedModel.in_folder(recording.run, newest_model(recording.run), data, place)
        if index is not None:
            asked = records if split == "train" else load_questions(data, split, cache)
            if index >= len(asked):
                raise BadValue("index", index, f"the {split} data has 0 to {len(asked) - 1}")
            record = asked[index]
        else:
            record = own_record(model, question or "", context, answer)
        drawn = sorted(draw_questions(len(records), seed)[:samples])
        found = _at_checkpoints(recording, records, drawn, model, record)
    if elsewhere:
        others = [each for each in found.teachers if not {"context", "answer"} & set(each.same)]
        note = "questions with the same context or the same answer are left out"
        found = replace(found, teachers=others, notes=[*found.notes, note])
    return with_exact(found, recording, records, exact, place) if exact else found


def _tracked(recording: Recording, records: Sequence[Record], sample: int) -> Teachers:
    """By what was recorded of a tracked sample at every step."""
    window = recording.tracked(sample)
    where = f"question {window.index}, tracked: by every step"
    taught = taught_by(recording, records, sample)
    return Teachers(**vars(taught), window=window, where=where, notes=[NOISE])


def _at_checkpoints(
    recording: Recording, records: Dataset, drawn: list[int], model: TrainedModel, record: Record
) -> Teachers:
    """By the checkpoints, of some training questions."""
    window = track_sample(record, 0, model.tokenizer, model.data)
    pushes = pushes_at_checkpoints(recording, window, records, drawn, model.model.device)
    steps = ", ".join(map(str, np.unique(pushes.step)))
    of = f"{len(drawn):,} of {len(records):,} questions"
    where = f"not tracked: by the checkpoints {steps}, {of}"
    ranked = rank_teachers(pushes, records.to_list(), record)
    texts = (window.question, window.answer)
    notes = [NOISE]
    if np.abs(pushes.push).max(initial=0) < NOTHING:
        advice = "keep earlier ones (save_total_limit), or track it"
        notes = [f"already learned at the oldest checkpoint, so nothing can be told; {advice}"]
    return Teachers(*texts, pushes, ranked, None, window, where, notes)


def own_record(model: TrainedModel, question: str, context: str, answer: str) -> Record:
    """A question of one's own as a record; without an answer, with the model's.

    Raises UserError if the answer is not in the context.
    """
    model.refuse_unfit(question, context)
    place = context.find(answer)
    if place < 0:
        raise BadValue("answer", answer, "not in the context; give it as it is written there")
    if not answer:
        best = model.answer(question, context).best
        answer, place = best.text, best.place[0]
    answers = {"text": [answer] * bool(answer), "answer_start": [place] * bool(answer)}
    return {"id": "own", "question": question, "context": context, "answers": answers}


def with_exact(
    found: Teachers, recording: Recording, records: Dataset, count: int, place: torch.device
) -> Teachers:
    """The first `count` on each side alone, ranked by the gradients of all weights."""
    sides = {each.index: each for each in (*found.teachers[:count], *found.teachers[-count:])}
    chosen = sorted(sides)
    pushes = pushes_at_checkpoints(recording, found.window, records, chosen, place, True)
    sums = np.bincount(pushes.index, pushes.push)
    ranked = [replace(sides[index], exact=float(sums[index])) for index in chosen]
    ranked.sort(key=lambda each: -each.value)
    steps = ", ".join(map(str, np.unique(pushes.step)))
    note = f"exact: by the gradients of all weights, at the checkpoints {steps}"
    return replace(found, teachers=ranked, notes=[*found.notes, note])


def export_teachers(found: Teachers, path: Path) -> None:
    """Write all teachers, ranked, to a file whose name ends in .csv, .jsonl or .json."""
    write_rows(found.rows(), path, form_of(path, PLAIN))
