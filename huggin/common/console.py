"""The command `huggin`: run any command of the toolkit, from any folder.

    huggin run_qa cfg.json
    huggin create-page runs/sample

A command is a file of `huggin/commands/`, or a Python or bash script of the toolkit's folder. The
comment `# huggin: look 10` in it says that `huggin` lists it under the story `look`; the numbers
give the order.
"""

import difflib
import importlib
import importlib.util
import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import huggin
from huggin.common.cli import NOT_ON_WINDOWS, Main, run_command
from huggin.common.errors import UserError
from huggin.common.files import PACKAGE, TOOLKIT
from huggin.common.streams import warn
from huggin.common.text import short

COMMANDS = PACKAGE / "commands"
BAD_INPUT = 2
STORIES = {
    "train": "train a model, and record it",
    "look": "look at what was recorded",
    "ask": "ask the trained model",
    "explain": "explain an answer or a picture",
    "data": "look into the data",
    "files": "files, database and set-up",
}
MARK = re.compile(rf"# huggin: ({'|'.join(STORIES)}) (\d+)$", re.MULTILINE)
HEAD = 4000  # characters of a file in which its first line and its mark stand
OPTIONS = ("--help", "--version", "--completion")
HELP = """usage: huggin COMMAND [ARGUMENT ...]

Run a command of the toolkit. Each command explains itself: huggin COMMAND --help

{commands}

options:
  --help                   show this list
  --version                show the version
  --completion bash|zsh    print a script that lets the shell complete the names of commands

example: huggin run_qa cfg.json"""


@dataclass(frozen=True)
class Command:
    """A command of the toolkit."""

    name: str  # as it is typed after `huggin`
    path: Path
    story: str
    place: int  # in the list of its story
    about: str  # what it does, in one line


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
    commands = find_commands()
    if not words or words[0] in ("--help", "-h"):
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        return HELP.format(commands=listing(commands, columns))
    if words[0] == "--completion":
        return completion(commands, words[1:])
    return run(find_command(commands, words[0]), words[1:])


def find_commands() -> list[Command]:
    """The commands of the toolkit, by story, the likeliest of each story first."""
    scripts = [path for path in TOOLKIT.iterdir() if path.is_file() and path.suffix in ("", ".py")]
    files = [*scripts, *COMMANDS.glob("*.py")]
    commands = [command for command in map(read_command, files) if command]
    stories = list(STORIES)
    return sorted(commands, key=lambda entry: (stories.index(entry.story), entry.place, entry.name))


def read_command(path: Path) -> Command | None:
    """The command in a file; None if the file has no mark, so that it is none."""
    with path.open(encoding="utf-8", errors="replace") as file:
        head = file.read(HEAD)
    mark = MARK.search(head)
    if mark is None:
        return None
    first = head.split('"""' if path.suffix == ".py" else "\n# ")[1]
    name = path.stem.replace("_", "-") if is_module(path) else path.stem
    return Command(name, path, mark[1], int(mark[2]), first.splitlines()[0])


def is_module(path: Path) -> bool:
    """Whether a command's file is a module of `huggin/commands/`, not a script that runs alone."""
    return path.parent == COMMANDS


def find_command(commands: Iterable[Command], name: str) -> Command:
    """Return a command, however its name is written.

    Raises UserError, with the nearest name, if there is no such command.
    """
    by_plain_name = {plain(command.name): command for command in commands}
    if plain(name) in by_plain_name:
        return by_plain_name[plain(name)]
    nearest = difflib.get_close_matches(plain(name), by_plain_name, n=1)
    hint = f"did you mean {by_plain_name[nearest[0]].name}? " if nearest else ""
    raise UserError(f"no command {name!r}; {hint}`huggin --help` lists the commands")


def plain(name: str) -> str:
    """A name in the form that is compared: `Run_QA.py` and `run-qa` are the same command."""
    return name.lower().removesuffix(".py").replace("_", "-")


def run(command: Command, arguments: list[str]) -> NoReturn:
    """Let this process be a command, to its exit code."""
    if command.path.suffix != ".py":
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # Python ignores it, and bash would inherit that
        if TOOLKIT.parent == PACKAGE:  # a wheel, which has no .venv of its own
            os.environ["HUGGIN_PYTHON"] = sys.executable
        os.execvp("bash", ["bash", str(command.path), *arguments])
    sys.argv = [f"huggin {command.name}", *arguments]
    sys.path[0] = str(TOOLKIT)  # as if Python had been given a script there
    run_command(main_of(command.path))


def main_of(path: Path) -> Main:
    """The function `main` of a Python command, whose file is imported for that."""
    if is_module(path):
        return importlib.import_module(f"huggin.commands.{path.stem}").main
    spec = importlib.util.spec_from_file_location(path.stem.replace("-", "_"), path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module.main


def listing(commands: Iterable[Command], columns: int | None) -> str:
    """The commands under their stories: names and what they do, cut at `columns`."""
    commands = list(commands)
    width = max(len(command.name) for command in commands)
    paragraphs = []
    for story, meaning in STORIES.items():
        lines = [f"{story}: {meaning}"]
        for command in commands:
            if command.story == story:
                text = command.about
                if columns is not None:
                    text = short(text, max(1, columns - width - 4))
                lines.append(f"  {command.name:{width}}  {text}")
        if lines[1:]:
            paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)


def completion(commands: Iterable[Command], shells: list[str]) -> str:
    """Return the script that makes a shell complete the names of commands.

    Raises UserError for any other shell than bash and zsh.
    """
    commands = list(commands)
    names = [*(command.name for command in commands), *OPTIONS]
    pairs = [shlex.quote(f"{command.name}:{command.about}") for command in commands]
    words = {
        "bash": shlex.quote(" ".join(names)),
        "zsh": "\n".join(f"    {pair}" for pair in pairs),
    }
    if len(shells) != 1 or shells[0] not in words:
        raise UserError("--completion needs the name of a shell: bash or zsh")
    script = Path(__file__).with_name(f"completion.{shells[0]}").read_text(encoding="utf-8")
    program = shlex.quote(str(Path(sys.executable).with_name("huggin")))
    return script.rstrip().replace("@HUGGIN@", program).replace("@WORDS@", words[shells[0]])


if __name__ == "__main__":
    sys.exit(main())
