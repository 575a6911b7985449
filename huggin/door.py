"""What every command shares: argparse, one-line errors, exit codes."""

import argparse
import os
import re
import sys
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

BAD_INPUT = 2
DEFECT = 70
CTRL_C = 130
LONGEST = 300  # characters of another library's message


class UserError(Exception):
    """Something that the user can mend; its text says what is wrong, where, and what to do."""


class DoorParser(argparse.ArgumentParser):
    """An argument parser that keeps the layout of its texts and answers bad usage in one line."""

    def __init__(self, description: str, example: str) -> None:
        super().__init__(
            description=description,
            epilog=f"example: {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def printable(text: str) -> str:
    """Text with control characters, which would act on the terminal, as U+FFFD; line feeds and tabs stay."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", text)


def one_line(error: BaseException) -> str:
    """What an exception says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = " ".join(str(error).split())
    return textwrap.shorten(text, LONGEST) if text else type(error).__name__


def open_door(main: Callable[[], int | None]) -> NoReturn:
    """Run a command's `main` and exit: 0 done, 2 bad input, 70 a defect, 130 Ctrl-C, or the code that it returns."""
    said = None
    try:
        code = main() or 0
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has left, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except UserError as error:
        code, said = BAD_INPUT, f"error: {' '.join(str(error).split())}"
    except OSError as error:
        advice = "check the path, who may write there, and the space on its disk"
        code, said = BAD_INPUT, f"error: {one_line(error)}; {advice}"
    except KeyboardInterrupt:
        code, said = CTRL_C, "stopped by Ctrl-C"
    except Exception:  # ours to mend; 1 would mean "done, and the answer is no"
        traceback.print_exc()
        code, said = DEFECT, "error: this is a defect of the toolkit; please report it with the lines above"
    if said:
        print(f"{Path(sys.argv[0]).name}: {printable(said)}", file=sys.stderr)
    sys.exit(code)
