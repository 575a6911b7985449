"""Make the pages that come from the code: docs/commands.md and the table of keys.

    python docs/make_help.py            # writes the pages, prints which ones changed
    python docs/make_help.py --check    # writes nothing; exit code 1 if a page is out of date

In: the parser of every command, and the dataclasses of the keys of cfg.json. Out:
`docs/commands.md`, and the part of `docs/data-and-models.md` between the marks GENERATED and END.
"""

import importlib.util
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
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from huggin.common.console import description, find_commands  # noqa: E402
from huggin.qa.arguments import OWN_ARGUMENTS  # noqa: E402

COMMANDS = Path("docs/commands.md")
KEYS = Path("docs/data-and-models.md")
GENERATED = "<!-- generated: keys -->"
END = "<!-- end -->"
COLUMNS = 100  # the width of a help text
HEAD = """# Commands

Every command with its options, as `huggin COMMAND --help` prints it. `huggin run_qa cfg.json` and,
in the clone, `python run_qa.py cfg.json` do the same. Every command also takes `--version`.

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
    return {
        COMMANDS: commands_page(find_commands(root)),
        KEYS: with_keys((root / KEYS).read_text(encoding="utf-8"), table_of_keys()),
    }


def is_stale(path: Path, text: str) -> bool:
    """Whether a page has other words. Line breaks do not count: Python's versions break usages
    at different places."""
    return not path.exists() or path.read_text(encoding="utf-8").split() != text.split()


def commands_page(commands: dict[str, Path]) -> str:
    """docs/commands.md, with a section for each command that has a help text."""
    helps = {name: help_of(path) for name, path in commands.items()}
    sections = [section(name, commands[name], text) for name, text in helps.items() if text]
    return "\n".join([HEAD, *sections])


def section(name: str, path: Path, text: str) -> str:
    """A command's heading, what it does in one line, and its help text."""
    return f"## {name}\n\n{description(path)}\n\n```\n{text.strip()}\n```\n"


def help_of(path: Path) -> str:
    """What a command prints for --help, or "" if it has none."""
    if path.suffix == ".py":
        return help_of_script(path)
    text = path.read_text(encoding="utf-8")
    if "--help" not in text and "answer_options" not in text:  # the function of stages.sh
        return ""
    return subprocess.run(["bash", path, "--help"], capture_output=True, text=True).stdout


def help_of_script(path: Path) -> str:
    """What a Python script's `main` prints for --help; the script is imported for that."""
    main_of_script = load(path).main
    printed = io.StringIO()
    with fixed_width(), redirect_stdout(printed), suppress(SystemExit):
        main_of_script(["--help"])
    return printed.getvalue()


def load(path: Path) -> Any:
    """The module in a file, whose name need not be one that Python can import."""
    spec = importlib.util.spec_from_file_location(f"help_of_{path.stem.replace('-', '_')}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@contextmanager
def fixed_width() -> Iterator[None]:
    """Let argparse format for COLUMNS columns, whatever the terminal's width is."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(COLUMNS)
    try:
        yield
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before


def with_keys(page: str, table: str) -> str:
    """A page with `table` in the place between the marks."""
    before, generated, rest = page.partition(GENERATED)
    _, end, after = rest.partition(END)
    if not (generated and end):
        raise SystemExit(f"make_help.py: {KEYS} needs the lines {GENERATED} and {END}")
    return f"{before}{generated}\n\n{table}\n\n{end}{after}"


def table_of_keys() -> str:
    """A Markdown table of the toolkit's own keys: name, default as JSON, meaning."""
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for arguments in OWN_ARGUMENTS.values():
        for key in fields(arguments):
            meaning = key.metadata["help"].replace("|", "\\|")
            rows.append(f"| `{key.name}` | `{json.dumps(key.default)}` | {meaning} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
