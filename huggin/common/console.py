"""The command `huggin`: run any command of the toolkit, from any folder.

    huggin run_qa cfg.json

The commands are the Python and bash scripts in the folder that holds the package `huggin`.
`huggin NAME` replaces its own process by the command's (exec), so that the exit code, signals and
standard input are the command's own.
"""

import ast
import difflib
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

import huggin
from huggin.common.cli import NOT_ON_WINDOWS
from huggin.common.errors import UserError
from huggin.common.streams import warn
from huggin.common.text import short

ROOT = Path(huggin.__file__).resolve().parent.parent
BAD_INPUT = 2
OPTIONS = ("--help", "--version", "--completion")
HELP = """usage: huggin COMMAND [ARGUMENT ...]

Run a command of the toolkit. Each command explains itself: huggin COMMAND --help

commands:
{commands}

options:
  --help                   show this list
  --version                show the version
  --completion bash|zsh    print a script that lets the shell complete the names of commands

example: huggin run_qa cfg.json"""

BASH = """# Complete the names of huggin's commands, then file names.
# To switch it on, add this line to ~/.bashrc:
#   eval "$({huggin} --completion bash)"
_huggin() {{
  COMPREPLY=()
  [ "$COMP_CWORD" != 1 ] || COMPREPLY=($(compgen -W {words} -- "${{COMP_WORDS[1]}}"))
}}
complete -o default -F _huggin huggin"""

ZSH = """# Complete the names of huggin's commands, then file names.
# To switch it on, add these lines to ~/.zshrc:
#   autoload -Uz compinit && compinit
#   eval "$({huggin} --completion zsh)"
_huggin() {{
  local -a names
  names=(
{words}
  )
  if (( CURRENT == 2 )); then _describe command names; else _files; fi
}}
compdef _huggin huggin"""


def main(argv: list[str] | None = None) -> int:
    """Run the command that the first argument names, or print what an option asks for.

    Returns 0, or 2 after bad usage. Does not return if a command was named: the process becomes it.
    """
    words = sys.argv[1:] if argv is None else argv
    try:
        print(answer(words), flush=True)
    except UserError as error:
        warn(f"huggin: error: {error}")
        return BAD_INPUT
    except BrokenPipeError:  # the reader has left, as in `huggin | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def answer(words: list[str]) -> str:
    """Return the text that an option asks for, or become the command that `words` name.

    Raises UserError if there is no such option or command, and on Windows.
    """
    if sys.platform == "win32":
        raise UserError(NOT_ON_WINDOWS)
    if words == ["--version"]:
        return f"huggin {huggin.__version__}"
    commands = find_commands(ROOT)
    if not words or words[0] in ("--help", "-h"):
        return HELP.format(commands=listing(commands, width_of_terminal()))
    if words[0] == "--completion":
        return completion(commands, words[1:])
    return run(find_command(commands, words[0]), words[1:])


def find_commands(root: Path) -> dict[str, Path]:
    """Return the commands in a folder: name without `.py` -> file.

    Raises UserError if the toolkit's scripts are not there, as after installing a wheel.
    """
    if not (root / "run_qa.py").exists():
        raise UserError(
            f"the toolkit's scripts are not in {root}; "
            "clone its repository, run ./setup there and use the clone's .venv/bin/huggin"
        )
    files = [path for path in root.iterdir() if is_command(path)]
    return {path.stem: path for path in sorted(files, key=lambda path: path.name.lower())}


def is_command(path: Path) -> bool:
    """Whether a file is a Python script that can be run, or a bash script."""
    if not path.is_file():
        return False
    if path.suffix == ".py":
        return 'if __name__ == "__main__":' in read(path)
    return path.suffix == "" and first_lines(path)[0].startswith("#!")


def read(path: Path) -> str:
    """The text of a file, whatever its bytes are."""
    return path.read_text(encoding="utf-8", errors="replace")


def first_lines(path: Path) -> tuple[str, str]:
    """The first two lines of a file, each up to 1000 characters."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline(1000), file.readline(1000)


def find_command(commands: dict[str, Path], name: str) -> Path:
    """Return the file of a command, however its name is written.

    Raises UserError, with the nearest name, if there is no such command.
    """
    by_plain_name = {plain(known): path for known, path in commands.items()}
    if plain(name) in by_plain_name:
        return by_plain_name[plain(name)]
    nearest = difflib.get_close_matches(plain(name), by_plain_name, n=1)
    hint = f"did you mean {by_plain_name[nearest[0]].stem}? " if nearest else ""
    raise UserError(f"no command {name!r}; {hint}`huggin --help` lists the commands")


def plain(name: str) -> str:
    """A name in the form that is compared: `Run_QA.py` and `run-qa` are the same command."""
    return name.lower().removesuffix(".py").replace("_", "-")


def run(path: Path, arguments: list[str]) -> NoReturn:
    """Replace this process by a command."""
    program = [sys.executable] if path.suffix == ".py" else ["bash"]
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores it, and a command would inherit that
    os.execvp(program[0], [*program, str(path), *arguments])


def width_of_terminal() -> int | None:
    """The columns of the terminal that the list is printed on, None if it is printed elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def listing(commands: dict[str, Path], columns: int | None) -> str:
    """A line for each command: its name and what it does, cut if it is longer than `columns`."""
    width = max(map(len, commands))
    lines = []
    for name, path in commands.items():
        text = description(path)
        if columns is not None:
            text = short(text, max(1, columns - width - 4))
        lines.append(f"  {name:{width}}  {text}")
    return "\n".join(lines)


def description(path: Path) -> str:
    """The first line of a script's docstring, or the comment on a bash script's second line."""
    if path.suffix != ".py":
        return first_lines(path)[1].lstrip("#").strip()
    try:
        docstring = ast.get_docstring(ast.parse(read(path)))
    except SyntaxError:
        return ""
    return docstring.splitlines()[0] if docstring else ""


def completion(commands: dict[str, Path], shells: list[str]) -> str:
    """Return the script that makes a shell complete the names of commands.

    Raises UserError for any other shell than bash and zsh.
    """
    program = shlex.quote(str(Path(sys.executable).with_name("huggin")))
    if shells == ["bash"]:
        return BASH.format(huggin=program, words=shlex.quote(" ".join((*commands, *OPTIONS))))
    if shells == ["zsh"]:
        pairs = [shlex.quote(f"{name}:{description(path)}") for name, path in commands.items()]
        return ZSH.format(huggin=program, words="\n".join(f"    {pair}" for pair in pairs))
    raise UserError("--completion needs the name of a shell: bash or zsh")


if __name__ == "__main__":
    sys.exit(main())
