"""The names of a classifier's outputs, and the class that a name or number means."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from huggin.common.errors import BadValue

IMAGENET = 1000  # classes of the models in keras.applications
IMAGENET_FILE = Path(__file__).with_name("imagenet.txt")  # WordNet id, tab, names


@dataclass(frozen=True)
class Labels:
    """A name per class, and its WordNet id, or its number if it has none."""

    names: tuple[str, ...]
    codes: tuple[str, ...]

    def named(self, words: str) -> list[int]:
        """The classes with exactly this name; else regardless of case; else those that list it."""
        exact = [index for index, name in enumerate(self.names) if words == name]
        plain = [_plain(name) for name in self.names]
        whole = [index for index, name in enumerate(plain) if _plain(words) == name]
        listed = [index for index, name in enumerate(plain) if _plain(words) in name.split(", ")]
        return exact or whole or listed

    def find(self, words: str) -> int:
        """The class of `208` or `index:208`, of `dog` or `name:dog`.

        Case is ignored unless names differ only in it, and `_` counts as a blank. Raises BadValue
        if there is no such class or more than one, or if a number is one class's index and
        another one's name.
        """
        kind, _, rest = words.partition(":")
        number = rest if kind == "index" else words
        found = self.named(rest if kind == "name" else words)
        indexed = number.isdecimal() and int(number) < len(self.names) and kind != "name"
        if indexed and (kind == "index" or found in ([], [int(number)])):
            return int(number)
        if indexed:
            raise BadValue("classes", words, self._two_classes(int(number), found[0]))
        if len(found) == 1:
            return found[0]
        what = "several classes of that name" if found else "no class of that name"
        raise BadValue("classes", words, f"{what}; {self._advice(found or self._near(words))}")

    def _two_classes(self, index: int, named: int) -> str:
        what = f"index {index} is called {self.names[index]}"
        other = f"the class that is called {self.names[named]} has index {named}"
        return f"{what}, but {other}; give index:{index} or name:{self.names[named]}"

    def _near(self, words: str) -> list[int]:
        """Classes with a similar name, else those whose name contains the words."""
        plain = [_plain(name) for name in self.names]
        similar = difflib.get_close_matches(_plain(words), plain, n=3, cutoff=0.5)
        if similar:
            return [plain.index(name) for name in similar]
        return [index for index, name in enumerate(plain) if _plain(words) in name]

    def _advice(self, near: list[int]) -> str:
        if not near:
            return f"give a number from 0 to {len(self.names) - 1}"
        return "give " + " or ".join(f"{index} ({self.names[index]})" for index in near[:5])


def _plain(words: str) -> str:
    return " ".join(words.replace("_", " ").lower().split())


def numbers(classes: int, word: str = "class") -> Labels:
    """Labels if nobody knows the names: `class 0` and so on."""
    names = tuple(f"{word} {index}" for index in range(classes))
    return Labels(names, tuple(map(str, range(classes))))


def imagenet_labels() -> Labels:
    """The WordNet ids and names of ImageNet's 1000 classes, in the order of keras.applications."""
    lines = IMAGENET_FILE.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return Labels(tuple(name for _, name in rows), tuple(code for code, _ in rows))


@dataclass(frozen=True)
class Target:
    """What is explained: the score of class `plus`, minus that of class `minus` if there is one."""

    name: str
    plus: int
    minus: int | None = None


def target_at(index: int, labels: Labels) -> Target:
    """The class of an index."""
    return Target(labels.names[index], index)


def target_of(words: str, labels: Labels) -> Target:
    """`dog`, `208`, or a contrast such as `dog - cat`. Raises BadValue if a class is not there."""
    plus, dash, minus = words.partition(" - ")
    if not dash or labels.named(words):
        return target_at(labels.find(words.strip()), labels)
    first = labels.find(plus.strip())
    second = labels.find(minus.strip())
    if first == second:
        raise BadValue("classes", words, "twice the same class; a contrast takes two")
    return Target(f"{labels.names[first]} - {labels.names[second]}", first, second)
