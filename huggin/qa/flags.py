"""Flags as they are typed -> keys and values; one key of a cfg.json and its flags.

    python -m huggin.qa.flags output_dir cfg.json --output_dir runs/mine

The drivers, which are bash scripts, read keys this way. It imports no heavy library.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggin.common.errors import UserError
from huggin.common.streams import warn

TOOLKIT = Path(__file__).resolve().parents[2]
PATHS = ("output_dir",)
SWITCHES = ("dry_run",)
TRUE = ("true", "yes", "t", "y", "1")


def read_flags(flags: Sequence[str]) -> dict[str, Any]:
    """`--key value`, `--key=value`, `--key a b`, or a bare `--key` for true.

    Raises UserError for a word before the first flag.
    """
    given: dict[str, list[str]] = {}
    key = None
    for flag in flags:
        if flag.startswith("--"):
            name, equals, value = flag[2:].partition("=")
            key = name.replace("-", "_")
            given[key] = [value] if equals else []
        elif key is None:
            raise UserError(f"{flag}: not expected here; flags are --key value")
        else:
            given[key].append(flag)
    return {key: _value_of(words) for key, words in given.items()}


def _value_of(words: list[str]) -> Any:
    """What the words behind a flag mean: none is true, one is itself, several are a list."""
    if not words:
        return True
    return words[0] if len(words) == 1 else words


def keys_as_given(cfg: Path, flags: Sequence[str]) -> dict[str, Any]:
    """The keys of a cfg and of its flags, which win; unchecked.

    The command that uses the cfg says what is wrong with it; here it is read as far as it can be.
    """
    try:
        given = json.loads(cfg.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        given = {}
    if not isinstance(given, dict):
        given = {}
    return given | read_flags(flags)


def here_or_own(cfg: Path) -> Path:
    """The file, or the toolkit's own of this name if there is none where the user stands."""
    own = TOOLKIT / cfg.name
    if cfg.exists() or cfg.parent != Path() or not own.is_file():
        return cfg
    warn(f"{cfg}: not in this folder; taking {own}")
    return own


def run_named(path: str | Path) -> Path:
    """The folder of the run that a path means: itself, or the output_dir of a cfg.json.

    Raises UserError for a file that names none.
    """
    file = here_or_own(Path(path))
    if not file.is_file():
        return file
    if folder := as_word("output_dir", keys_as_given(file, []).get("output_dir")):
        return Path(folder)
    raise UserError(f"{path}: not a cfg.json with an output_dir; name that, or the run's folder")


def is_true(value: Any) -> bool:
    """Whether a value, typed or of JSON, means true."""
    return str(value).lower() in TRUE


def as_word(key: str, value: Any) -> str:
    """A value as one word of a command line; "" for one that is not set, or false."""
    if key in PATHS:
        path = str(Path(value).expanduser()) if isinstance(value, str) else ""
        return f"./{path}" if path.startswith("-") else path
    if key in SWITCHES:
        return "true" if is_true(value) else ""
    return value if isinstance(value, str) else ""


if __name__ == "__main__":
    name, file, *words = sys.argv[1:]
    print(as_word(name, keys_as_given(Path(file), words).get(name)))
