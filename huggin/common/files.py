"""Files are written whole or not at all, and read only if they are plain ones of sane size."""

import glob
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from huggin.common.errors import BadValue, UserError

PACKAGE = Path(__file__).resolve().parents[1]
# Scripts, cfgs and sample: a wheel holds them inside the package, a clone beside it.
TOOLKIT = PACKAGE / "toolkit" if (PACKAGE / "toolkit").is_dir() else PACKAGE.parent
LARGEST_TEXT = 1 << 28  # bytes of a JSON file that is read whole, far above any of ours


def flush_to_disk(path: Path) -> None:
    """Wait until the content of a file or folder has reached the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a name to write to. At the end the file takes the place of `path`; on an error it goes.

    A link stays a link: the file that it names is replaced. A character device is written to.
    Raises OSError, with the name of `path`, if the file cannot be written, or if something is
    there that is neither a file nor a character device.
    """
    target = Path(os.path.realpath(path))
    try:
        is_device = _is_device(target)
        folder = Path(tempfile.mkdtemp()) if is_device else target.parent
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{os.getpid()}-{target.name}"
        try:
            yield temporary
            if is_device:
                with temporary.open("rb") as written, target.open("wb", buffering=0) as file:
                    shutil.copyfileobj(written, file)
            else:
                flush_to_disk(temporary)
                os.replace(temporary, target)
                remove_left_over(target)
        finally:
            with suppress(OSError):  # the first error is the one to tell
                temporary.unlink(missing_ok=True)
                if is_device:
                    folder.rmdir()
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _is_device(target: Path) -> bool:
    """Whether a character device is there. Raises OSError for other things that are not files."""
    try:
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(21, "Is a directory", str(target))
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        raise OSError(22, "not a regular file", str(target))
    return stat.S_ISCHR(mode)


def remove_left_over(target: Path) -> None:
    """Remove what processes that were killed while writing `target` have left beside it."""
    for path in target.parent.glob(f".*-{glob.escape(target.name)}"):
        match = re.fullmatch(rf"\.(\d+)-{re.escape(target.name)}", path.name)
        if match and not _is_alive(int(match[1])):
            path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to somebody else
        return True
    return True


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def refuse_special(path: Path, most: int | None = None) -> None:
    """Raise UserError unless `path` is a regular file of at most `most` bytes.

    A pipe or a device would be waited for, or read without end. Raises FileNotFoundError if
    there is nothing.
    """
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise UserError(f"{path}: not a regular file; name one")
    if most is not None and facts.st_size > most:
        raise UserError(f"{path}: {facts.st_size:,} bytes are too many; at most {most:,} are read")


def read_text(path: Path, most: int = LARGEST_TEXT) -> str:
    """The text of a regular file in UTF-8.

    Raises UserError if it is none, and FileNotFoundError if there is nothing.
    """
    refuse_special(path, most)
    try:
        return path.read_bytes().decode("utf-8-sig")  # ends of lines stay as they are
    except UnicodeDecodeError:
        raise UserError(f"{path}: not text in UTF-8") from None


def text_or_file(name: str, value: str) -> str:
    """A text as it was given, or the text of the file that it names. name: of the parameter.

    Raises BadValue for one word of ASCII that names no file, because it is hardly a text.
    """
    if os.path.isfile(value):  # noqa: PTH113 (a long text is no error)
        return read_text(Path(value))
    if re.fullmatch(r"[!-~]+", value):
        raise BadValue(name, value, "no such file; name one, or give a text")
    return value


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises UserError if it is not JSON, FileNotFoundError if it is missing.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(f"{path}: not JSON") from None


def bytes_in(folder: Path) -> float:
    """How much the files of a folder take, all below it included."""
    return float(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
