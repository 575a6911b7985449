"""What every command shares: its arguments, one-line errors, exit codes."""

import argparse
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from huggin import __version__
from huggin.common.errors import BadValue, UserError
from huggin.common.text import one_line, printable

BAD_INPUT = 2
DEFECT = 70
CTRL_C = 130
NOT_ON_WINDOWS = (
    "Windows is supported through WSL; type 'wsl --install' in PowerShell, and set up there"
)
FOR_PICTURES = ("keras", "tensorflow")  # what ./setup --without-pictures leaves out

Main = Callable[[Sequence[str] | None], int]


class CommandParser(argparse.ArgumentParser):
    """An argument parser that answers bad usage in one line and keeps the layout of its texts."""

    def __init__(self, description: str, example: str) -> None:
        """example: a whole command, such as `python lime.py photo.jpg`."""
        super().__init__(
            prog=example.split()[1],
            description=description,
            epilog=f"example: {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        version = f"huggin {__version__}"
        self.add_argument("--version", action="version", version=version, help="print the version")

    def error(self, message: str) -> NoReturn:
        """Raise UserError for bad usage."""
        raise UserError(f"{message}; see {self.prog} --help")


def run_command(main: Main) -> NoReturn:
    """Run a command as a process: with the arguments that were typed, to its exit code."""
    sys.exit(exit_code_of(main))


def exit_code_of(main: Main, argv: Sequence[str] | None = None) -> int:
    """Run a command's `main` and say in one line what went wrong.

    Returns what `main` returns, or 2 for bad input, 70 for a defect of the toolkit, 130 for Ctrl-C.
    """
    name = Path(inspect.getfile(main)).name
    if sys.platform == "win32":
        return _failed(name, f"error: {NOT_ON_WINDOWS}", BAD_INPUT)
    try:
        code = main(argv)
        sys.stdout.flush()
        return code
    except SystemExit as stopped:  # --help, --version, or a signal before the training
        return stopped.code if isinstance(stopped.code, int) else 0
    except BrokenPipeError:  # the reader has left, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BadValue as error:
        return _failed(name, f"error: {error.as_option()}", BAD_INPUT)
    except UserError as error:
        return _failed(name, f"error: {error}", BAD_INPUT)
    except OSError as error:
        advice = "check the path, who may write there, and the space on its disk"
        return _failed(name, f"error: {one_line(error)}; {advice}", BAD_INPUT)
    except KeyboardInterrupt:
        return _failed(name, "stopped by Ctrl-C", CTRL_C)
    except Exception as error:  # a defect; exit code 1 would mean "done, and the answer is no"
        if isinstance(error, ModuleNotFoundError) and error.name in FOR_PICTURES:
            what = f"error: {error.name} is not installed, it is only needed for pictures"
            return _failed(name, f"{what}; type: ./setup --with-pictures", BAD_INPUT)
        traceback.print_exc()
        what = "error: this is a defect of the toolkit; please report it with the lines above"
        return _failed(name, what, DEFECT)


def _failed(name: str, text: str, code: int) -> int:
    print(f"{name}: {printable(' '.join(text.split()))}", file=sys.stderr)
    return code
