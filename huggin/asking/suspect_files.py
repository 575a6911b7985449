"""Ranked suspects -> files: a table, the forms of two programs for annotating, cleaned data."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from huggin.analysis.suspects import Suspect
from huggin.asking.suspects import Suspects
from huggin.common.errors import BadValue
from huggin.common.files import replacing

COLUMNS = ("rank", "id", "index", "question", "given", "model_answer", "probability", "reason")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with these a spreadsheet begins a formula
FORMS = (".csv", ".json", ".jsonl", ".label-studio.json", ".argilla.json")
LABEL = "answer"


def export_suspects(found: Suspects, path: Path) -> None:
    """Write all questions, ranked, in the form that the file's name ends with (FORMS).

    Raises BadValue for another ending.
    """
    form = refuse_form(path)
    rows = [{name: getattr(suspect, name) for name in COLUMNS} for suspect in found.ranked]
    if form == ".csv":
        text = _as_csv(rows)
    elif form == ".jsonl":
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        make = {".json": None, FORMS[3]: label_studio_task, FORMS[4]: argilla_record}[form]
        listed = (
            [make(suspect, found.records[suspect.index]) for suspect in found.ranked]
            if make
            else rows
        )
        text = json.dumps(listed, indent=1, ensure_ascii=False) + "\n"
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="")


def refuse_form(path: Path) -> str:
    """The form that a file's name ends with. Raises BadValue if it is none of FORMS."""
    form = next((form for form in reversed(FORMS) if path.name.endswith(form)), None)
    if form is None:
        raise BadValue("export", path, f"must end in one of {', '.join(FORMS)}")
    return form


def _as_csv(rows: Iterable[dict[str, Any]]) -> str:
    """A table; an apostrophe keeps a spreadsheet from running a text as a formula."""
    file = io.StringIO()
    table = csv.DictWriter(file, COLUMNS)
    table.writeheader()
    for row in rows:
        table.writerow(
            {
                name: f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
                for name, value in row.items()
            }
        )
    return file.getvalue()


def label_studio_task(suspect: Suspect, record: dict[str, Any]) -> dict[str, Any]:
    """A task with the given answer as a prediction (labelstud.io/guide/predictions).

    It fits <Labels name="answer" toName="context"><Label value="answer"/></Labels> and
    <Text name="context" value="$context"/>.
    """
    value = _given_span(suspect)
    result = [
        {"id": f"given-{suspect.index}", "from_name": LABEL, "to_name": "context", "type": "labels"}
        | {"value": {**value, "text": suspect.given, "labels": [LABEL]}}
    ]
    prediction = {
        "model_version": "given",
        "score": suspect.score,
        "result": result if value else [],
    }
    data = {name: getattr(suspect, name) for name in COLUMNS if name != "probability"}
    return {"data": {"context": record["context"], **data}, "predictions": [prediction]}


def argilla_record(suspect: Suspect, record: dict[str, Any]) -> dict[str, Any]:
    """A record for `dataset.records.from_json`; its span question is called `answer`."""
    value = [{**_given_span(suspect), "label": LABEL}] if suspect.given else []
    return {
        "id": suspect.id,
        "fields": {"question": suspect.question, "context": record["context"]},
        "metadata": {"rank": suspect.rank, "index": suspect.index, "reason": suspect.reason},
        "suggestions": {LABEL: {"value": value, "score": None, "agent": "given"}} if value else {},
        "responses": {},
        "vectors": {},
    }


def _given_span(suspect: Suspect) -> dict[str, int]:
    """The characters of the given answer; nothing without one."""
    if not suspect.given:
        return {}
    return {"start": suspect.place, "end": suspect.place + len(suspect.given)}


def write_without(found: Suspects, count: int, path: Path) -> None:
    """Write the data without the first `count` suspects, as run_qa.py reads it (train_file).

    Raises BadValue if nothing would be left.
    """
    if not 0 < count < len(found.records):
        raise BadValue("without", count, f"must be 1 to {len(found.records) - 1}")
    out = {suspect.index for suspect in found.ranked[:count]}
    kept = [record for place, record in enumerate(found.records) if place not in out]
    with replacing(path) as beside:
        beside.write_text(json.dumps({"data": kept}, ensure_ascii=False) + "\n", encoding="utf-8")
