"""A file with the names of a classifier's outputs -> labels: lines, a table, or JSON.

A name a line, in the order of the classes; lines or rows with the class's number and its name; as
JSON a list of names, `id2label` (number -> name), or Keras's `class_indices` (name -> number).
"""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggin.common.errors import UserError
from huggin.common.files import read_text
from huggin.common.text import one_line
from huggin.lime.labels import Labels, numbers

HEADS = ("name", "label", "class", "class_name", "label_name", "classname", "category")
Row = Sequence[str]


def labels_of_file(path: Path, classes: int) -> Labels:
    """The labels in a file. Raises UserError if it names another number of classes."""
    text = read_text(path).strip()
    names = _of_json(path, text) if text[:1] in ("{", "[") else _of_lines(path, text, classes)
    if len(names) != classes:
        what = f"{len(names)} labels, the model has {classes} classes; give a line per class"
        raise UserError(f"{path}: {what}")
    return Labels(tuple(name.strip() for name in names), numbers(classes).codes)


def _of_json(path: Path, text: str) -> Sequence[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        what = f"begins like JSON and is none ({one_line(error)}); give a name a line, or JSON"
        raise UserError(f"{path}: {what}") from None
    if isinstance(found, dict):
        found = _in_order(path, found.get("id2label", found))
    if not all(isinstance(name, str) for name in found):
        raise UserError(f"{path}: its labels are not all texts; give each class a name")
    return list(found)


def _in_order(path: Path, found: Any) -> list[Any]:
    """The names of `id2label` or `class_indices`, by their numbers."""
    if not isinstance(found, dict):
        raise UserError(f"{path}: id2label is no object of numbers and names")
    if all(type(value) is int for value in found.values()):
        by_number = {str(value): name for name, value in found.items()}
    else:  # a name, or as in imagenet_class_index.json a code and a name
        by_number = {
            key: value[-1] if isinstance(value, list) and value else value
            for key, value in found.items()
        }
    if len(by_number) != len(found) or not _are_numbers(by_number):
        raise UserError(f"{path}: its classes are not numbered from 0 to {len(found) - 1}")
    return [by_number[str(number)] for number in range(len(by_number))]


def _of_lines(path: Path, text: str, classes: int) -> Sequence[str]:
    lines = text.splitlines()
    if not lines:
        return []
    bare = [line.strip() for line in lines]
    if all(line.endswith(",") for line in bare[:-1]) and (len(bare) > 1 or '",' in bare[0]):
        what = "a list without its brackets; write [ before it and ] behind it, or a name a line"
        raise UserError(f"{path}: {what}")
    try:
        tables = _tables(lines)
    except csv.Error as error:
        raise UserError(f"{path}: {one_line(error)}; give a short name a line") from None
    for rows in tables:
        names = _of_rows(path, rows, classes)
        if names is not None:
            return names
    alone = len(lines) == classes + 1 and bare[0].lower() in (*HEADS, "labels", "names", "classes")
    return lines[1:] if alone else lines


def _tables(lines: Sequence[str]) -> list[list[Row]]:
    """The lines as tables of different separators, and as a number with a name behind it."""
    tables: list[list[Row]] = [list(csv.reader(lines, delimiter=mark)) for mark in ",;\t"]
    return [*tables, [re.split(r"[:.)]?\s+", line.strip(), maxsplit=1) for line in lines]]


def _of_rows(path: Path, rows: Sequence[Row], classes: int) -> list[str] | None:
    """The names in a table with a column of numbers; None if it has none."""
    width = len(rows[0])
    if width < 2 or any(len(row) != width for row in rows):
        return None
    head, *rest = rows
    body = rest if len(rows) == classes + 1 else rows
    for column in range(width):
        found = [row[column].strip() for row in body]
        if sorted(found) == sorted(str(number + 1) for number in range(len(body))):
            raise UserError(f"{path}: its classes are numbered from 1; number them from 0")
        if _are_numbers(found):
            others = [at for at in range(width) if at != column]
            named = [at for at in others if head[at].strip().lower() in HEADS]
            if len(others) > 1 and len(named) != 1:
                raise UserError(f"{path}: has several columns; leave a number and a name")
            name = (named or others)[0]
            by_number = {int(row[column]): row[name] for row in body}
            return [by_number[number] for number in range(len(body))]
    return None


def _are_numbers(found: Sequence[str] | Mapping[str, Any]) -> bool:
    """Whether texts are the numbers from 0 on, each once, in any order."""
    return sorted(found) == sorted(map(str, range(len(found))))
