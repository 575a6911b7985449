"""Names of classes come in many files; each is read in the order of the classes, or refused."""

import json

import pytest

from huggin.common.errors import UserError
from huggin.lime.classifiers.labels import labels_of_file

NAMES = ("circle", "square", "triangle")
SWAPPED = {"square": 1, "triangle": 2, "circle": 0}
FILES = {
    "lines": "circle\nsquare\ntriangle\n",
    "a byte order mark and blanks": "\ufeffcircle \n square\r\ntriangle\n\n",
    "JSON: a list": json.dumps(NAMES),
    "JSON: id2label": json.dumps({str(at): name for name, at in SWAPPED.items()}),
    "JSON: a config": json.dumps({"id2label": {str(at): name for name, at in SWAPPED.items()}}),
    "JSON: class_indices": json.dumps(SWAPPED),
    "JSON: codes": json.dumps({str(at): [f"n{at}", name] for name, at in SWAPPED.items()}),
    "numbers and names": "0 circle\n1 square\n2 triangle",
    "numbers with marks": "2: triangle\n0: circle\n1: square",
    "numbers and tabs": "0\tcircle\n1\tsquare\n2\ttriangle",
    "CSV": "2,triangle\n0,circle\n1,square\n",
    "CSV with a header": "id,name\n1,square\n0,circle\n2,triangle\n",
    "CSV, the number last": 'name,id\n"square",1\ncircle,0\ntriangle,2',
    "CSV with more columns": "id;code;label\n1;a;square\n0;b;circle\n2;c;triangle",
    "CSV with one column": "label\ncircle\nsquare\ntriangle\n",
}
REFUSED = {
    "a list without brackets": ('"circle",\n"square",\n"triangle"', "a list without its brackets"),
    "the same in one line": ('"circle", "square", "triangle"', "a list without its brackets"),
    "commas behind names": ("circle,\nsquare,\ntriangle,", "a list without its brackets"),
    "Python's dictionary": ("{0: 'circle', 1: 'square', 2: 'triangle'}", "begins like JSON"),
    "numbers from 1": ("1 circle\n2 square\n3 triangle", "numbered from 1; number them from 0"),
    "a number twice": (json.dumps({"circle": 0, "square": 0, "triangle": 1}), "not numbered"),
    "a gap": (json.dumps({"0": "circle", "1": "square", "3": "triangle"}), "not numbered"),
    "no texts": ("[1, 2, 3]", "not all texts"),
    "id2label of another kind": ('{"id2label": 3}', "no object"),
    "a deep list": ("[" * 100_000, "begins like JSON"),
    "which column?": ("0,a,circle\n1,b,square\n2,c,triangle", "several columns"),
    "nothing": (" \n", "0 labels"),
    "a name without end": ("x" * 200_000 + "\nb\nc", "field larger"),
    "too few": ("circle\nsquare", "2 labels, the model has 3 classes"),
}


def labels(tmp_path, text: str) -> tuple[str, ...]:
    (tmp_path / "labels").write_bytes(text.encode())
    return labels_of_file(tmp_path / "labels", 3)


@pytest.mark.parametrize("kind", FILES)
def test_names_are_in_the_order_of_the_classes(kind, tmp_path):
    assert labels(tmp_path, FILES[kind]) == NAMES


@pytest.mark.parametrize("text", ["tench, Tinca tinca\na, b\nc, d", "0\n1\n10", "5 euro\n2\n9 a"])
def test_names_with_commas_and_numbers_stay_names(text, tmp_path):
    assert labels(tmp_path, text) == tuple(text.splitlines())


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_order_is_refused(kind, tmp_path):
    text, message = REFUSED[kind]
    with pytest.raises(UserError, match=message) as caught:
        labels(tmp_path, text)
    assert len(str(caught.value).splitlines()) == 1
