"""Ranked suspects -> files: a table, the forms of two programs for annotating, cleaned data."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from huggin.analysis.suspects import Suspect
from huggin.asking.suspects import Suspects
from huggin.common.errors import BadValue
from huggin.common.files import replacing

COLUMNS = ("rank", "id", "index", "question", "given", "model_answer", "probability", "reason")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with these a spreadsheet begins a formula
LABEL_STUDIO = ".label-studio.json"
ARGILLA = ".argilla.json"
FORMS = (".csv", ".jsonl", LABEL_STUDIO, ARGILLA, ".json")
LABEL = "answer"


def form_of(path: Path) -> str:
    """The form that a file's name ends with. Raises BadValue if it is none of FORMS."""
    form = next((form for form in FORMS if path.name.endswith(form)), None)
    if form is None:
        raise BadValue("export", path, f"must end in one of {', '.join(FORMS)}")
    return form


def export_suspects(found: Suspects, path: Path) -> None:
    """Write all questions, ranked, in the form of the file's name. Raises BadValue as `form_of`."""
    form = form_of(path)
    pairs = [(suspect, found.records[suspect.index]["context"]) for suspect in found.ranked]
    rows: list[Any] = [{name: getattr(suspect, name) for name in COLUMNS} for suspect, _ in pairs]
    if form == LABEL_STUDIO:
        rows = [label_studio_task(*pair) for pair in pairs]
    elif form == ARGILLA:
        rows = [argilla_record(*pair) for pair in pairs]
    if form == ".csv":
        _write(path, _as_csv(rows))
    elif form == ".jsonl":
        _write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    else:
        _write(path, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


def _as_csv(rows: list[dict[str, Any]]) -> str:
    """A table; an apostrophe keeps a spreadsheet from running a text as a formula."""
    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(COLUMNS)
    for row in rows:
        table.writerow(
            f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
            for value in row.values()
        )
    return file.getvalue()


def label_studio_task(suspect: Suspect, context: str) -> dict[str, Any]:
    """A task, the given answer as a prediction (https://labelstud.io/guide/predictions).

    docs/data.md has the labelling interface that it fits.
    """
    region = {"id": f"given-{suspect.index}", "from_name": LABEL, "to_name": "context"}
    result = [
        {**region, "type": "labels", "value": {**span, "text": suspect.given, "labels": [LABEL]}}
        for span in _given_span(suspect)
    ]
    data = {name: getattr(suspect, name) for name in COLUMNS}
    prediction = {"model_version": "given", "score": suspect.score, "result": result}
    return {"data": {**data, "context": context}, "predictions": [prediction]}


def argilla_record(suspect: Suspect, context: str) -> dict[str, Any]:
    """A record as Argilla 2's `dataset.records.from_json` reads it, with a span question."""
    spans = [{**span, "label": LABEL} for span in _given_span(suspect)]
    suggestion = {LABEL: {"value": spans, "score": None, "agent": "given"}} if spans else {}
    return {
        "id": suspect.id,
        "fields": {"question": suspect.question, "context": context},
        "metadata": {"rank": suspect.rank, "index": suspect.index, "reason": suspect.reason},
        "suggestions": suggestion,
    }


def _given_span(suspect: Suspect) -> list[dict[str, int]]:
    """The characters of the given answer; none without one."""
    end = suspect.place + len(suspect.given)
    return [{"start": suspect.place, "end": end}] if suspect.given else []


def write_without(found: Suspects, count: int, path: Path) -> None:
    """Write the data without the first `count` suspects, as run_qa.py reads it (train_file).

    Raises BadValue if nothing would be left.
    """
    if not 0 < count < len(found.records):
        raise BadValue("without", count, f"must be 1 to {len(found.records) - 1}")
    out = {suspect.index for suspect in found.ranked[:count]}
    kept = [record for place, record in enumerate(found.records) if place not in out]
    _write(path, json.dumps({"data": kept}, ensure_ascii=False) + "\n")


def _write(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="")
