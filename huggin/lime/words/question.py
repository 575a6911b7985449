"""The question whose answer is explained: the user's own, or one of the run's data.

It is found and refused before torch is imported.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggin.common.errors import UserError
from huggin.lime.words.text import words_in
from huggin.qa.given import arguments_of
from huggin.qa.questions import default_split, load_questions
from huggin.qa.records import refuse_no_words
from huggin.recording.answer import read_answer
from huggin.recording.checkpoints import refuse_untrained
from huggin.recording.reader import Recording

LONGEST = 2000  # words of a context


@dataclass(frozen=True)
class Question:
    """The question that is explained, and the recording of the run whose model answers it."""

    recording: Recording
    name: str  # such as "question 7"
    folder: str  # of its results
    index: int
    record: dict[str, Any]  # its id is "own" if it is none of the run's data


def chosen_question(
    run: str | Path,
    index: int | None,
    split: str | None,
    question: str | None,
    context: str | None,
) -> Question:
    """The user's own question, or one of the run's data.

    Raises UserError if it cannot be asked, or if the run has no trained model.
    """
    recording = Recording(Path(run))
    refuse_untrained(recording.run)
    if (question, context, index, split) == (None,) * 4:
        question, context = _newest_own(recording)
    if question is None and context is None:
        chosen = _of_run(recording, index, split)
    elif question is None or context is None:
        raise UserError("question and context: give both")
    else:
        chosen = _own(recording, question, context)
    refuse_no_words(chosen.record["question"], chosen.record["context"], chosen.name)
    count = len(words_in("context", chosen.record["context"]))
    if count > LONGEST:
        what = f"a context of {count:,} words; at most {LONGEST:,} can be explained"
        raise UserError(f"{chosen.name}: {what}; give the part of it that holds the answer")
    return chosen


def _newest_own(recording: Recording) -> tuple[str, str] | tuple[None, None]:
    """Question and context of the newest kept answer if they are none of the run's data, or None.

    The user asked them, or the run names no data.
    """
    if recording.run.segments("answers"):
        facts = read_answer(recording.run).facts
        names_data = recording.facts.cfg.keys() & {"train_file", "dataset_name"}
        if facts.right is None or not names_data:
            return facts.window.question, facts.window.context
    return None, None


def _own(recording: Recording, question: str, context: str) -> Question:
    texts = f"{question}\0{context}".encode(errors="surrogatepass")
    record: dict[str, Any] = {"id": "own", "question": question, "context": context}
    record["answers"] = {"text": [], "answer_start": []}
    folder = f"own-{hashlib.sha256(texts).hexdigest()[:8]}"
    return Question(recording, "own question", folder, 0, record)


def _of_run(recording: Recording, index: int | None, split: str | None) -> Question:
    """A question of the run's data; without an index, that of the newest kept answer, else 0."""
    cfg = recording.facts.cfg
    data = arguments_of(cfg)[1]
    usual = default_split(data)
    split = split or usual
    records = load_questions(data, split, cfg.get("cache_dir"))
    if index is None and recording.run.segments("answers"):
        newest = read_answer(recording.run).facts.window
        is_in_data = newest.index < len(records)
        texts = {"question": newest.question, "context": newest.context}
        if is_in_data and texts.items() <= records[newest.index].items():
            index = newest.index  # the data is still that of the answer
    index = index or 0
    if index >= len(records):
        indices = f"{split} has the questions 0 to {len(records) - 1}"
        raise UserError(f"INDEX {index}: no such question; {indices}")
    folder = str(index) if split == usual else f"{split}-{index}"
    return Question(recording, f"question {index}", folder, index, records[index])
