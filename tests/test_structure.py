"""The house: which folder may import which, no cycles, no file outgrows it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAY_IMPORT = {
    "common": [],
    "qa": ["common"],
    "model": ["common", "qa"],
    "recording": ["common", "qa", "model"],
    "analysis": ["common", "recording"],
    "graphs": ["common", "qa", "recording", "analysis"],
    "pages": ["common", "qa", "model", "recording", "analysis", "graphs", "lime"],
    "asking": ["common", "qa", "model", "recording", "analysis"],
    "training": ["common", "qa", "model", "recording"],
    "database": ["common"],
    "tracking": ["common", "database"],
    "lime": ["common", "qa", "model", "recording", "analysis", "graphs", "asking", "database"],
}
MAY_IMPORT["commands"] = list(MAY_IMPORT)  # everything below; and nobody imports commands
WITHOUT_TORCH = ("analysis", "graphs", "database", "tracking")
LIBRARY = sorted((ROOT / "huggin").rglob("*.py"))
SCRIPTS = sorted(ROOT.glob("*.py"))
COMMANDS = [*SCRIPTS, *sorted((ROOT / "huggin" / "commands").glob("[!_]*.py"))]
FRONT_DOOR = ("huggin/__init__.py", "huggin/recording/__init__.py")
LONGEST = 400
# TensorFlow, torch and scikit-learn take seconds to load, and OpenVINO need not be installed.
IMPORTS_LATE = (
    "huggin.analysis.edges",
    "huggin.common.statistics",
    "huggin.lime.classifiers.keras_quietly",
    "huggin.lime.classifiers.keras_classifier",
    "huggin.lime.pictures.explaining",
    "huggin.pages.page_run",
    "huggin.asking.lookup",
    "huggin.graphs.arguments",
    "huggin.asking.suspects",
)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def folder_of(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def imports_of(path: Path) -> set[str]:
    """Modules of our own that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & {name_of(path) for path in (*LIBRARY, *SCRIPTS)} - {"huggin"}


def test_every_folder_is_in_the_table():
    inside = {path.relative_to(ROOT / "huggin") for path in LIBRARY}
    folders = {path.parts[0] for path in inside if len(path.parts) > 1}
    assert folders == set(MAY_IMPORT)


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_imports_are_those_of_the_table(path):
    folder = folder_of(name_of(path))
    allowed = {folder, *MAY_IMPORT.get(folder, [])}
    imported = imports_of(path)
    assert [name for name in imported if not name.startswith("huggin.")] == []
    assert sorted({folder_of(name) for name in imported} - allowed) == []


def test_commands_are_imported_by_nobody():
    importable = {"trainer_qa", "checkpointing"}
    commands = {name_of(path) for path in COMMANDS} - importable
    imported = {name for path in (*LIBRARY, *SCRIPTS) for name in imports_of(path)}
    assert imported & commands == set()


def test_no_cycles():
    graph = {name_of(path): imports_of(path) for path in (*LIBRARY, *SCRIPTS)}
    while graph:
        free = [name for name, imported in graph.items() if not imported & graph.keys()]
        assert free, f"a cycle among {sorted(graph)}"
        for name in free:
            del graph[name]


@pytest.mark.parametrize(
    "path",
    [path for path in LIBRARY if path not in COMMANDS and name_of(path) not in IMPORTS_LATE],
    ids=name_of,
)
def test_imports_stand_at_the_top(path):
    tree = ast.parse(path.read_text())
    late = [
        node.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert late == []


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_only_what_is_slow_to_import_is_imported_for_its_types_alone(path):
    for_types = [
        line.module
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for line in node.body
    ]
    assert set(for_types) <= {"datasets"}


@pytest.mark.parametrize("path", [*LIBRARY, *SCRIPTS], ids=name_of)
def test_files_are_short_and_say_what_they_are(path):
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST
    if path.name == "__init__.py" and str(path.relative_to(ROOT)) not in FRONT_DOOR:
        assert text == ""
    else:
        assert ast.get_docstring(ast.parse(text))


def test_folders_without_torch_do_not_load_it():
    modules = [name_of(path) for path in LIBRARY if folder_of(name_of(path)) in WITHOUT_TORCH]
    code = f"import {', '.join(modules)}; import sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_every_command_that_draws_keeps_matplotlibs_own_settings():
    for path in COMMANDS:
        text = path.read_text()
        if re.search(r"^    from huggin\.graphs\.(?!runs )", text, re.MULTILINE):
            assert "    load_matplotlib()\n" in text, path


def test_one_function_writes_to_stderr():
    """A stderr that is closed or full must end no command, nor control characters reach it."""
    for path in (*LIBRARY, *SCRIPTS):
        if name_of(path) != "huggin.common.streams":
            lines = path.read_text().splitlines()
            written = ("file=sys.stderr", "file=stderr", "stderr.write", "stderr.buffer")
            assert [line for line in lines for word in written if word in line] == [], path


def test_nothing_unsafe():
    banned = ("import pickle", "shell=True", "trust_remote_code=True", "os.system", "eval(")
    for path in (*LIBRARY, *SCRIPTS):
        text = path.read_text().replace(".eval()", "")
        assert [word for word in banned if word in text] == [], path
