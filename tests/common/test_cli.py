"""What every command says where it cannot run."""

import sys

import pytest

from huggin.common.cli import CommandParser, exit_code_of
from huggin.common.console import main as console
from huggin.common.errors import UserError
from huggin.graphs.arguments import graph_parser
from tests.conftest import command


@pytest.mark.parametrize("script", ["run_qa.py", "db_utils.py", "lime.py"])
def test_windows_itself_is_refused_in_one_line(script, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    done = command(script, "--help", cwd=tmp_path)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith(
        f"{script}: error: Windows is supported through WSL; type 'wsl --install'"
    )


def test_huggin_refuses_windows_too(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "win32")
    assert console(["--version"]) == 2
    assert capsys.readouterr().err.startswith("huggin: error: Windows is supported through WSL")


@pytest.mark.parametrize("words", [["create-page", ""], ["graph-losses.py", ""]])
def test_an_empty_path_is_not_the_current_folder(words, tmp_path):
    done = command(*words, cwd=tmp_path)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, "empty; name a file or a folder" in line) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["A", "--format", "svg", "B"],
        ["--format", "svg", "A", "B"],
        ["A", "B", "--format", "svg"],
        ["--format", "svg", "--", "A", "B"],
    ],
)
def test_options_may_stand_between_the_runs(words):
    parser = graph_parser("Draw.", "python graph.py")
    args = parser.parse_args(words)
    assert (str(args.run), list(map(str, args.beside)), args.format) == ("A", ["B"], ["svg"])


def test_a_name_that_begins_with_a_dash_stands_behind_two():
    assert str(graph_parser("Draw.", "python graph.py").parse_args(["--", "-run"]).run) == "-run"


def main_that_imports(module):
    def main(_argv=None):
        __import__(module)
        return 0

    return main


@pytest.mark.parametrize("module", ["keras", "tensorflow"])
def test_what_was_left_out_is_asked_for_in_one_line(module, monkeypatch, capsys):
    """`./setup --without-pictures` leaves these two packages out."""
    monkeypatch.setitem(sys.modules, module, None)
    assert exit_code_of(main_that_imports(module)) == 2
    said = f"error: {module} is not installed, it is only needed for pictures; type: ./setup --with"
    assert said in capsys.readouterr().err


def test_a_missing_module_of_another_kind_is_a_defect(capsys):
    assert exit_code_of(main_that_imports("no_such_module")) == 70
    assert "No module named 'no_such_module'" in capsys.readouterr().err


def test_a_library_that_cannot_be_loaded_is_named(tmp_path, monkeypatch, capsys):
    """As torch with TORCH_LOGS=nonsense, or huggingface_hub with HF_HUB_ETAG_TIMEOUT=soon."""
    folder = tmp_path / "site-packages"
    (folder / "brittle").mkdir(parents=True)
    (folder / "brittle" / "__init__.py").write_text("int('soon')")
    monkeypatch.syspath_prepend(folder)
    assert exit_code_of(main_that_imports("brittle")) == 2
    said = "error: brittle cannot be loaded: invalid literal for int() with base 10: 'soon'; check"
    assert said in capsys.readouterr().err


def test_a_least_number_of_nothing_is_one_too():
    parser = CommandParser("Does nothing.", "huggin nothing")
    parser.option("--depth N", "how deep", at_least=0)
    assert parser.parse_args(["--depth", "0"]).depth == 0
    with pytest.raises(UserError, match="must be 0 or more"):
        parser.parse_args(["--depth", "-1"])
