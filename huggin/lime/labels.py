"""What a classifier's outputs are called: a file, or Keras's list of ImageNet's classes -> names; words -> a class."""

import difflib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from huggin.common.errors import UserError

IMAGENET = 1000  # classes of the models in keras.applications


@dataclass(frozen=True)
class Labels:
    """A name per class, and its WordNet id, or its number where there is none."""

    names: tuple[str, ...]
    codes: tuple[str, ...]

    def named(self, words: str) -> list[int]:
        """The classes of a whole name, or else those with it as one of their names."""
        plain = [_plain(name) for name in self.names]
        whole = [index for index, name in enumerate(plain) if _plain(words) == name]
        return whole or [
            index for index, name in enumerate(plain) if _plain(words) in name.split(", ")
        ]

    def find(self, words: str) -> int:
        """The class of a number or a name (no matter the case, `_` like a blank). Raises UserError where unclear."""
        if words.isdecimal() and int(words) < len(self.names):
            return int(words)
        found, plain = self.named(words), [_plain(name) for name in self.names]
        if len(found) == 1:
            return found[0]
        near = found or [
            plain.index(name)
            for name in difflib.get_close_matches(_plain(words), plain, n=3, cutoff=0.5)
        ]
        near = near or [index for index, name in enumerate(plain) if _plain(words) in name]
        advice = "give " + " or ".join(f"{index} ({self.names[index]})" for index in near[:5])
        what = f"--classes {words}: {'several classes' if found else 'no class'} of that name"
        raise UserError(
            f"{what}; {advice if near else f'give a number from 0 to {len(self.names) - 1}'}"
        )


def _plain(words: str) -> str:
    return " ".join(words.replace("_", " ").lower().split())


def labels_of_file(path: Path, classes: int) -> Labels:
    """Labels from a file with a line per class. Raises UserError for another number of them."""
    try:
        names = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(
            f"{path}: not text in UTF-8; give a file with a label on each line"
        ) from None
    while names and not names[-1].strip():
        names.pop()
    if len(names) != classes:
        raise UserError(
            f"{path}: {len(names)} labels, the model has {classes} classes; give a line per class"
        )
    return Labels(tuple(name.strip() for name in names), numbers(classes).codes)


def numbers(classes: int) -> Labels:
    """Labels where nobody knows the names: `class 0` and so on."""
    return Labels(
        tuple(f"class {index}" for index in range(classes)), tuple(map(str, range(classes)))
    )


def imagenet_labels() -> Labels:
    """The names and WordNet ids of ImageNet's 1000 classes, which Keras downloads once."""
    from keras.applications.imagenet_utils import decode_predictions

    rows = decode_predictions(np.eye(IMAGENET), top=1)
    return Labels(tuple(row[0][1] for row in rows), tuple(row[0][0] for row in rows))


@dataclass(frozen=True)
class Target:
    """What is explained: the score of class `plus`, less that of class `minus` where there is one."""

    name: str
    plus: int
    minus: int | None = None


def target_of(words: str, labels: Labels) -> Target:
    """`dog`, `208`, or a contrast such as `dog - cat`. Raises UserError for a class that is not there."""
    plus, dash, minus = words.partition(" - ")
    if not dash or labels.named(words):
        only = labels.find(words.strip())
        return Target(labels.names[only], only)
    first = labels.find(plus.strip())
    second = labels.find(minus.strip())
    if first == second:
        raise UserError(f"--classes {words}: twice the same class; a contrast takes two")
    return Target(f"{labels.names[first]} - {labels.names[second]}", first, second)
