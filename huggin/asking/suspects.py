"""A run -> the questions whose given answer is probably wrong, each with its reason; and files.

huggin.suspects("runs/mine").in_words()
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from datasets import Dataset

from huggin.analysis.question_texts import refuse_changed
from huggin.analysis.suspects import (
    WEIGHTS,
    ModelAnswer,
    Suspect,
    late_passes,
    losses_by_pass,
    rank_suspects,
)
from huggin.common.errors import BadValue, UserError
from huggin.common.files import replacing, write_json
from huggin.common.text import InWords, short
from huggin.qa.given import arguments_of
from huggin.qa.questions import FEATURES, load_questions, shared_questions
from huggin.recording.checkpoints import refuse_untrained
from huggin.recording.reader import Recording
from huggin.recording.results import read_evaluations

SHOWN = 20
COLUMNS = ("rank", "id", "index", "question", "given", "model_answer", "probability", "reason")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with these a spreadsheet begins a formula
FEW = 50  # questions; of fewer the middle of a loss says little
LABEL_STUDIO = ".label-studio.json"
ARGILLA = ".argilla.json"
PLAIN = (".csv", ".jsonl", ".json")
FORMS = (".csv", ".jsonl", LABEL_STUDIO, ARGILLA, ".json")


@dataclass(frozen=True)
class Suspects(InWords):
    """All questions of a run's data, the one with the most suspicious answer first."""

    data: str  # name of the data, and of which part
    ranked: list[Suspect]
    records: list[dict[str, Any]]  # of the data, in its order
    notes: list[str]  # what cannot be known

    def in_words(self, count: int = SHOWN) -> str:
        """A table of the first `count`, and what cannot be known."""
        lines = [f"{len(self.ranked)} questions of {self.data}, the most suspicious first"]
        lines.append(
            "score: weighted evidence against the given answer; above 1 is much, but something "
            "comes first in data without an error, too"
        )
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
    if ask:
        refuse_untrained(recording.run)
    _, data = arguments_of(recording.cfg)
    cache = recording.cfg.get("cache_dir")
    split = "validation" if validation else "train"
    if validation and not (data.validation_file or data.dataset_name):
        raise UserError(f"{run}: trained without validation data; name it in cfg.json")
    has_texts = bool(data.train_file or data.dataset_name)
    records = load_questions(data, split, cache) if has_texts else _without_texts(recording)
    listed = records.to_list()
    losses = None
    late: list[int] = []
    notes: list[str] = []
    unseen = None
    if not validation:
        if has_texts:
            refuse_changed(recording, listed)
        losses = losses_by_pass(recording.questions)
        evaluations = read_evaluations(recording.run)
        late, notes = late_passes(losses, evaluations)
        if evaluations and not evaluations[-1].trained_on:
            unseen = evaluations[-1].exact_match / 100
    if len(listed) < FEW:
        notes.append(f"{len(listed)} questions are few to compare: read the reasons, not the ranks")
    answers: list[ModelAnswer] = []
    if not has_texts:
        notes.append("the texts of the questions are not known, so the loss alone ranks them")
    elif ask:
        from huggin.asking.answering import TrainedModel

        trained = TrainedModel.load(recording.run.path, device)
        answers = [
            ModelAnswer(each.answer.text, each.answer.place, each.probability, each.given)
            for each in trained.asked(records, range(len(records)))
        ]
    ranked, unknown = rank_suspects(listed, losses, late, answers, unseen)
    if data.validation_file and not validation:
        shared = shared_questions(records, load_questions(data, "validation", cache))
        note = "; also in the validation data"
        ranked = [
            replace(each, reason=each.reason + note) if each.index in shared else each
            for each in ranked
        ]
    name = f"{data.name_of(split) if validation else recording.facts.data_name} ({split})"
    found = Suspects(name, ranked, listed, [*notes, *unknown])
    write_json(recording.run.suspects, found.as_json())
    return found


def _without_texts(recording: Recording) -> Dataset:
    """A record for each question that was trained on, in the place of one with texts."""
    numbers = range(int(recording.questions.index.max()) + 1)
    nothing = {"title": "", "context": "", "answers": {"text": [], "answer_start": []}}
    records = [{"id": str(at), "question": f"row {at}", **nothing} for at in numbers]
    return Dataset.from_list(records, features=FEATURES)


def form_of(path: Path, forms: Sequence[str] = FORMS) -> str:
    """The form that a file's name ends with. Raises BadValue if it is none of them."""
    form = next((form for form in forms if path.name.endswith(form)), None)
    if form is None:
        raise BadValue("export", path, f"must end in one of {', '.join(forms)}")
    return form


def export_suspects(found: Suspects, path: Path) -> None:
    """Write all questions, ranked, in the form of the file's name. Raises BadValue as `form_of`."""
    form = form_of(path)
    rows = [_row(each, found.records[each.index]["context"], form) for each in found.ranked]
    write_rows(rows, path, form)


def write_rows(rows: Sequence[dict[str, Any]], path: Path, form: str) -> None:
    """Write rows of the same columns as CSV, as lines of JSON, or as one JSON."""
    with (
        replacing(path) as beside,
        beside.open("w", encoding="utf-8", newline="" if form == ".csv" else "\n") as file,
    ):
        if form == ".csv":
            table = csv.writer(file)
            table.writerow(rows[0] if rows else ())
            for row in rows:  # a spreadsheet runs no text with an apostrophe as a formula
                for name, value in row.items():
                    if isinstance(value, str) and value.startswith(FORMULA):
                        row[name] = f"'{value}"
                table.writerow(row.values())
        elif form == ".jsonl":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        else:
            file.write(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


def _row(suspect: Suspect, context: str, form: str) -> dict[str, Any]:
    """A suspect as the form has it.

    Label Studio: a task, the given answer as a prediction (https://labelstud.io/guide/predictions);
    docs/data.md has the labelling interface that it fits. Argilla: a record with a span question,
    as `dataset.records.from_json` of Argilla 2 reads it.
    """
    columns = {name: getattr(suspect, name) for name in COLUMNS}
    span = {"start": suspect.place, "end": suspect.place + len(suspect.given)}
    spans = [span] if suspect.given else []
    if form == LABEL_STUDIO:
        region = {"id": f"given-{suspect.index}", "from_name": "answer", "to_name": "context"}
        value = {**span, "text": suspect.given, "labels": ["answer"]}
        result = [{**region, "type": "labels", "value": value} for _ in spans]
        prediction = {"model_version": "given", "score": suspect.score, "result": result}
        return {"data": {**columns, "context": context}, "predictions": [prediction]}
    if form == ARGILLA:
        given = [{**span, "label": "answer"} for span in spans]
        suggestion = {"answer": {"value": given, "score": None, "agent": "given"}}
        return {
            "id": suspect.id,
            "fields": {"question": suspect.question, "context": context},
            "metadata": {name: columns[name] for name in ("rank", "index", "reason")},
            "suggestions": suggestion if given else {},
        }
    return columns


def write_without(found: Suspects, count: int, path: Path) -> None:
    """Write the data without the first `count` suspects, as run_qa.py reads it (train_file).

    Raises BadValue if nothing would be left.
    """
    if not 0 < count < len(found.records):
        raise BadValue("without", count, f"must be 1 to {len(found.records) - 1}")
    out = {suspect.index for suspect in found.ranked[:count]}
    kept = [record for place, record in enumerate(found.records) if place not in out]
    with replacing(path) as beside:
        text = json.dumps({"data": kept}, ensure_ascii=False) + "\n"
        beside.write_text(text, encoding="utf-8", newline="")
