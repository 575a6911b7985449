"""The command `huggin`: lists the commands, finds them under any spelling, becomes them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from huggin import __version__
from huggin.common import console

ROOT = Path(console.__file__).resolve().parents[2]
SCRIPTS = [
    path.stem
    for path in ROOT.glob("*.py")
    if "\nif __name__ ==" in path.read_text(encoding="utf-8")
]
COMMANDS = ["create-page", "graph-layers", "graph-questions", "graph-efficacy", "rewind"]
DRIVERS = ["get-training-output", "get-model-output", "setup", "run-tests"]


def huggin(*words: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """What `huggin WORDS` does, typed in the folder `cwd`."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[0] = 'huggin'; "
    program += "from huggin.common.console import main; sys.exit(main())"
    line = [sys.executable, "-c", program, *words]
    return subprocess.run(line, cwd=cwd, input=stdin, capture_output=True, text=True)


@pytest.fixture
def toolkit(tmp_path, monkeypatch):
    """A folder that takes the toolkit's place, with scripts, a command and a driver."""
    folder = tmp_path / "toolkit"
    commands = folder / "huggin" / "commands"
    commands.mkdir(parents=True)
    (commands / "__init__.py").touch()
    (commands / "look_it_up.py").write_text('"""Look."""  # huggin: look 20\n')
    (folder / "run_qa.py").write_text('"""Train.\n\nLong text."""  # huggin: train 20\n')
    (folder / "db-rows.py").write_text('"""It\'s rows: text."""  # huggin: look 3\n')
    (folder / "module.py").write_text('"""Not a command."""\n')
    (folder / "drive").write_text("#!/usr/bin/env bash\n# Do it all.\nset -e # huggin: train 10\n")
    (folder / "LICENSE").write_text("words\n")
    monkeypatch.setattr(console, "TOOLKIT", folder)
    monkeypatch.setattr(console, "COMMANDS", commands)
    return folder


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_list_has_every_command_with_a_description(words, capsys):
    assert console.main(words) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    described = {words[0]: words[1] for words in lines if len(words) == 2}
    assert described.keys() >= {*SCRIPTS, *COMMANDS, *DRIVERS}
    assert "stages" not in described
    assert "trainer_qa" not in described


def test_the_list_loads_nothing_heavy():
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from huggin.common.console import main
main([])
print({{"torch", "numpy", "transformers", "matplotlib"}} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.usefixtures("toolkit")
def test_commands_stand_under_their_story_in_the_order_of_their_marks(capsys):
    """Each with the first line of its docstring, or of a driver's comment."""
    console.main([])
    list_of_commands = capsys.readouterr().out.split("\n\n", 2)[2].split("\n\noptions:")[0]
    assert list_of_commands.splitlines() == [
        "train: train a model, and record it",
        "  drive       Do it all.",
        "  run_qa      Train.",
        "",
        "look: look at what was recorded",
        "  db-rows     It's rows: text.",
        "  look-it-up  Look.",
    ]


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (None, ["  db-rows  It's rows: text.", "  run_qa   Train."]),
        (24, ["  db-rows  It's rows: t…", "  run_qa   Train."]),
        (1, ["  db-rows  …", "  run_qa   …"]),
    ],
)
def test_lines_are_cut_at_the_terminals_width(columns, lines, toolkit):
    commands = [console.read_command(toolkit / f"{name}.py") for name in ("db-rows", "run_qa")]
    listed = console.listing(commands, columns).splitlines()
    assert [line for line in listed if line.startswith("  ")] == sorted(lines, reverse=True)


def test_version(capsys):
    assert console.main(["--version"]) == 0
    assert capsys.readouterr().out == f"huggin {__version__}\n"


@pytest.mark.parametrize("name", ["db_utils", "db-utils", "db_utils.py", "DB-Utils.py"])
def test_a_script_runs_under_any_spelling(name, tmp_path):
    done = huggin(name, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: huggin db_utils" in done.stdout


@pytest.mark.parametrize("name", ["graph-layers", "graph_layers.py"])
def test_a_command_runs_under_any_spelling_and_calls_itself_as_it_was_called(name, tmp_path):
    done = huggin(name, "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("huggin graph-layers: error: nowhere: no such folder")
    done = huggin("graph-losses", "nowhere", cwd=tmp_path)
    assert done.stderr.startswith("huggin graph-losses: error: nowhere: no such folder")


@pytest.mark.parametrize("name", ["get-training-output", "get_training_output"])
def test_a_driver_runs(name, tmp_path):
    done = huggin(name, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "example: ./get-training-output" in done.stdout


def run_in(toolkit: Path, name: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """What the toolkit's script `name` does, run by console.run in a process of its own."""
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from huggin.common.console import run
from huggin.common.console import Command
run(Command("echo", Path({str(toolkit / name)!r}), "look", 1, ""), ["a b", "--c"])
"""
    line = [sys.executable, "-c", code]
    return subprocess.run(line, input=stdin, capture_output=True, text=True)


def test_arguments_input_and_exit_code_are_the_commands_own(toolkit):
    (toolkit / "echo.py").write_text(
        "import sys\n"
        "def main(argv=None):\n"
        "    print(sys.argv[1:], sys.stdin.read(), sys.executable)\n"
        "    return 3\n"
    )
    done = run_in(toolkit, "echo.py", stdin="typed")
    assert (done.returncode, done.stdout) == (3, f"['a b', '--c'] typed {sys.executable}\n")


def test_a_driver_gets_the_signals_as_a_shell_would_start_it(toolkit):
    """Python ignores SIGPIPE; a driver that inherited that could not be ended by it."""
    (toolkit / "drive").write_text("#!/usr/bin/env bash\nkill -PIPE $$\necho still here\n")
    done = run_in(toolkit, "drive")
    assert (done.returncode, done.stdout) == (-signal.SIGPIPE, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run_q"], "no command 'run_q'; did you mean run_qa? `huggin --help` lists the commands"),
        (["--hlep"], "no command '--hlep'; `huggin --help` lists the commands"),
        (["--completion"], "--completion needs the name of a shell: bash or zsh"),
        (["--completion", "fish"], "--completion needs the name of a shell: bash or zsh"),
    ],
)
def test_bad_usage_is_told_in_one_line(words, said, capsys):
    assert console.main(words) == 2
    assert capsys.readouterr() == ("", f"huggin: error: {said}\n")


def test_a_reader_that_leaves_is_no_error():
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from huggin.common.console import main
sys.stdin.read()
sys.exit(main([]))
"""
    line = [sys.executable, "-c", code]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(line, text=True, **pipes) as process:
        process.stdout.close()
        process.stdin.close()
        assert (process.stderr.read(), process.wait()) == ("", 0)


@pytest.mark.usefixtures("toolkit")
def test_bash_completes_commands_then_files(capsys):
    console.main(["--completion", "bash"])
    script = capsys.readouterr().out
    assert "add this line to ~/.bashrc" in script
    script += """
COMP_WORDS=(huggin d); COMP_CWORD=1; _huggin; echo "${COMPREPLY[@]}"
COMP_WORDS=(huggin run_qa d); COMP_CWORD=2; _huggin; echo "${#COMPREPLY[@]}"
"""
    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("drive db-rows\n0\n", "")


@pytest.mark.usefixtures("toolkit")
def test_zsh_completion_quotes_descriptions(capsys):
    console.main(["--completion", "zsh"])
    script = capsys.readouterr().out
    assert "add these lines to ~/.zshrc" in script
    assert """    'db-rows:It'"'"'s rows: text.'\n""" in script
    assert "    'drive:Do it all.'\n" in script
