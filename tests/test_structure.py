"""The house: imports point down, no cycles, no file outgrows it."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

ROOMS = sorted((ROOT / "huggin").rglob("*.py"))
DOORS_AND_MODULES = sorted(ROOT.glob("*.py"))
LOW = {"huggin.door", "huggin.files", "huggin.run_folder", "huggin.config", "huggin.recording"}
ROOT_MODULES = ["trainer_qa", "huggin_utils", "checkpointing", "db_utils", "lime"]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    """Modules of our own that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & {name_of(path) for path in (*ROOMS, *DOORS_AND_MODULES)} - {"huggin"}


@pytest.mark.parametrize("path", ROOMS, ids=name_of)
def test_rooms_never_import_from_the_root(path):
    assert {name for name in imports_of(path) if not name.startswith("huggin.")} == set()


@pytest.mark.parametrize("name", sorted(LOW))
def test_the_lowest_rooms_import_only_each_other(name):
    assert imports_of(ROOT / f"{name.replace('.', '/')}.py") <= LOW


def test_doors_are_imported_by_nobody():
    doors = {name_of(path) for path in DOORS_AND_MODULES} - set(ROOT_MODULES)
    imported = {name for path in (*ROOMS, *DOORS_AND_MODULES) for name in imports_of(path)}
    assert imported & doors == set()


def test_no_cycles():
    graph = {name_of(path): imports_of(path) for path in (*ROOMS, *DOORS_AND_MODULES)}
    while graph:
        free = [name for name, imported in graph.items() if not imported & graph.keys()]
        assert free, f"a cycle among {sorted(graph)}"
        for name in free:
            del graph[name]


@pytest.mark.parametrize("path", [*ROOMS, *DOORS_AND_MODULES], ids=name_of)
def test_files_stay_under_300_lines_and_say_what_they_are(path):
    text = path.read_text()
    assert len(text.splitlines()) < 300
    if path.name == "__init__.py":
        assert text == ""
    else:
        assert ast.get_docstring(ast.parse(text))


def test_nothing_unsafe():
    banned = ("import pickle", "shell=True", "trust_remote_code=True", "os.system", "eval(")
    for path in (*ROOMS, *DOORS_AND_MODULES):
        text = path.read_text().replace(".eval()", "")
        assert [word for word in banned if word in text] == [], path
