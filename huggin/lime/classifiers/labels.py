"""The names of a classifier's outputs, the file that has them, and the class that a name means.

A file has a name a line, in the order of the classes; lines or rows with the class's number and its
name; or as JSON a list of names, `id2label` (number -> name), or Keras's `class_indices` (name ->
number).
"""

import csv
import difflib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from huggin.common.errors import BadValue, UserError
from huggin.common.files import read_text
from huggin.common.text import one_line
from huggin.lime.predictor import Target

IMAGENET_FILE = Path(__file__).with_name("imagenet.txt")
HEADS = {"name", "label", "class", "class_name", "label_name", "classname", "category"}
HEADS |= {"names", "labels", "classes"}
Row = Sequence[str]
Names = tuple[str, ...]  # a name per class


def classes_named(words: str, names: Names) -> list[int]:
    """The classes with exactly this name; else regardless of case; else those that list it."""
    exact = [index for index, name in enumerate(names) if words == name]
    plain = [_comparable(name) for name in names]
    whole = [index for index, name in enumerate(plain) if _comparable(words) == name]
    listed = [index for index, name in enumerate(plain) if _comparable(words) in name.split(", ")]
    return exact or whole or listed


def class_of(words: str, names: Names) -> int:
    """The class of `208` or `index:208`, of `dog` or `name:dog`.

    Case is ignored unless names differ only in it, and `_` counts as a blank. Raises BadValue if
    there is no such class or more than one, or if a number is one class's index and another one's
    name.
    """
    kind, _, rest = words.partition(":")
    number = rest if kind == "index" else words
    matches = classes_named(rest if kind == "name" else words, names)
    indexed = number.isdecimal() and int(number) < len(names) and kind != "name"
    if indexed and (kind == "index" or matches in ([], [int(number)])):
        return int(number)
    if indexed:
        name = names[matches[0]]
        what = (
            f"index {number} is called {names[int(number)]}, but the class that is called {name} "
        )
        what += f"has index {matches[0]}; give index:{number} or name:{name}"
        raise BadValue("classes", words, what)
    if len(matches) == 1:
        return matches[0]
    what = "several classes of that name" if matches else "no class of that name"
    near = matches or _nearly_named(_comparable(words), [_comparable(name) for name in names])
    advice = " or ".join(f"{index} ({names[index]})" for index in near[:5])
    every = f"a number from 0 to {len(names) - 1}"
    raise BadValue("classes", words, f"{what}; give {advice or every}")


def _nearly_named(words: str, names: list[str]) -> list[int]:
    """The classes of a similar name, else those whose name contains the words."""
    similar = difflib.get_close_matches(words, names, n=3, cutoff=0.5)
    holding = [index for index, name in enumerate(names) if words in name]
    return [names.index(name) for name in similar] or holding


def _comparable(words: str) -> str:
    return " ".join(words.replace("_", " ").lower().split())


def numbered(classes: int, word: str = "class") -> Names:
    """The names if nobody knows them: `class 0` and so on."""
    return tuple(f"{word} {index}" for index in range(classes))


def imagenet_names() -> Names:
    """The names of ImageNet's 1000 classes, in the order of keras.applications."""
    return tuple(IMAGENET_FILE.read_text(encoding="utf-8").splitlines())


def target_of(words: str, names: Names) -> Target[int]:
    """`dog`, `208`, or a contrast such as `dog - cat`. Raises BadValue if a class is not there."""
    plus, dash, minus = words.partition(" - ")
    if not dash or classes_named(words, names):
        only = class_of(words.strip(), names)
        return Target(names[only], only)
    first, second = (class_of(half.strip(), names) for half in (plus, minus))
    if first == second:
        raise BadValue("classes", words, "the two classes must differ")
    return Target(f"{names[first]} - {names[second]}", first, second)


def labels_of_file(path: Path, classes: int) -> Names:
    """The names in a file. Raises UserError if it names another number of classes."""
    text = read_text(path).strip()
    names = _of_json(path, text) if text[:1] in ("{", "[") else _of_lines(path, text, classes)
    if len(names) != classes:
        what = f"{len(names)} labels, the model has {classes} classes; give a line per class"
        raise UserError(f"{path}: {what}")
    return tuple(name.strip() for name in names)


def _of_json(path: Path, text: str) -> list[str]:
    """The names of a list, of `id2label`, or of `class_indices`."""
    try:
        labels = json.loads(text)
    except (ValueError, RecursionError) as error:
        what = f"begins like JSON and is none ({one_line(error)}); give a name a line, or JSON"
        raise UserError(f"{path}: {what}") from None
    if isinstance(labels, dict):
        labels = labels.get("id2label", labels)
        if not isinstance(labels, dict):
            raise UserError(f"{path}: id2label is no object of numbers and names")
        if all(type(value) is int for value in labels.values()):
            pairs = [(str(number), name) for name, number in labels.items()]
        else:  # a name, or as in imagenet_class_index.json a code and a name
            rows = (name if isinstance(name, list) and name else [name] for name in labels.values())
            pairs = [(number, row[-1]) for number, row in zip(labels, rows)]
        if not _are_numbers([number for number, _ in pairs]):
            raise UserError(f"{path}: its classes are not numbered from 0 to {len(labels) - 1}")
        labels = _in_order(pairs)
    if not all(isinstance(name, str) for name in labels):
        raise UserError(f"{path}: its labels are not all texts; give each class a name")
    return list(labels)


def _of_lines(path: Path, text: str, classes: int) -> Sequence[str]:
    """The names of lines, or of a table with the number and the name of each class."""
    lines = text.splitlines()
    if not lines:
        return []
    bare = [line.strip() for line in lines]
    if all(line.endswith(",") for line in bare[:-1]) and (len(bare) > 1 or '",' in bare[0]):
        what = "a list without its brackets; write [ before it and ] behind it, or a name a line"
        raise UserError(f"{path}: {what}")
    try:
        tables: list[list[Row]] = [list(csv.reader(lines, delimiter=mark)) for mark in ",;\t"]
    except csv.Error as error:
        raise UserError(f"{path}: {one_line(error)}; give a short name a line") from None
    numbered: list[Row] = [re.split(r"[:.)]?\s+", line, maxsplit=1) for line in bare]
    for rows in (*tables, numbered):
        if names := _of_rows(path, rows, classes):
            return names
    has_head = len(lines) == classes + 1 and bare[0].lower() in HEADS
    return lines[1:] if has_head else lines


def _of_rows(path: Path, rows: Sequence[Row], classes: int) -> list[str]:
    """The names in a table with a column of numbers; none if it has no such column."""
    width = len(rows[0])
    if width < 2 or any(len(row) != width for row in rows):
        return []
    head, *rest = rows
    body = rest if len(rows) == classes + 1 else rows
    for column in range(width):
        numbers = [row[column].strip() for row in body]
        if sorted(numbers) == sorted(str(number + 1) for number in range(len(body))):
            raise UserError(f"{path}: its classes are numbered from 1; number them from 0")
        if _are_numbers(numbers):
            others = [at for at in range(width) if at != column]
            named = [at for at in others if head[at].strip().lower() in HEADS]
            if len(others) > 1 and len(named) != 1:
                raise UserError(f"{path}: has several columns; leave a number and a name")
            name = (named or others)[0]
            return _in_order((number, row[name]) for number, row in zip(numbers, body))
    return []


def _are_numbers(texts: Sequence[str]) -> bool:
    """Whether texts are the numbers from 0 on, each once, in any order."""
    return sorted(texts) == sorted(map(str, range(len(texts))))


def _in_order(pairs: Iterable[tuple[str, Any]]) -> list[Any]:
    """The names of pairs (number, name), by the number."""
    return [name for _, name in sorted(pairs, key=lambda pair: int(pair[0]))]
