"""Make the pages that come from the code: docs/commands.md and the table of keys.

    python docs/make_help.py            # writes the pages, prints which ones changed
    python docs/make_help.py --check    # writes nothing; exit code 1 if a page is out of date

In: the parser of every command, and the dataclasses and the table of the keys of cfg.json. Out:
`docs/commands.md`, and the parts of `docs/data-and-models.md` between two marks.
"""

import io
import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import fields
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from huggin.common.console import Command, find_commands, main_of  # noqa: E402
from huggin.qa.arguments import OWN_ARGUMENTS  # noqa: E402
from huggin.qa.given import trainer_keys  # noqa: E402

COMMANDS = Path("docs/commands.md")
KEYS = Path("docs/data-and-models.md")
GENERATED = "<!-- generated: keys -->"
OF_TRAINER = "<!-- generated: trainer keys -->"
END = "<!-- end -->"
COLUMNS = 100  # the width of a help text
HEAD = """# Commands

Every command with its options, as `huggin COMMAND --help` prints it, in the order in which `huggin`
lists them. Every command also takes `--version`. The scripts in the clone can be called by their
files, too: `python run_qa.py cfg.json` and `huggin run_qa cfg.json` do the same.

<!-- Made by docs/make_help.py. Change the help texts in the commands instead of this page. -->
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the pages that are out of date, or only name them. Returns 1 if --check finds any."""
    parser = ArgumentParser(description="Make the pages that come from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    check = parser.parse_args(argv).check
    stale = {path: text for path, text in pages(ROOT).items() if is_stale(ROOT / path, text)}
    for path, text in stale.items():
        if check:
            print(f"{path} is out of date; run: python docs/make_help.py", file=sys.stderr)
        else:
            (ROOT / path).write_text(text, encoding="utf-8")
            print(path)
    return 1 if check and stale else 0


def pages(root: Path) -> dict[Path, str]:
    """The text that each page should have."""
    keys = with_keys((root / KEYS).read_text(encoding="utf-8"), table_of_keys())
    keys = with_keys(keys, table_of_trainer_keys(), OF_TRAINER)
    return {COMMANDS: commands_page(find_commands()), KEYS: keys}


def is_stale(path: Path, text: str) -> bool:
    """Whether a page has other words. Line breaks do not count: Python's versions break usages
    at different places."""
    return not path.exists() or path.read_text(encoding="utf-8").split() != text.split()


def commands_page(commands: Sequence[Command]) -> str:
    """docs/commands.md, with a section for each command that has a help text."""
    helps = {command: help_of(command) for command in commands}
    return "\n".join([HEAD, *(section(command, text) for command, text in helps.items() if text)])


def section(command: Command, text: str) -> str:
    """A command's heading, what it does in one line, and its help text."""
    return f"## {command.name}\n\n{command.about}\n\n```\n{text.strip()}\n```\n"


def help_of(command: Command) -> str:
    """What a command prints for --help, or "" if it has none."""
    if command.path.suffix == ".py":
        return help_of_python(command)
    text = command.path.read_text(encoding="utf-8")
    if "--help" not in text and "answer_options" not in text:  # the function of stages.sh
        return ""
    return subprocess.run(["bash", command.path, "--help"], capture_output=True, text=True).stdout


def help_of_python(command: Command) -> str:
    """What the `main` of a Python command prints for --help; its file is imported for that."""
    main_of_command = main_of(command.path)
    printed = io.StringIO()
    with called_as(command), redirect_stdout(printed), suppress(SystemExit):
        main_of_command(["--help"])
    return printed.getvalue()


@contextmanager
def called_as(command: Command) -> Iterator[None]:
    """Let argparse format as if `huggin NAME` had been typed, on a terminal of COLUMNS columns."""
    argv = sys.argv
    columns = os.environ.get("COLUMNS")
    sys.argv = [f"huggin {command.name}"]
    os.environ["COLUMNS"] = str(COLUMNS)
    try:
        yield
    finally:
        sys.argv = argv
        del os.environ["COLUMNS"]
        if columns is not None:
            os.environ["COLUMNS"] = columns


def with_keys(page: str, table: str, mark: str = GENERATED) -> str:
    """A page with `table` in the place between the marks."""
    before, generated, rest = page.partition(mark)
    _, end, after = rest.partition(END)
    if not (generated and end):
        raise SystemExit(f"make_help.py: {KEYS} needs the lines {mark} and {END}")
    return f"{before}{generated}\n\n{table}\n\n{end}{after}"


def table_of_keys() -> str:
    """A Markdown table of the toolkit's own keys: name, default as JSON, meaning."""
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for arguments in OWN_ARGUMENTS.values():
        for key in fields(arguments):
            meaning = key.metadata["help"].replace("|", "\\|")
            rows.append(f"| `{key.name}` | `{json.dumps(key.default)}` | {meaning} |")
    return "\n".join(rows)


def table_of_trainer_keys() -> str:
    """A Markdown table of the Trainer's keys: name, whether it can be set, note."""
    rows = [f"| `{row['key']}` | {row['can be set']} | {row['note']} |" for row in trainer_keys()]
    return "\n".join(["| key | can be set | note |", "|---|---|---|", *sorted(rows)])


if __name__ == "__main__":
    sys.exit(main())
